"""Folders of pictures, one a class: ImageNet, or a set of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablate import DataSet, Framing, InputError, Samples, Split, Splits, register

from ._classes import classes_in, listed, pictures_in
from ._kept import decoded_file, kept
from ._options import at_least
from ._pictures import check_channels, check_resize, framed, pillow, reading, whole


class Pictures(Samples):
    """Pictures in files, decoded when they are asked for.

    Args:
        folder: of all of them.
        names: (N,) paths below it, as bytes: one array, which workers share, where a list of a million would be copied.
        labels: (N,) int64.
        channels: 1 or 3.
        resize: shortest side that a picture is scaled to before its centre is cut out.
    """

    def __init__(self, folder: Path, names: np.ndarray, labels: Tensor, channels: int, resize: int) -> None:
        self.folder = folder
        self.names = names
        self.labels = labels
        self.channels = channels
        self.resize = resize

    def read(self, index: int, size: tuple[int, int], framing: Framing) -> Tensor:
        with opened(self.path(index)) as picture:
            return framed(picture, self.channels, size, framing, self.resize)

    def path(self, index: int) -> Path:
        """The file of a sample."""
        return self.folder / os.fsdecode(self.names[index])

    def contents(self) -> list[tuple[str, int, int]]:
        """What tells whether a file has changed: its path, and when it was last written, and its size in bytes."""
        paths = [self.path(index) for index in range(len(self.labels))]
        return [(str(path.absolute()), path.stat().st_mtime_ns, path.stat().st_size) for path in paths]

    def in_memory(self, size: tuple[int, int]) -> Split:
        """All of them, decoded; each must have that size."""

        def load(path: Path) -> Tensor:
            with opened(path) as picture:
                return whole(picture, self.channels, size, str(path))

        images = [load(self.path(index)) for index in range(len(self.labels))]
        return Split(torch.stack(images), self.labels)


@register("data", "imagefolder")
class ImageFolder(DataSet):
    """Pictures in folders `train/CLASS/` and `val/CLASS/`, decoded by workers (extra `images`).

    A grey picture in a coloured set gets three equal channels, as is usual for ImageNet, which has some. Pictures are
    upright, as their EXIF orientation says (torchvision leaves them as they lie), and show the upper 8 of 16 bits.
    Hidden files and folders do not count; a class may be missing in the test pictures.

    Args:
        classes: number of classes, which is that of the folders in `train`.
        batch_size: images in a training step.
        root: the folder that holds `train` and `val`.
        train: name of the folder with the training pictures.
        test: name of the folder with those that are only measured.
        size: height and width of the network's images, in pixels.
        resize: shortest side that a picture is scaled to before its centre is cut out; null: every picture has the
            size already, and the set is kept in memory.
        channels: 1 for grey images, 3 for coloured ones.
    """

    imports = ("PIL.Image",)

    @classmethod
    def reads(cls, *, root: Path, train: str = "train", test: str = "val", **options: Any) -> list[Path]:
        """The two folders, and nothing else that may lie beside them."""
        return [Path(root) / train, Path(root) / test]

    def __init__(
        self,
        *,
        classes: int,
        batch_size: int = 128,
        root: Path = Path("data"),
        train: str = "train",
        test: str = "val",
        size: int = 224,
        resize: int | None = 256,
        channels: int = 3,
    ) -> None:
        at_least(1, batch_size=batch_size, size=size)
        at_least(2, classes=classes)
        check_channels(channels)
        check_resize(resize, size)
        self.classes = classes
        self.batch_size = batch_size
        self.root = Path(root)
        self.parts = (train, test)
        self.size = (size, size)
        self.resize = resize
        self.channels = channels
        self._listed: tuple[Pictures, Pictures] | None = None

    def look(self) -> bool:
        """`check`, but for pictures of which nothing is here."""
        if not any((self.root / part).exists() for part in self.parts):
            return False
        self.check()
        return True

    def check(self) -> None:
        """List the pictures of each class."""
        for part in self.parts:
            if not (self.root / part).is_dir():
                raise InputError(
                    f"no folder {self.root / part}: put the pictures into {self.root}/{self.parts[0]}/CLASS/ and "
                    f"{self.root}/{self.parts[1]}/CLASS/, or set data.root"
                )
        train, test = (classes_in(self.root / part) for part in self.parts)
        if len(train) != self.classes:
            found = f"{len(train)} class{'' if len(train) == 1 else 'es'} ({listed(train)})"
            raise InputError(f"{self.root / self.parts[0]} has {found}, and data.classes={self.classes}")
        if unknown := [name for name in test if name not in set(train)]:
            raise InputError(f"{self.root / self.parts[1]} has classes that {self.parts[0]} lacks: {listed(unknown)}")
        pillow()
        label_of = {name: label for label, name in enumerate(train)}
        self._listed = self._pictures(self.parts[0], train, label_of), self._pictures(self.parts[1], test, label_of)

    def load(self) -> Splits:
        """The names of all files; where every picture has the size, the pictures, which are decoded once and kept."""
        if self._listed is None:  # else just now, by `check`: a million files are not listed twice
            self.check()
            assert self._listed is not None
        train, test = self._listed
        if self.resize is not None:
            return Splits(train, test)
        contents = [split.contents() for split in (train, test)]
        file = decoded_file("folder", contents=contents, channels=self.channels, size=self.size)
        return kept(file, lambda: (train.in_memory(self.size), test.in_memory(self.size)))

    def _pictures(self, part: str, classes: Sequence[str], label_of: Mapping[str, int]) -> Pictures:
        folder = self.root / part
        names: list[bytes] = []
        labels: list[int] = []
        for name in classes:
            files = pictures_in(folder / name)
            names += [os.fsencode(f"{name}/{file}") for file in files]
            labels += [label_of[name]] * len(files)
        resize = self.resize or self.size[0]
        return Pictures(folder, np.array(names), torch.tensor(labels, dtype=torch.int64), self.channels, resize)


@register("data", "imagenet")
class ImageNet(ImageFolder):
    """ILSVRC 2012 in folders of JPEGs, 1000 classes: centre crops of 224 out of 256 pixels when measured.

    The validation pictures must lie in folders of their classes too, as the usual script sorts them.

    Args:
        batch_size: images in a training step.
        root: the folder that holds `train` and `val`.
        size: height and width of the network's images, in pixels.
        resize: shortest side that a picture is scaled to before its centre is cut out.
    """

    samples = (1_281_167, 50_000)

    def __init__(
        self, *, batch_size: int = 256, root: Path = Path("data/imagenet"), size: int = 224, resize: int = 256
    ) -> None:
        super().__init__(classes=1000, batch_size=batch_size, root=root, size=size, resize=resize)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The picture in a file (PIL.Image.Image), to be decoded inside this context.

    Raises:
        InputError: the file is not whole or no picture; names it.
    """
    with reading(str(path), "replace or remove it"), pillow().open(path) as picture:
        yield picture

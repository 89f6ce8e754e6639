"""Folders of pictures, one a class: ImageNet, or a set of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablate import DataSet, Framing, InputError, Samples, Split, Splits, register

from ._kept import decoded_file, kept
from ._options import at_least
from ._pictures import check_channels, check_resize, framed, pillow, whole

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".webp")
SHOWN = 5  # names in an error


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
        return decoded(self.path(index), lambda picture: framed(picture, self.channels, size, framing, self.resize))

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
            return decoded(path, lambda picture: whole(picture, self.channels, size, str(path)))

        images = [load(self.path(index)) for index in range(len(self.labels))]
        return Split(torch.stack(images), self.labels)


@register("data", "imagefolder")
class ImageFolder(DataSet):
    """Pictures in folders `train/CLASS/` and `val/CLASS/`, decoded by workers (extra `images`).

    A grey picture in a coloured set gets three equal channels, as is usual for ImageNet, which has some.

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

    def check(self) -> None:
        """Look for the folders of the classes."""
        for part in self.parts:
            if not (self.root / part).is_dir():
                raise InputError(
                    f"no folder {self.root / part}: put the pictures into {self.root}/{self.parts[0]}/CLASS/ and "
                    f"{self.root}/{self.parts[1]}/CLASS/, or set data.root"
                )
        train, test = (self._class_names(part) for part in self.parts)
        if len(train) != self.classes:
            raise InputError(f"{self.root / self.parts[0]} has {len(train)} classes, and data.classes={self.classes}")
        if unknown := [name for name in test if name not in set(train)]:
            raise InputError(f"{self.root / self.parts[1]} has classes that {self.parts[0]} lacks: {_listed(unknown)}")
        pillow()

    def load(self) -> Splits:
        """The names of all files; where every picture has the size, the pictures, which are decoded once and kept."""
        self.check()
        train, test = (self._pictures(part) for part in self.parts)
        if self.resize is not None:
            return Splits(train, test)
        contents = [split.contents() for split in (train, test)]
        file = decoded_file("folder", contents=contents, channels=self.channels, size=self.size)
        return kept(file, lambda: (train.in_memory(self.size), test.in_memory(self.size)))

    def _class_names(self, part: str) -> list[str]:
        return sorted(entry.name for entry in os.scandir(self.root / part) if entry.is_dir())

    def _pictures(self, part: str) -> Pictures:
        folder, label_of = self.root / part, {name: n for n, name in enumerate(self._class_names(self.parts[0]))}
        names: list[bytes] = []
        labels: list[int] = []
        for name in self._class_names(part):
            files = _files(folder / name)
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


def decoded(path: Path, use: Callable[[Any], Tensor]) -> Tensor:
    """What `use` makes of the picture in a file, which it decodes.

    Raises:
        InputError: the file is not whole or no picture; names it.
    """
    image = pillow()
    try:
        with image.open(path) as picture:
            return use(picture)
    # Beside its own errors Pillow lets those of its decoders through: SyntaxError for a broken PNG, for one.
    except (OSError, SyntaxError, ValueError, EOFError, image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as a picture ({reason}); replace or remove it") from error


def _files(folder: Path) -> list[str]:
    """The pictures of a class, by name; hidden files do not count.

    Raises:
        InputError: there are none, or there is something else.
    """
    names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    if odd := [name for name in names if not name.lower().endswith(SUFFIXES)]:
        raise InputError(f"{folder} holds what is no picture: {_listed(odd)}; pictures end in {', '.join(SUFFIXES)}")
    if not names:
        raise InputError(f"{folder} holds no pictures")
    return names


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

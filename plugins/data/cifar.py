"""CIFAR-10 and CIFAR-100 from their published archives."""

from __future__ import annotations

import os
import shutil
import tarfile
import uuid
import zlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ablate import InputError, Split, register

from ._download import Remote
from ._hub import HubSet
from ._once import once
from ._published import Published
from ._unpickle import ArrayUnpickler

HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
PIXELS = 3 * 32 * 32


class Cifar(Published):
    """What the two have in common: batches of pickled arrays."""

    channels, size = 3, (32, 32)
    samples = (50_000, 10_000)
    home = HOME
    train_files: ClassVar[list[str]]
    test_files: ClassVar[list[str]]
    labels_key: ClassVar[bytes]

    @property
    def downloads(self) -> Path:
        """The archive makes a folder of its own, beside itself."""
        return self.folder.parent

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return [folder / name for name in cls.train_files + cls.test_files]

    @property
    def _names(self) -> list[str]:
        return self.train_files + self.test_files

    def missing(self) -> list[str]:
        return [name for name in self._names if not (self.folder / name).is_file()]

    @property
    def archive(self) -> Path:
        """What the folder is unpacked from."""
        return self.downloads / self.remotes[0].name

    def refuse_part(self) -> None:
        # `unpack` puts the whole folder into place in one step, and nothing into one that is there.
        missing = self.missing() or [name for name in self._names if not (self.folder / name).stat().st_size]
        if missing and self.folder.exists():
            anew = f"{self.archive} is unpacked anew" if self.archive.is_file() else self.how_to_get
            raise InputError(
                f"{self.folder} holds a part of {self.title} ({', '.join(missing)} missing or empty), as an unpacking "
                f"that was cut off leaves it; remove the folder, and {anew}"
            )

    def archive_is_whole(self) -> None:
        if self.archive.is_file():
            _members(self.archive, [f"{self.folder.name}/{name}" for name in self._names])

    def unpack(self) -> None:
        if self.archive.is_file():
            once(self.folder, lambda: _unpack(self.archive, self.folder, self._names))

    def read(self) -> tuple[Split, Split]:
        return self._split(self.train_files), self._split(self.test_files)

    def _split(self, names: list[str]) -> Split:
        batches = [self._batch(self.folder / name) for name in names]
        images = np.concatenate([images for images, _ in batches]).reshape(-1, self.channels, *self.size)
        labels = np.concatenate([labels for _, labels in batches])
        return Split(torch.from_numpy(images), torch.from_numpy(labels).long())

    def _batch(self, path: Path) -> tuple[Any, Any]:
        """Images (N, 3072) uint8 and labels (N,) of one file."""
        what, remedy = f"{path} is not a {self.title} batch", f"remove {self.folder} and get it again"
        try:
            with path.open("rb") as file:
                batch = ArrayUnpickler(file, encoding="bytes").load()
            images, labels = np.asarray(batch[b"data"]), np.asarray(batch[self.labels_key])
        except Exception as error:  # what a pickle that is not whole raises has no common kind
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(f"{what} ({reason}); {remedy}") from error
        if images.dtype != np.uint8 or labels.dtype.kind != "i" or images.shape != (*labels.shape, PIXELS):
            raise InputError(f"{what}: it holds no uint8 images (N, {PIXELS}) with N labels; {remedy}")
        if not np.isin(labels, np.arange(self.classes)).all():
            raise InputError(f"{what}: labels are not all in 0 to {self.classes - 1}")
        return images, labels


@register("data", "cifar10")
class Cifar10(Cifar):
    """50,000 and 10,000 colour photographs of 32x32 pixels, 10 classes (Krizhevsky 2009), from a folder or the hub."""

    title = "CIFAR-10"
    classes = 10
    folder_name = "cifar-10-batches-py"
    remotes = (Remote("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),)
    hub = HubSet("uoft-cs/cifar10", image="img", label="label")
    train_files: ClassVar[list[str]] = [f"data_batch_{number}" for number in range(1, 6)]
    test_files: ClassVar[list[str]] = ["test_batch"]
    unpacked: ClassVar[dict[str, str]] = {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    }
    labels_key = b"labels"


@register("data", "cifar100")
class Cifar100(Cifar):
    """50,000 and 10,000 colour photographs of 32x32 pixels, 100 classes (Krizhevsky 2009), from a folder or the hub."""

    title = "CIFAR-100"
    classes = 100
    folder_name = "cifar-100-python"
    remotes = (Remote("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),)
    hub = HubSet("uoft-cs/cifar100", image="img", label="fine_label")
    train_files: ClassVar[list[str]] = ["train"]
    test_files: ClassVar[list[str]] = ["test"]
    unpacked: ClassVar[dict[str, str]] = {
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    }
    labels_key = b"fine_labels"


def _unpack(archive: Path, folder: Path, names: list[str]) -> None:
    """Make the folder with these files of the archive in it, in one step; nothing else of the archive is written."""
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    contents = _members(archive, [f"{folder.name}/{name}" for name in names])
    try:
        temporary.mkdir()
        for name, content in zip(names, contents, strict=True):
            (temporary / name).write_bytes(content)
        os.replace(temporary, folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _members(archive: Path, names: list[str]) -> list[bytes]:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            files = [tar.extractfile(name) for name in names]
            return [file.read() for file in files if file]
    except (tarfile.TarError, OSError, EOFError, zlib.error, KeyError) as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise InputError(f"{archive} is not a whole archive of this data set ({reason}); delete it") from error

"""CIFAR-10 from its published archive, unpacked."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ablate import DataSet, InputError, Split, Splits, register

FOLDER = "cifar-10-batches-py"
TRAIN = [f"data_batch_{number}" for number in range(1, 6)]
TEST = ["test_batch"]
PIXELS = 3 * 32 * 32


@register("data", "cifar10")
class Cifar10(DataSet):
    """50,000 and 10,000 colour photographs of 32x32 pixels, 10 classes (Krizhevsky 2009), from a folder."""

    channels, size, classes = 3, (32, 32), 10
    samples = (50_000, 10_000)

    def __init__(self, *, batch_size: int = 128, root: Path = Path("data")) -> None:
        if batch_size < 1:
            raise InputError(f"data.batch_size={batch_size}: must be at least 1")
        self.batch_size = batch_size
        self.folder = Path(root) / FOLDER

    def check(self) -> None:
        missing = [name for name in TRAIN + TEST if not (self.folder / name).is_file()]
        if missing:
            raise InputError(
                f"CIFAR-10 is not in {self.folder}: {', '.join(missing)} missing; unpack cifar-10-python.tar.gz "
                f"(https://www.cs.toronto.edu/~kriz/cifar.html) into {self.folder.parent}, or set data.root"
            )

    def load(self) -> Splits:
        """The archive's own split."""
        self.check()
        return Splits(self._split(TRAIN), self._split(TEST))

    def _split(self, names: list[str]) -> Split:
        batches = [self._read(self.folder / name) for name in names]
        images = np.concatenate([images for images, _ in batches]).reshape(-1, self.channels, *self.size)
        labels = np.concatenate([labels for _, labels in batches])
        return Split(torch.from_numpy(images), torch.from_numpy(labels).long())

    def _read(self, path: Path) -> tuple[Any, Any]:
        """Images (N, 3072) uint8 and labels (N,) of one file."""
        try:
            with path.open("rb") as file:
                batch = _ArrayUnpickler(file, encoding="bytes").load()
            images, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"])
        except Exception as error:  # what a pickle that is not whole raises has no common kind
            raise InputError(f"{path} is not a CIFAR-10 batch ({type(error).__name__}: {error})") from error
        if images.dtype != np.uint8 or labels.dtype.kind != "i" or images.shape != (*labels.shape, PIXELS):
            raise InputError(f"{path} is not a CIFAR-10 batch: it holds no uint8 images (N, {PIXELS}) with N labels")
        if not np.isin(labels, np.arange(self.classes)).all():
            raise InputError(f"{path} is not a CIFAR-10 batch: labels are not all in 0 to {self.classes - 1}")
        return images, labels


class _ArrayUnpickler(pickle.Unpickler):
    """Reads arrays and plain values only: a downloaded pickle must not be able to run code."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse all but what NumPy needs to rebuild an array."""
        if module.split(".")[0] == "numpy" and name in {"_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"}:
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no CIFAR-10 batch holds")

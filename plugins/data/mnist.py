"""MNIST and Fashion-MNIST from their published files."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import torch

from ablate import InputError, Split, register

from ._download import Remote
from ._hub import HubSet
from ._published import Published

UNSIGNED_BYTE = 8  # the only type of values in these files
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


class Idx(Published):
    """What the two have in common: four files of bytes with a header, packed by gzip or not."""

    channels, size, classes = 1, (28, 28), 10

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        names = [name for part in ("train", "t10k") for name in _names(part)]
        return [path if (path := folder / name).is_file() else folder / f"{name}.gz" for name in names]

    def missing(self) -> list[str]:
        return [name for part in ("train", "t10k") for name in _names(part) if self._path(name) is None]

    def read(self) -> tuple[Split, Split]:
        return self._split("train"), self._split("t10k")

    def _path(self, name: str) -> Path | None:
        found = [path for path in (self.folder / name, self.folder / f"{name}.gz") if path.is_file()]
        return found[0] if found else None

    def _split(self, part: str) -> Split:
        pictures, classes = (self._path(name) for name in _names(part))
        assert pictures is not None
        assert classes is not None
        images, labels = read_idx(pictures, 3), read_idx(classes, 1)
        if images.shape[1:] != self.size or len(images) != len(labels):
            raise InputError(
                f"{pictures} and {classes} do not belong to {self.title}: images {images.shape}, labels {labels.shape}"
            )
        if len(labels) and labels.max() >= self.classes:
            raise InputError(f"{classes} has label {labels.max()}; labels are 0 to {self.classes - 1}")
        return Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())


@register("data", "mnist")
class Mnist(Idx):
    """60,000 and 10,000 handwritten digits, 28x28 pixels, 10 classes (LeCun et al. 1998), from a folder or the hub."""

    samples = (60_000, 10_000)
    title = "MNIST"
    home = "http://yann.lecun.com/exdb/mnist"
    folder_name = "mnist"
    remotes = (
        Remote(
            "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        ),
        Remote(
            "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
            "d53e105ee54ea40749a09fcbcd1e9432",
        ),
        Remote(
            "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
            "9fb629c4189551a2d022fa330f9573f3",
        ),
        Remote(
            "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    )
    hub = HubSet("ylecun/mnist", image="image", label="label")


@register("data", "fashion_mnist")
class FashionMnist(Idx):
    """60,000 and 10,000 pictures of clothes, 28x28 pixels, 10 classes (Xiao et al. 2017), from a folder or the hub."""

    samples = (60_000, 10_000)
    title = "Fashion-MNIST"
    home = "https://github.com/zalandoresearch/fashion-mnist"
    folder_name = "fashion_mnist"
    remotes = (
        Remote(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        ),
        Remote(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-labels-idx1-ubyte.gz",
            "25c81989df183df01b3e8a0aad5dffbe",
        ),
        Remote(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-images-idx3-ubyte.gz",
            "bef4ecab320f06d8554ea6380940ec79",
        ),
        Remote(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    )
    hub = HubSet("zalando-datasets/fashion_mnist", image="image", label="label")


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The array of bytes in an IDX file: two zeros, the type, the number of dimensions, each of them, then the values.

    Raises:
        InputError: the file is not whole, or of another type or number of dimensions.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); delete it and get it again") from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, UNSIGNED_BYTE, dimensions]):
        raise InputError(f"{path} is not an IDX file of bytes with {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise InputError(f"{path} is cut off: {len(content) - start} values where its header says {math.prod(shape)}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def _names(part: str) -> tuple[str, str]:
    return f"{part}-{IMAGES}", f"{part}-{LABELS}"

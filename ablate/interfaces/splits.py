"""What a data set gives, held against what it promises, at the one place where it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from ablate.errors import InputError
from ablate.interfaces.data import DataSet, Samples, Split, Splits
from ablate.registry.blame import named_by

LEAST = {"channels": 1, "classes": 2, "batch_size": 1}


def load_splits(data: DataSet) -> Splits:
    """Load a data set and check what it gives.

    Raises:
        InputError: it is not there, or as `check_splits` and `check_declared`.
    """
    check_declared(data)
    splits = data.load()
    check_splits(data, splits)
    return splits


def check_declared(data: DataSet) -> None:
    """Hold what a data set says of itself before it is read against what that must be.

    Raises:
        InputError: a size is no whole number or too small; names the plugin and its file.
    """
    for name, least in LEAST.items():
        value = getattr(data, name, None)
        if not _is_whole(value, least):
            raise InputError(f"{named_by(data)}: {name} is {value!r}, not a whole number of at least {least}")
    for name, what in {"size": "height and width", "samples": "training and test images"}.items():
        value = getattr(data, name, None)
        is_pair = isinstance(value, Sequence) and len(value) == 2 and all(_is_whole(one, 1) for one in value)
        if not is_pair and not (name == "samples" and value is None):
            raise InputError(f"{named_by(data)}: {name} is {value!r}, not two whole numbers, {what}")


def check_splits(data: DataSet, splits: Splits) -> None:
    """Hold what a data set loaded against the shape and the classes that it promises.

    Of images that are read one by one, only the labels are looked at.

    Raises:
        InputError: it is something else than splits, a split is empty, an image is of another shape, or a label of
            another type or out of range; says which, and names the plugin and its file.
    """
    name = named_by(data)
    if not isinstance(splits, Splits):
        raise InputError(f"{name}: load gives {_kind(splits)}, not ablate.Splits(train, test)")
    for part, split in (("train", splits.train), ("test", splits.test)):
        what = f"{name}: its {part} split"
        if not isinstance(split, Split | Samples):
            raise InputError(f"{what} is {_kind(split)}, not an ablate.Split or ablate.Samples")
        # First of all: what is no tensor may have no length either.
        _check_type(what, getattr(split, "labels", None), data.classes)
        if len(split.labels) == 0:
            raise InputError(f"{what} is empty")
        if isinstance(split, Split):
            _check_images(what, data, split.images, len(split.labels))
        _check_labels(what, split.labels, data.classes)
    if isinstance(splits.train, Samples) != isinstance(splits.test, Samples):
        raise InputError(f"{name}: one split is in memory and the other is not")


def check_first_images(data: DataSet, splits: Splits) -> None:
    """Read the first image of each split that is read one by one.

    Raises:
        InputError: it cannot be read, or is of another shape or type; names the plugin and its file.
    """
    for part, split in (("train", splits.train), ("test", splits.test)):
        if isinstance(split, Samples):
            image = split.read(0, data.size, lambda height, width: None)
            expected = (data.channels, *data.size)
            if not isinstance(image, Tensor) or image.dtype != torch.uint8 or tuple(image.shape) != expected:
                what = f"{named_by(data)}: its {part} split"
                raise InputError(f"{what} reads an image of {_described(image)}, not uint8 {expected} (C, H, W)")


def _check_type(what: str, labels: Any, classes: int) -> None:
    """The loss would refuse others only in training, and in the words of its kernels."""
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.dim() != 1:
        raise InputError(
            f"{what} has labels of {_described(labels)}; they are to be a tensor int64 (N,), "
            f"for each image the number of its class, from 0 to {classes - 1}"
        )


def _check_images(what: str, data: DataSet, images: Any, samples: int) -> None:
    expected = (samples, data.channels, *data.size)
    if not isinstance(images, Tensor) or images.dtype != torch.uint8 or tuple(images.shape) != expected:
        raise InputError(f"{what} holds images of {_described(images)} (N, C, H, W), not uint8 {expected}")


def _check_labels(what: str, labels: Tensor, classes: int) -> None:
    wrong = ((labels < 0) | (labels >= classes)).nonzero().flatten()
    if len(wrong):
        first = int(wrong[0])
        raise InputError(f"{what} has label {int(labels[first])} at image {first}; labels are 0 to {classes - 1}")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _described(value: Any) -> str:
    """Type and shape of a tensor, as in "int32 (64,)"; of anything else what it is."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return f"{_kind(value)} {tuple(value.shape)}" if hasattr(value, "shape") else _kind(value)


def _kind(value: Any) -> str:
    """As in "a list" or "None"."""
    if value is None:
        return "None"
    kind = type(value)
    home = kind.__module__.partition(".")[0]
    return f"a {kind.__name__}" if home in {"builtins", "__main__"} else f"a {home}.{kind.__name__}"

"""Loads a data set, checks it against the shape and classes it declares, and keeps it on the device or streams it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ablate.errors import InputError
from ablate.interfaces.data import Augment, DataSet, Evaluation, Samples, Split, Splits
from ablate.training.feed import Feed
from ablate.training.resident import ResidentData
from ablate.training.streaming import StreamedData

SHARE_OF_DEVICE = 0.5  # of a GPU's free memory that a data set may take; the network needs the rest


def build_feed(
    data: DataSet,
    augment: Augment,
    evaluation: Evaluation,
    trainer: Mapping[str, Any],
    seed: int,
    device: torch.device,
    *,
    cores: int = 1,
) -> Feed:
    """Load a data set and make the feed that fits it.

    Args:
        data: the data set.
        augment: changes to training images.
        evaluation: says how much is needed around an image.
        trainer: the options `resident`, `workers` and `channels_last`.
        seed: of the cell.
        device: where batches are made.
        cores: CPU cores that are the cell's share: so many processes read what is not kept on the device.

    Raises:
        InputError: the data is not there, is broken, or cannot be kept on the device.
    """
    splits = data.load()
    check_splits(data, splits)
    common: dict[str, Any] = {"channels_last": bool(trainer["channels_last"]), "margin": evaluation.margin}
    if is_resident(splits, trainer["resident"], device):
        return ResidentData(splits, augment, seed, device, **common)
    workers = cores if trainer["workers"] is None else int(trainer["workers"])
    return StreamedData(
        splits, augment, seed, device, size=data.size, batch_size=data.batch_size, workers=workers, **common
    )


def is_resident(splits: Splits, choice: bool | None, device: torch.device) -> bool:
    """Whether both splits are kept on the device.

    Args:
        splits: the data.
        choice: None leaves it to what they are: in memory anyway, and small enough to stand beside a network.
        device: where batches are made.

    Raises:
        InputError: they are to be kept there, and are read from files.
    """
    parts = [split for split in (splits.train, splits.test) if isinstance(split, Split)]
    in_memory = len(parts) == 2
    if choice and not in_memory:
        raise InputError("trainer.resident=true: this data set is read from files image by image; leave it at null")
    # On a CPU, splits in memory are on the device already.
    if choice is not None or not in_memory or device.type != "cuda":
        return in_memory and choice is not False
    # Of what is free now and not of the whole card: other cells may share it.
    free, _ = torch.cuda.mem_get_info(device)
    return sum(split.images.nbytes for split in parts) <= SHARE_OF_DEVICE * free


def check_splits(data: DataSet, splits: Splits) -> None:
    """Hold what a data set loaded against the shape and the classes that it promises.

    Raises:
        InputError: a split is empty, an image is of another shape, or a label of another type or out of range; says
            which.
    """
    name = type(data).__name__
    for part, split in (("train", splits.train), ("test", splits.test)):
        what = f"data set {name}: its {part} split"
        # First of all: what is no tensor may have no length either.
        _check_type(what, split.labels)
        if len(split.labels) == 0:
            raise InputError(f"{what} is empty")
        if isinstance(split, Split):
            _check_images(what, data, split.images, len(split.labels))
        _check_labels(what, split.labels, data.classes)
    if isinstance(splits.train, Samples) != isinstance(splits.test, Samples):
        raise InputError(f"data set {name}: one split is in memory and the other is not")


def _check_type(what: str, labels: Tensor) -> None:
    """The loss would refuse others only in training, and in the words of its kernels."""
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.dim() != 1:
        kind = str(getattr(labels, "dtype", type(labels).__name__)).removeprefix("torch.")
        shape = f" {tuple(labels.shape)}" if hasattr(labels, "shape") else ""
        raise InputError(f"{what} has labels of {kind}{shape}, not int64 (N,): a class's number for each image")


def _check_images(what: str, data: DataSet, images: Tensor, samples: int) -> None:
    expected = (samples, data.channels, *data.size)
    if images.dtype != torch.uint8 or tuple(images.shape) != expected:
        found = f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
        raise InputError(f"{what} holds images of {found} (N, C, H, W), not uint8 {expected}")


def _check_labels(what: str, labels: Tensor, classes: int) -> None:
    wrong = ((labels < 0) | (labels >= classes)).nonzero().flatten()
    if len(wrong):
        first = int(wrong[0])
        raise InputError(f"{what} has label {int(labels[first])} at image {first}; labels are 0 to {classes - 1}")

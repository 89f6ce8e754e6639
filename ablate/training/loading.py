"""Loads a data set, and keeps it on the device or streams it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ablate.errors import InputError
from ablate.interfaces.data import Augment, DataSet, Evaluation, Split, Splits
from ablate.interfaces.splits import load_splits
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
    splits = load_splits(data)
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

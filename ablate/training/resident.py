"""A data set kept whole on the device as uint8, with batching, normalisation and augmentation there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ablate.interfaces.data import Augment, Split, Splits
from ablate.streams import generator

EVAL_BATCH = 512


class ResidentData:
    """Both splits on one device.

    Args:
        splits: the data, uint8 images (N, C, H, W).
        augment: changes to training images.
        seed: of the cell; the order of the batches and the augmentation come from it and the epoch alone.
        device: where the images lie.
        channels_last: whether batches have that memory format.
    """

    def __init__(
        self, splits: Splits, augment: Augment, seed: int, device: torch.device, *, channels_last: bool = True
    ) -> None:
        self.augment = augment
        self.seed = seed
        self.device = device
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.train = _on(splits.train, device)
        self.test = _on(splits.test, device)
        # Statistics of the training split alone: the test split must not leak into what the network sees.
        mean, std = channel_statistics(splits.train.images)
        self.mean = mean.view(1, -1, 1, 1).to(device)
        self.std = std.view(1, -1, 1, 1).to(device)

    def start_epoch(self, epoch: int) -> Tensor:
        """Draw the augmentation of an epoch and return its order: a permutation (N,) of the training samples."""
        samples = len(self.train.labels)
        choices = self.augment.draw(samples, generator(self.seed, "augment", epoch))
        self._choices: Any = None if choices is None else choices.to(self.device)
        return torch.randperm(samples, generator=generator(self.seed, "order", epoch)).to(self.device)

    def training_batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W), normalised and augmented, and labels (B,) of these training samples."""
        images = self._normalised(self.train.images[index])
        choices = None if self._choices is None else self._choices[index]
        images = self.augment.apply(images, choices)
        return images.contiguous(memory_format=self.memory_format), self.train.labels[index]

    def evaluation_batches(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        """All of a split in its own order, normalised, without augmentation."""
        for images, labels in zip(split.images.split(EVAL_BATCH), split.labels.split(EVAL_BATCH), strict=True):
            yield self._normalised(images).contiguous(memory_format=self.memory_format), labels

    def _normalised(self, images: Tensor) -> Tensor:
        return (images.float() - self.mean) / self.std


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of each channel of uint8 images (N, C, H, W).

    Taken from counts of the 256 values: exact, the same for any number of threads, and no float copy of the data.
    A channel of one value only has a deviation of 1, so that it can be divided by.
    """
    values = torch.arange(256, dtype=torch.float64)
    counts = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in images.unbind(1)]).double()
    share = counts / counts.sum(dim=1, keepdim=True)
    mean = (share * values).sum(dim=1)
    variance = (share * (values - mean[:, None]) ** 2).sum(dim=1)
    std = torch.where(variance > 0, variance.sqrt(), 1.0)
    return mean.float(), std.float()


def _on(split: Split, device: torch.device) -> Split:
    return Split(split.images.to(device), split.labels.to(device))

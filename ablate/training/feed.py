"""What training takes its batches from, wherever the images lie."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ablate.interfaces.data import Augment, Samples, Split, Splits, Statistics
from ablate.system.streams import generator

EVAL_BATCH = 512
# Of images that are measured together, at most, on a CPU and elsewhere: 128 images of CIFAR's shape, whose feature maps
# stay nearer to the core than those of 512, and what keeps a GPU busy.
EVAL_VALUES = (3 * 2**17, 2**22)

Batch = tuple[Tensor, Tensor]
"""Images (B, C, H, W), normalised, and labels (B,), both on the device."""


class Feed(abc.ABC):
    """Batches of both splits: the same ones, to the last bit, for every feed on a device.

    Args:
        splits: the data.
        augment: changes to training images.
        seed: of the cell; the order of the batches and the augmentation come from it and the epoch alone.
        device: where batches are made.
        statistics: of the training split alone: the test split must not leak into what the network sees.
        channels_last: whether batches have that memory format.
        margin: pixels around images that are evaluated.
    """

    def __init__(
        self,
        splits: Splits,
        augment: Augment,
        seed: int,
        device: torch.device,
        *,
        statistics: Statistics,
        channels_last: bool = True,
        margin: int = 0,
    ) -> None:
        self.train, self.test = splits.train, splits.test
        self.augment = augment
        self.seed = seed
        self.device = device
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.margin = margin
        # (1, C, 1, 1), against images (B, C, H, W).
        self.mean = statistics.mean.view(1, -1, 1, 1).to(device)
        self.std = statistics.std.view(1, -1, 1, 1).to(device)
        augment.fit(statistics)

    def draw_epoch(self, epoch: int) -> tuple[Tensor, Any]:
        """The order of an epoch, a permutation (N,) of the training samples, and its augmentation; on the CPU."""
        samples = len(self.train.labels)
        # Two streams: arms that differ in their augmentation see the images in the same order.
        choices = self.augment.draw(samples, generator(self.seed, "augment", epoch))
        return torch.randperm(samples, generator=generator(self.seed, "order", epoch)), choices

    @abc.abstractmethod
    def start_epoch(self, epoch: int) -> Tensor:
        """Draw the augmentation of an epoch and return its order: a permutation (N,) of the training samples."""

    @abc.abstractmethod
    def training_batch(self, index: Tensor) -> Batch:
        """These training samples, which are the next ones in the order of the epoch; augmented."""

    def training_batches(self, steps: Sequence[Tensor]) -> Iterator[Batch]:
        """A batch for each of the index sets, which follow each other in the order of the epoch."""
        return map(self.training_batch, steps)

    @abc.abstractmethod
    def evaluation_batches(self, split: Split | Samples) -> Iterator[Batch]:
        """All of a split in its own order, without augmentation, with the margin around it."""

    def close(self) -> None:  # noqa: B027 - most keep nothing
        """Let go of what reads the data; it is there again when it is needed."""

    def _normalised(self, images: Tensor) -> Tensor:
        return (images.float() - self.mean) / self.std

    def _laid_out(self, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=self.memory_format)

    def _for_evaluation(self, images: Tensor) -> Tensor:
        """Of images (B, C, H, W) in memory, which have nothing around them: zeros, the mean, stand there."""
        images = self._normalised(images)
        return self._laid_out(F.pad(images, [self.margin] * 4) if self.margin else images)


def evaluation_batch(channels: int, size: tuple[int, int], device: torch.device) -> int:
    """Images that are measured together: the same number for every feed, since a sum depends on it in its last bits."""
    # By values, so that large images make small batches; the same on every machine, since it decides bits.
    values = EVAL_VALUES[device.type != "cpu"]
    return max(1, min(EVAL_BATCH, values // (channels * size[0] * size[1])))


def rows(choices: Any, index: Tensor) -> Any:
    """The choices of these samples."""
    return None if choices is None else choices[index]

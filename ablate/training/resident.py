"""A data set kept whole on the device as uint8, with batching, normalisation and augmentation there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ablate.interfaces.data import Augment, Samples, Split, Splits
from ablate.training.feed import Batch, Feed, evaluation_batch, rows
from ablate.training.statistics import PixelStatistics

# Of training images that are made together, on a CPU and elsewhere: what fits into a core's cache, and what keeps a GPU
# from waiting for the next kernel.
VALUES_TOGETHER = (2**19, 2**22)


class ResidentData(Feed):
    """Both splits on one device.

    Args:
        splits: the data, uint8 images (N, C, H, W).
        augment: changes to training images.
        seed: of the cell.
        device: where the images lie.
        channels_last: whether batches have that memory format.
        margin: pixels around images that are evaluated.
    """

    train: Split
    test: Split

    def __init__(
        self,
        splits: Splits,
        augment: Augment,
        seed: int,
        device: torch.device,
        *,
        channels_last: bool = True,
        margin: int = 0,
    ) -> None:
        train, test = splits.train, splits.test
        assert isinstance(train, Split)
        assert isinstance(test, Split)
        super().__init__(
            Splits(_on(train, device), _on(test, device)),
            augment,
            seed,
            device,
            # From the images as they were loaded, on the CPU: the same sums for cells on any device.
            statistics=PixelStatistics(lambda: [train.images]),
            channels_last=channels_last,
            margin=margin,
        )

    def start_epoch(self, epoch: int) -> Tensor:
        """Draw the augmentation of an epoch and return its order (N,), on the device."""
        order, choices = self.draw_epoch(epoch)
        self._choices = None if choices is None else choices.to(self.device)
        return order.to(self.device)

    def training_batches(self, steps: Sequence[Tensor]) -> Iterator[Batch]:
        """A batch for each of the index sets; those of several steps are made together."""
        if not steps:
            return
        # Only the last index set may be shorter: split by the size of the first, they come out as they went in.
        size = len(steps[0])
        # Allowed since augmentations treat each image by itself (`Augment`): the batches are bit-equal.
        at_once = max(1, VALUES_TOGETHER[self.device.type != "cpu"] // (size * self.train.images[0].numel()))
        for start in range(0, len(steps), at_once):
            images, labels = self.training_batch(torch.cat(list(steps[start : start + at_once])))
            yield from zip(images.split(size), labels.split(size), strict=True)

    def training_batch(self, index: Tensor) -> Batch:
        """Images (B, C, H, W), normalised and augmented, and labels (B,) of these training samples."""
        images = self._normalised(self.train.images[index])
        images = self.augment.apply(images, rows(self._choices, index))
        return self._laid_out(images), self.train.labels[index]

    def evaluation_batches(self, split: Split | Samples) -> Iterator[Batch]:
        """All of a split in its own order, normalised, without augmentation."""
        assert isinstance(split, Split)
        _, channels, height, width = split.images.shape
        size = evaluation_batch(channels, (height, width), self.device)
        for images, labels in zip(split.images.split(size), split.labels.split(size), strict=True):
            yield self._for_evaluation(images), labels


def _on(split: Split, device: torch.device) -> Split:
    return Split(split.images.to(device), split.labels.to(device))

"""Mean, deviation and covariance of the pixels of a training split."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import torch
from torch import Tensor

LEVELS = 256
PIXELS_AT_ONCE = 2**20  # of the covariance, which needs a float64 copy

Batches = Callable[[], Iterable[Tensor]]


class PixelStatistics:
    """Statistics over all pixels of batches of uint8 images (N, C, H, W).

    They come from sums of whole numbers: exact, whatever the batches and the number of threads, and without a float
    copy of the data.

    Args:
        batches: gives the batches, from the first, each time it is called.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        counts = sum(_counts(images) for images in batches())
        assert isinstance(counts, Tensor), "a training split has images"
        values = torch.arange(LEVELS, dtype=torch.float64)
        # (C, 256): a histogram holds all that mean and deviation need, whatever the number of images.
        share = counts / counts.sum(dim=1, keepdim=True)
        self._mean = (share * values).sum(dim=1)
        variance = (share * (values - self._mean[:, None]) ** 2).sum(dim=1)
        self.mean = self._mean.float()
        # A channel with one value would be divided by 0; with 1 it becomes 0 everywhere.
        self.std = torch.where(variance > 0, variance.sqrt(), 1.0).float()

    @cached_property
    def covariance(self) -> Tensor:
        """(C, C) float64."""
        products, pixels = torch.zeros(len(self._mean), len(self._mean), dtype=torch.int64), 0
        for images in self._batches():
            # (C, N * H * W): a pixel is a column.
            for part in images.transpose(0, 1).flatten(1).split(PIXELS_AT_ONCE, dim=1):
                wide = part.double()
                products += (wide @ wide.T).long()  # whole numbers below 2**53, so the product is exact
                pixels += part.shape[1]
        return products.double() / pixels - torch.outer(self._mean, self._mean)


def _counts(images: Tensor) -> Tensor:
    """(C, 256) float64: how often each value comes in each channel."""
    channels = images.unbind(1)
    return torch.stack([torch.bincount(channel.flatten(), minlength=LEVELS) for channel in channels]).double()

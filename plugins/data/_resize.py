"""Images at another size."""

import torch
from torch import Tensor

from ablate import InputError, Split

LEAST, MOST = 4, 256


def check_side(side: int) -> None:
    """Refuse a size of images that no network is meant for.

    Raises:
        InputError: it is out of range.
    """
    if not LEAST <= side <= MOST:
        raise InputError(f"data.side={side}: from {LEAST} to {MOST} pixels")


def resized(split: Split, side: int) -> Split:
    """Each pixel (N, C, side, side) the mean over the area that it covers in square images (N, C, H, H).

    Where `side` is a multiple of H, pixels are repeated. H is at most 256: then all sums are whole numbers that float32
    holds exactly, and the images come out alike on every machine.
    """
    before = split.images.shape[-1]
    if before == side:
        return split
    weights = _overlaps(before, side)
    sums = weights @ split.images.float() @ weights.T
    return Split((sums / before**2 + 0.5).floor().to(torch.uint8), split.labels)


def _overlaps(before: int, after: int) -> Tensor:
    """(after, before): how much of each old pixel a new one covers, in parts of which `before` make a new pixel."""
    starts, ends = torch.arange(after)[:, None] * before, torch.arange(before) * after
    return (torch.minimum(starts + before, ends + after) - torch.maximum(starts, ends)).clamp(min=0).float()

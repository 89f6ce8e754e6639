"""Augmentation by position: shifts, crops and flips, a whole batch at a time."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ablate import Augment, InputError, register


@register("augment", "none")
class NoAugment(Augment):
    """The images as they are."""

    def draw(self, samples: int, generator: torch.Generator) -> None:
        """Nothing is random."""

    def apply(self, images: Tensor, choices: Any) -> Tensor:
        """Return the images unchanged."""
        return images


@register("augment", "shift")
class Shift(Augment):
    """Shift each image in both directions, zeros moving in.

    Args:
        pixels: greatest shift, to either side.
    """

    def __init__(self, *, pixels: int = 1) -> None:
        if pixels < 0:
            raise InputError(f"augment.pixels={pixels}: must be at least 0")
        self.pixels = pixels

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        """(samples, 2) offsets of the window in the padded image: rows, columns."""
        return torch.randint(0, 2 * self.pixels + 1, (samples, 2), generator=generator)

    def apply(self, images: Tensor, choices: Tensor) -> Tensor:
        """Cut each image out of its padded form at its own offset."""
        _, _, height, width = images.shape
        padded = F.pad(images, [self.pixels] * 4)
        rows = choices[:, :1] + torch.arange(height, device=images.device)
        columns = choices[:, 1:2] + torch.arange(width, device=images.device)
        batch = torch.arange(len(images), device=images.device)[:, None, None]
        return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


@register("augment", "crop_flip")
class CropFlip(Shift):
    """Pad, crop at random, flip half of the images (He et al. 2015, section 4.2).

    Args:
        pixels: of padding on each side (the paper: 4).
    """

    def __init__(self, *, pixels: int = 4) -> None:
        super().__init__(pixels=pixels)

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        """(samples, 3): the window's offsets, and 1 where the image is flipped."""
        flips = torch.randint(0, 2, (samples, 1), generator=generator)
        return torch.cat([super().draw(samples, generator), flips], dim=1)

    def apply(self, images: Tensor, choices: Tensor) -> Tensor:
        """Crop, then flip left and right where the choice says so."""
        cropped = super().apply(images, choices)
        return torch.where(choices[:, 2, None, None, None] == 1, cropped.flip(-1), cropped)

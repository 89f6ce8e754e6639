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
        return self.cut(images, choices, torch.arange(images.shape[3], device=images.device))

    def cut(self, images: Tensor, choices: Tensor, columns: Tensor) -> Tensor:
        """Cut each image out of its padded form.

        Args:
            images: (N, C, H, W).
            choices: (N, 2 or more), the window's offsets first.
            columns: (W,) or (N, W), which of the window's columns stand where.
        """
        # One gather of numbered pixels for the batch, where slices would be an operation an image.
        samples, channels, height, width = images.shape
        padded = F.pad(images, [self.pixels] * 4)
        rows = choices[:, :1] + torch.arange(height, device=images.device)
        pixels = rows[:, :, None] * padded.shape[3] + (choices[:, 1:2] + columns)[:, None, :]
        pixels = pixels.view(samples, 1, -1).expand(-1, channels, -1)
        return padded.flatten(2).gather(2, pixels).view(samples, channels, height, width)


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
        columns = torch.arange(images.shape[3], device=images.device)
        return self.cut(images, choices, torch.where(choices[:, 2:3] == 1, columns.flip(0), columns))

"""Augmentations by scale: VGG's jitter, Inception's crops."""

import math

import torch
from torch import Tensor

from ablate import InputError, register

from ._check import check_range
from ._windows import Windowed


@register("augment", "scale_jitter")
class ScaleJitter(Windowed):
    """Scale the shortest side at random, crop at random, flip half (Simonyan and Zisserman 2015, section 3.1).

    The three sizes matter by their ratios alone, so images of any size are scaled alike: for 32x32 pixels, say
    `smallest=32 largest=48 crop=32`. The paper's fixed scales are `smallest=256 largest=256` and 384.

    Args:
        smallest: least length of the shortest side, in pixels.
        largest: greatest length of the shortest side, in pixels.
        crop: side of the crop, in the same pixels.
        flip: mirror half of the images.
    """

    def __init__(self, *, smallest: int = 256, largest: int = 512, crop: int = 224, flip: bool = True) -> None:
        if crop < 1:
            raise InputError(f"augment.crop={crop}: must be at least 1")
        check_range("smallest", smallest, "largest", largest, crop)
        super().__init__(flip)
        self.smallest = smallest
        self.largest = largest
        self.crop = crop

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        """(samples, 4) in [0, 1): the scale, the crop's place from the top and from the left, and the flip."""
        return torch.rand(samples, 4, generator=generator)

    def windows(self, choices: Tensor, height: int, width: int, size: tuple[int, int]) -> Tensor:
        scale, top, left = choices[:, :3].double().unbind(1)
        shortest = self.smallest + scale * (self.largest - self.smallest)
        # The largest crop of the training image's shape that fits, and the share of it that is left at this scale.
        fit = min(height / size[0], width / size[1])
        share = self.crop / shortest
        tall, wide = size[0] * fit * share, size[1] * fit * share
        return torch.stack([top * (height - tall), left * (width - wide), tall, wide], dim=1)


@register("augment", "resized_crop")
class ResizedCrop(Windowed):
    """Crop a random share of the area at a random aspect ratio, scale it, flip half (Szegedy et al. 2015, section 6).

    The share is uniform, and the logarithm of the ratio is uniform among those ratios at which the crop fits.

    Args:
        smallest: least share of the image's area (the paper: 8 %).
        largest: greatest share of the image's area.
        ratio: greatest width over height; the least is its inverse (the paper: 4/3).
        flip: mirror half of the images.
    """

    def __init__(
        self, *, smallest: float = 0.08, largest: float = 1.0, ratio: float = 4 / 3, flip: bool = True
    ) -> None:
        if smallest <= 0 or largest > 1:
            raise InputError(f"augment.smallest={smallest:g}, augment.largest={largest:g}: shares of 1, and above 0")
        check_range("smallest", smallest, "largest", largest, 0)
        if ratio < 1:
            raise InputError(f"augment.ratio={ratio:g}: must be at least 1")
        super().__init__(flip)
        self.smallest = smallest
        self.largest = largest
        self.ratio = ratio

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        """(samples, 5) in [0, 1): area, aspect ratio, the crop's place from the top and the left, and the flip."""
        return torch.rand(samples, 5, generator=generator)

    def windows(self, choices: Tensor, height: int, width: int, size: tuple[int, int]) -> Tensor:
        share, aspect, top, left = choices[:, :4].double().unbind(1)
        area = (self.smallest + share * (self.largest - self.smallest)) * (height * width)
        # A crop of this area fits while its width, sqrt(area * ratio), and its height, sqrt(area / ratio), do.
        narrowest, widest = (area / height**2).log(), (width**2 / area).log()
        limit = math.log(self.ratio)
        low = torch.minimum(narrowest.clamp(min=-limit), widest)
        high = torch.maximum(widest.clamp(max=limit), narrowest)
        log_ratio = low + aspect * (high - low)
        # Rounding may make a side that just fits longer than the image.
        tall = (area / log_ratio.exp()).sqrt().clamp(max=height)
        wide = (area * log_ratio.exp()).sqrt().clamp(max=width)
        return torch.stack([top * (height - tall), left * (width - wide), tall, wide], dim=1)

"""Images of CIFAR's shape without CIFAR: how long a step takes does not depend on what they show."""

from __future__ import annotations

import torch

from ablate.interfaces.data import DataSet, Split, Splits
from ablate.registry.registration import register

TEST_PART = 5  # one image is tested for so many that are trained on


@register("data", "noise")
class Noise(DataSet):
    """Random colour images in 10 classes; for the bench, nothing can be learnt from them.

    Args:
        batch_size: images in a training step.
        images: to train on; a fifth as many are tested.
        side: height and width in pixels.
    """

    channels, classes = 3, 10
    size: tuple[int, int]

    def __init__(self, *, batch_size: int = 128, images: int = 1280, side: int = 32) -> None:
        self.batch_size = batch_size
        self.images = images
        self.size = (side, side)

    def load(self) -> Splits:
        """Drawn from a fixed seed."""
        random = torch.Generator().manual_seed(0)
        return Splits(self._split(self.images, random), self._split(max(1, self.images // TEST_PART), random))

    def _split(self, images: int, random: torch.Generator) -> Split:
        pixels = torch.randint(256, (images, self.channels, *self.size), dtype=torch.uint8, generator=random)
        return Split(pixels, torch.randint(self.classes, (images,), generator=random))

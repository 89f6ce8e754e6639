"""What a stem must do."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from ablate.interfaces.parts import Order, Stem
from ablate.testing.networks import IMAGE, images, untrained
from ablate.testing.parts import PartConformance


class StemConformance(PartConformance):
    """Tests of a stem: the layers before the first stage."""

    kind = "stem"

    def build(self, channels: int, size: int) -> Stem:
        """The stem of a network for images of so many channels and pixels along each side."""
        parts = self.parts(image={**IMAGE, "channels": channels, "size": size})
        return cast(Stem, parts.make("stem", 6, cast(Order, parts.make("order"))))

    @pytest.mark.parametrize("size", [8, 32, 64])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_its_maps_have_the_channels_it_promises(self, channels: int, size: int) -> None:
        stem = self.build(channels, size)
        given = images(2, channels, (size, size))
        count, found, height, width = stem(given).shape
        assert (count, found) == (2, stem.out_channels)
        assert 1 <= height == width <= size

    def test_images_are_not_changed_in_place(self) -> None:
        given = images()
        self.build(1, 8)(given)
        assert torch.equal(given, images())

    def test_gradients_reach_the_image(self) -> None:
        stem, given = self.build(1, 8), images().requires_grad_()
        stem(given).square().sum().backward()
        assert given.grad is not None
        assert given.grad.isfinite().all()
        assert untrained(stem) == []

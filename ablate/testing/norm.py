"""What a normalisation must do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ablate.testing._base import refusal
from ablate.testing.networks import SIZES, images, untrained
from ablate.testing.parts import PartConformance


class NormConformance(PartConformance):
    """Tests of a normalisation of feature maps."""

    kind = "norm"

    def build(self, channels: int = 8) -> nn.Module:
        """The norm of so many channels."""
        return self.parts().norm(channels)

    @pytest.mark.parametrize("size", SIZES)
    def test_maps_keep_their_shape(self, size: tuple[int, int]) -> None:
        norm, given = self.build(), images(4, 8, size)
        for mode in (True, False):
            y = norm.train(mode)(given)
            assert y.shape == given.shape
            assert y.isfinite().all()

    @pytest.mark.parametrize("channels", [1, 3, 6])
    def test_channels_that_it_cannot_normalise_are_refused_in_one_line(self, channels: int) -> None:
        said = refusal(lambda: self.build(channels))
        assert "\n" not in said
        if not said:
            assert self.build(channels)(images(4, channels)).shape == (4, channels, 8, 8)

    def test_each_place_has_a_norm_of_its_own(self) -> None:
        parts = self.parts()
        assert parts.norm(8) is not parts.norm(8), "two places would share statistics and parameters"

    def test_maps_are_not_changed_in_place(self) -> None:
        given = images(4, 8)
        self.build()(given)
        assert torch.equal(given, images(4, 8)), "a shortcut may need them as they were"

    @pytest.mark.parametrize("value", [0.0, 5.0])
    def test_maps_of_one_value_have_finite_gradients(self, value: float) -> None:
        """They have no variance to divide by."""
        norm, given = self.build(), torch.full((4, 8, 4, 4), value, requires_grad=True)
        (norm(given) * images(4, 8, (4, 4))).sum().backward()
        assert given.grad is not None
        assert given.grad.isfinite().all()
        assert untrained(norm) == []

    def test_in_eval_mode_an_image_does_not_depend_on_its_batch(self) -> None:
        norm = self.build()
        for _ in range(3):
            norm(images(16, 8) + 1)  # what it learns in training mode is to be a constant here
        norm.eval()
        before = {name: value.clone() for name, value in norm.state_dict().items()}
        whole = norm(images(4, 8))
        torch.testing.assert_close(norm(images(4, 8)[2:3]), whole[2:3], rtol=1e-5, atol=1e-6)
        assert all(torch.equal(before[name], value) for name, value in norm.state_dict().items())

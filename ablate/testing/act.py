"""What a non-linearity must do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ablate.testing.networks import images, stream, untrained
from ablate.testing.parts import PartConformance


class ActConformance(PartConformance):
    """Tests of a non-linearity."""

    kind = "act"

    def build(self) -> nn.Module:
        """The non-linearity."""
        return self.parts().act()

    @pytest.mark.parametrize("shape", [(4, 8, 7, 5), (4, 8, 1, 1), (4, 8), (8,)])
    def test_it_keeps_any_shape(self, shape: tuple[int, ...]) -> None:
        given = torch.randn(*shape, generator=stream())
        y = self.build()(given)
        assert (y.shape, y.dtype) == (given.shape, given.dtype)

    def test_each_place_has_a_module_of_its_own(self) -> None:
        parts = self.parts()
        assert parts.act() is not parts.act(), "two places would share parameters, and hooks would take them for one"

    def test_its_input_is_not_changed_in_place(self) -> None:
        """Under `order=pre` the shortcut reads the same tensor: with it changed the network is another one."""
        given = images(4, 8)
        self.build()(given)
        assert torch.equal(given, images(4, 8)), "build it without inplace=True"

    def test_values_and_gradients_are_finite(self) -> None:
        given = torch.tensor([-1e4, -30.0, -1.0, -1e-8, 0.0, 1e-8, 1.0, 30.0, 1e4], requires_grad=True)
        act = self.build()
        y = act(given)
        y.sum().backward()
        assert y.isfinite().all()
        assert given.grad is not None
        assert given.grad.isfinite().all()
        assert untrained(act) == []

    def test_it_is_no_linear_function(self) -> None:
        act, given = self.build().eval(), torch.linspace(-3, 3, 7)
        slopes = act(given).diff()
        assert not torch.allclose(slopes, slopes[:1].expand(6)), "without one, layers in a row are a single layer"

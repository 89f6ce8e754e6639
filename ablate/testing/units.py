"""What the parts of a residual unit must do: block, shortcut and order."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from ablate.interfaces.parts import Block, Order, Shortcut, UnitShape
from ablate.network.build import build_model
from ablate.testing.networks import SIZES, make_parts, network_config
from ablate.testing.parts import PartConformance

SHAPES = [
    pytest.param(UnitShape(8, 8), id="same"),
    pytest.param(UnitShape(8, 8, first=True), id="first"),
    pytest.param(UnitShape(8, 16), id="wider"),
    pytest.param(UnitShape(8, 8, stride=2), id="strided"),
    pytest.param(UnitShape(8, 16, stride=2, norm_projection=False), id="wider-strided"),
]


class BlockConformance(PartConformance):
    """Tests of a block: the weight layers of a residual branch."""

    kind = "block"

    def build(self) -> Block:
        """The block, in a small network."""
        return cast(Block, make_parts(block=self.node).make("block"))

    def config(self, **changes: Any) -> dict[str, Any]:
        """The smallest network that this block can make: one unit in each of three stages."""
        return super().config(**{"depth": 3 * self.build().depth + 2, **changes})

    def test_depth_is_the_number_of_weight_layers(self) -> None:
        block = self.build()
        assert len(block.layers(8, 8, 1)) == block.depth

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize(("in_channels", "width", "stride"), [(8, 8, 1), (8, 16, 2), (3, 8, 2), (32, 8, 1)])
    def test_the_layers_make_the_shape_they_promise(
        self, in_channels: int, width: int, stride: int, size: tuple[int, int]
    ) -> None:
        block = self.build()
        layers = list(block.layers(in_channels, width, stride))
        y = torch.randn(2, in_channels, *size)
        for layer in layers:
            y = layer(y)
            assert y.shape[1] == layer.out_channels
        tail = block.tail(width * block.expansion)
        assert (y if tail is None else tail(y)).shape == (2, width * block.expansion, *_divided(size, stride))


class ShortcutConformance(PartConformance):
    """Tests of a shortcut: the path beside F, and the joining of the two."""

    kind = "shortcut"

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("shape", SHAPES)
    def test_it_joins_x_and_f_of_x(self, shape: UnitShape, size: tuple[int, int]) -> None:
        shortcut = cast(Shortcut, make_parts(shortcut=self.node).make("shortcut", shape))
        x = torch.randn(2, shape.in_channels, *size)
        residual = torch.randn(2, shape.out_channels, *_divided(size, shape.stride), requires_grad=True)
        kept = residual.detach().clone()
        y = shortcut(x, residual)
        assert y.shape == residual.shape
        y.square().sum().backward()
        assert residual.grad is not None, "no gradient reaches F(x)"
        assert torch.equal(residual, kept), "F(x) must not be changed in place: other parts may look at it"


class OrderConformance(PartConformance):
    """Tests of an order: where norm and activation stand around a unit's weight layers."""

    kind = "order"

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("block", ["basic", "single"])
    def test_a_unit_has_the_shape_it_promises(self, block: str, shape: UnitShape) -> None:
        parts = make_parts(order=self.node, block={"name": block}, shortcut={"name": "projection"})
        layers = cast(Block, parts.make("block")).layers(shape.in_channels, shape.out_channels, shape.stride)
        unit = cast(Order, parts.make("order")).unit(layers, None, shape)
        x = torch.randn(2, shape.in_channels, 8, 8)
        kept = x.clone()
        assert unit(x).shape == (2, shape.out_channels, *_divided((8, 8), shape.stride))
        assert torch.equal(x, kept), "x must not be changed in place: the shortcut needs it"

    def test_weights_have_the_names_that_all_orders_share(self) -> None:
        ours, theirs = (build_model(config).state_dict() for config in (self.config(), network_config()))
        convolutions = [name for name in theirs if ".branch.conv" in name]
        assert [name for name in convolutions if name not in ours or not torch.equal(ours[name], theirs[name])] == []

    def test_what_stands_behind_stem_and_stages_keeps_the_shape(self) -> None:
        order = cast(Order, make_parts(order=self.node).make("order"))
        x = torch.randn(2, 8, 4, 4)
        assert order.after_stages(8)(order.after_stem(8)(x)).shape == x.shape


def _divided(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Height and width over the stride, rounded up, as a padded convolution has them."""
    height, width = size
    return -(-height // stride), -(-width // stride)

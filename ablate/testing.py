"""Conformance tests for networks and their parts: what every backbone, aux, block, shortcut and order must do.

Subclass the class of your plugin's kind in a pytest file, and say which plugin is meant:

    from ablate.testing import BlockConformance

    class TestSqueezeExcite(BlockConformance):
        name = "squeeze_excite"
        options = {"reduction": 4}  # where the defaults do not fit narrow networks
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, cast

import pytest
import torch
from torch import Tensor, nn

from ablate import registry
from ablate.config.compose import prepare
from ablate.errors import InputError
from ablate.interfaces.backbone import Aux, Backbone
from ablate.interfaces.parts import Block, Order, Parts, Shortcut, UnitShape
from ablate.network.build import build_model, count_flops, count_parameters

IMAGE = {"channels": 1, "size": 8, "classes": 3}
SHAPES = [
    pytest.param(UnitShape(8, 8), id="same"),
    pytest.param(UnitShape(8, 8, first=True), id="first"),
    pytest.param(UnitShape(8, 16), id="wider"),
    pytest.param(UnitShape(8, 8, stride=2), id="strided"),
    pytest.param(UnitShape(8, 16, stride=2, norm_projection=False), id="wider-strided"),
]
SIZES = [(8, 8), (7, 5), (1, 1)]


def network_config(**changes: Any) -> dict[str, Any]:
    """A config of the smallest residual network, ResNet-8 for 8x8 grey images, with `changes` to its keys."""
    parts = {"backbone": "resnet", "block": "basic", "order": "post", "shortcut": "identity", "stem": "cifar"}
    parts |= {"head": "gap", "aux": "none", "norm": "batch", "act": "relu", "init": "he"}
    nodes: dict[str, Any] = {kind: {"name": name} for kind, name in parts.items()}
    return {**nodes, "image": IMAGE, "depth": 8, "width": 0.5, "seed": 0, **changes}


def make_parts(**changes: Any) -> Parts:
    """The parts of `network_config(**changes)`."""
    return Parts(network_config(**changes), channels=1, size=(8, 8), classes=3)


def images(count: int = 4) -> Tensor:
    """(count, 1, 8, 8), the same ones at every call."""
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def all_logits(output: Tensor | tuple[Tensor, list[Tensor]]) -> list[Tensor]:
    """The main logits, and behind them those of auxiliary classifiers."""
    return [output] if isinstance(output, Tensor) else [output[0], *output[1]]


class PartConformance:
    """What holds for every part of a network; subclass the class of your plugin's kind instead."""

    kind: ClassVar[str]
    name: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _plugins(self) -> None:
        prepare()

    @property
    def node(self) -> dict[str, Any]:
        """The plugin's config node."""
        return {"name": self.name, **self.options}

    def config(self, **changes: Any) -> dict[str, Any]:
        """The config of a small network with this part in it."""
        return network_config(**{self.kind: self.node, **changes})

    def test_it_says_in_one_line_what_it_is(self) -> None:
        assert registry.lookup(self.kind, self.name).summary

    def test_every_option_is_documented(self) -> None:
        entry = registry.lookup(self.kind, self.name)
        text = inspect.getdoc(entry.factory) or ""
        assert [p.name for p in entry.parameters if f"{p.name}:" not in text] == []

    def test_a_network_with_it_trains(self) -> None:
        model = build_model(self.config())
        logits = all_logits(model(images()))
        assert [one.shape for one in logits] == [(4, IMAGE["classes"])] * len(logits)
        assert all(one.isfinite().all() for one in logits)
        torch.stack([nn.functional.cross_entropy(one, torch.tensor([0, 1, 2, 0])) for one in logits]).sum().backward()
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        assert [name for name, grad in gradients.items() if grad is None] == [], "no gradient reaches these"
        assert [name for name, grad in gradients.items() if grad is not None and not grad.isfinite().all()] == []

    def test_eval_mode_takes_one_image(self) -> None:
        model = build_model(self.config()).eval()
        torch.testing.assert_close(model(images(1)), model(images())[:1], rtol=1e-4, atol=1e-5)

    def test_the_seed_alone_decides_the_initial_values(self) -> None:
        first, again = (build_model(self.config()).state_dict() for _ in range(2))
        other = build_model(self.config(seed=1)).state_dict()
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)

    def test_building_draws_nothing_from_the_global_stream(self) -> None:
        before = torch.get_rng_state()
        build_model(self.config())
        assert torch.equal(before, torch.get_rng_state())

    def test_it_can_be_counted_on_the_meta_device(self) -> None:
        with torch.device("meta"):
            model = build_model(self.config())
        assert count_parameters(model) == count_parameters(build_model(self.config()))


class BackboneConformance(PartConformance):
    """Tests of a family of networks.

    Set `changes` where it needs other parts than the smallest residual network has, such as a depth or a head.
    """

    kind = "backbone"
    changes: ClassVar[dict[str, Any]] = {}

    def config(self, **changes: Any) -> dict[str, Any]:
        """The config of a small network of this family."""
        return super().config(**{**self.changes, **changes})

    def build(self, **changes: Any) -> Backbone:
        """A small network of this family."""
        return cast(Backbone, build_model(self.config(**changes)))

    def test_an_auxiliary_classifier_can_stand_behind_every_stage(self) -> None:
        taps = self.build().taps
        assert taps, "it has no stages"
        model = self.build(aux={"name": "linear", "at": list(taps)})
        assert len(all_logits(model(images()))) == 1 + len(taps)
        assert len(all_logits(model.eval()(images()))) == 1

    def test_unknown_stages_are_refused(self) -> None:
        with pytest.raises(InputError, match="unknown stage"):
            self.build(aux={"name": "linear", "at": ["no such stage"]})

    def test_stages_have_the_channels_they_promise(self) -> None:
        model = self.build().eval()
        x = model.stem(images())
        for name, channels in model.taps.items():
            x = model.stages.get_submodule(name)(x)
            assert x.shape[1] == channels

    def test_width_scales_it(self) -> None:
        with torch.device("meta"):
            assert count_parameters(self.build(width=1.0)) < count_parameters(self.build(width=2.0))

    def test_checkpointing_leaves_loss_gradients_and_statistics_alone(self) -> None:
        found = []
        for checkpoint_blocks in (False, True):
            model = self.build(trainer={"checkpoint_blocks": checkpoint_blocks})
            torch.manual_seed(0)
            torch.stack([one.square().mean() for one in all_logits(model(images()))]).sum().backward()
            found.append([*(parameter.grad for parameter in model.parameters()), *model.buffers()])
        torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-6)


class AuxConformance(PartConformance):
    """Tests of an auxiliary classifier."""

    kind = "aux"

    @property
    def node(self) -> dict[str, Any]:
        """The plugin's config node, behind the first and the last stage of the smallest residual network."""
        return {"at": ["stage1", "stage3"], **super().node}

    def test_it_trains_and_does_not_evaluate(self) -> None:
        model, plain = build_model(self.config()), build_model(network_config())
        torch.testing.assert_close(model.eval()(images()), plain.eval()(images()))
        assert len(all_logits(model.train()(images()))) == 3
        assert count_flops(model, (1, 1, 8, 8)) == count_flops(plain, (1, 1, 8, 8))

    @pytest.mark.parametrize("size", [*SIZES, (14, 14), (17, 20)])
    def test_it_takes_maps_of_any_size(self, size: tuple[int, int]) -> None:
        head = cast(Aux, make_parts(aux=self.node).make("aux")).head(6).eval()
        assert head(torch.randn(2, 6, *size)).shape == (2, IMAGE["classes"])

    def test_its_weight_is_an_option(self) -> None:
        model = build_model(self.config(aux={**self.node, "weight": 0.25}))
        assert cast(Backbone, model).aux_weight == 0.25


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

"""Broken networks and parts of networks. Not collected by themselves, but run by `test_suites.py`.

Each class says in `caught` which tests must find its fault; all the others must pass. What is broken here is what the
authors of plugins get wrong: the parts work, and a network with them trains, or seems to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ablate import (
    Aux,
    Backbone,
    Block,
    Head,
    Init,
    Order,
    Parts,
    Shortcut,
    Stem,
    UnitShape,
    pixel_mean,
    register,
    testing,
)

# Networks and their parts


@register("backbone", "of_one_width")
class OfOneWidth(Backbone):
    """Takes no notice of the width factor."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.stem = parts.make("stem", 8, parts.make("order"))
        self.add_stage("stage1", nn.Conv2d(8, 8, 3, padding=1), 8)
        self.attach_aux(parts)
        self.head = parts.make("head", 8)


class TestBackbone(testing.BackboneConformance):
    name = "of_one_width"
    caught: ClassVar = {"test_width_scales_it"}


@register("block", "of_three")
class OfThree(Block):
    """Says that it has three weight layers, and has two."""

    depth = 3

    def layers(self, in_channels: int, width: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(in_channels, width, 3, stride, padding=1), nn.Conv2d(width, width, 3, padding=1)]


class TestBlock(testing.BlockConformance):
    name = "of_three"
    caught: ClassVar = {"test_depth_is_the_number_of_weight_layers"}


@register("order", "other_names")
class OtherNames(Order):
    """Calls F otherwise than all other orders do, so that arms would not share its initial values."""

    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        return OtherUnit(self.branch(layers, tail, "norm"), self.shortcut(shape))

    def after_stem(self, channels: int) -> nn.Module:
        return self.parts.sequence(channels, "norm", "act")

    def after_stages(self, channels: int) -> nn.Module:
        return nn.Identity()


class OtherUnit(nn.Module):
    def __init__(self, residual: nn.Module, shortcut: Shortcut) -> None:
        super().__init__()
        self.residual = residual
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x, self.residual(x))


class TestOrder(testing.OrderConformance):
    name = "other_names"
    caught: ClassVar = {"test_weights_have_the_names_that_all_orders_share"}


@register("shortcut", "detached")
class Detached(Shortcut):
    """Lets no gradient through to F(x)."""

    def __init__(self, parts: Parts, shape: UnitShape) -> None:
        super().__init__()
        self.path = nn.Conv2d(shape.in_channels, shape.out_channels, 1, shape.stride)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.path(x) + residual.detach()


class TestShortcut(testing.ShortcutConformance):
    name = "detached"
    caught: ClassVar = {"test_a_network_with_it_trains", "test_it_joins_x_and_f_of_x"}


@register("stem", "centring")
class Centring(Stem):
    """Changes the images that other arms and the next epoch see, too."""

    def __init__(self, parts: Parts, out_channels: int, order: Order) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv = nn.Conv2d(parts.channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.detach().sub_(0.5))


class TestStem(testing.StemConformance):
    name = "centring"
    caught: ClassVar = {
        "test_images_are_not_changed_in_place",
        "test_gradients_reach_the_image",
        "test_what_others_read_is_not_overwritten",
    }


@register("head", "of_probabilities")
class OfProbabilities(Head):
    """Takes the softmax, which the loss takes again."""

    def __init__(self, parts: Parts, in_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, parts.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(pixel_mean(x)).softmax(dim=1)


class TestHead(testing.HeadConformance):
    name = "of_probabilities"
    caught: ClassVar = {"test_its_outputs_are_logits_and_no_probabilities"}


@register("aux", "for_large_maps")
class ForLargeMaps(Aux):
    """Does without the rounding up of small maps.

    Args:
        parts: the network's parts.
        at: the stages.
        weight: of each loss.
    """

    def __init__(self, parts: Parts, *, at: list[str] | None = None, weight: float = 0.3) -> None:
        super().__init__(parts, at, weight)

    def head(self, in_channels: int) -> nn.Module:
        pool = [nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*pool, nn.Linear(in_channels, self.parts.classes))


class TestAux(testing.AuxConformance):
    name = "for_large_maps"
    caught: ClassVar = {"test_it_takes_maps_of_any_size"}


@register("norm", "over_the_batch")
def over_the_batch(parts: Parts, channels: int) -> nn.Module:
    """Takes the statistics of the batch when it is measured, too."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


class TestNorm(testing.NormConformance):
    name = "over_the_batch"
    caught: ClassVar = {"test_eval_mode_takes_one_image", "test_in_eval_mode_an_image_does_not_depend_on_its_batch"}


@register("act", "inplace")
def inplace(parts: Parts) -> nn.Module:
    """Overwrites what the shortcut is about to read."""
    return nn.ReLU(inplace=True)


class TestAct(testing.ActConformance):
    name = "inplace"
    caught: ClassVar = {"test_its_input_is_not_changed_in_place", "test_values_and_gradients_are_finite"}


SHARED = nn.PReLU()


@register("act", "shared")
def shared(parts: Parts) -> nn.Module:
    """One module, and so one slope, for the whole network, and for the next one."""
    return SHARED


class TestSharedAct(testing.ActConformance):
    name = "shared"
    caught: ClassVar = {"test_each_place_has_a_module_of_its_own"}


@register("init", "from_the_global_stream")
class FromTheGlobalStream(Init):
    """Draws from the stream that everything else draws from."""

    def fill(self, module: nn.Module, name: str, parameter: Tensor, generator: torch.Generator) -> bool:
        nn.init.uniform_(parameter)
        return True


class TestInit(testing.InitConformance):
    name = "from_the_global_stream"
    caught: ClassVar = {
        "test_values_come_from_the_generator_alone",
        "test_what_it_fills_does_not_depend_on_what_was_there",
    }


@register("init", "silent")
class Silent(Init):
    """Does not say what it has filled."""

    def fill(self, module: nn.Module, name: str, parameter: Tensor, generator: torch.Generator) -> Any:
        nn.init.uniform_(parameter, generator=generator)


class TestSilentInit(testing.InitConformance):
    name = "silent"
    caught: ClassVar = {"test_it_says_of_each_parameter_whether_it_fills_it"}


# What a plugin declares that it cannot pass


class TestDeclared(testing.NormConformance):
    name = "over_the_batch"
    caught: ClassVar[set[str]] = set()
    expected_failures: ClassVar = {
        "test_eval_mode_takes_one_image": "it has no running statistics",
        "test_in_eval_mode_an_image_does_not_depend_on_its_batch": "it has no running statistics",
    }


class TestDeclaredForOneCase(testing.AuxConformance):
    name = "for_large_maps"
    caught: ClassVar[set[str]] = set()
    expected_failures: ClassVar = {"test_it_takes_maps_of_any_size[size2]": "it halves maps of one pixel"}


class TestDeclaredAndYetPassed(testing.HeadConformance):
    name = "of_probabilities"
    caught: ClassVar = {"test_gradients_reach_the_maps"}
    expected_failures: ClassVar = {
        "test_its_outputs_are_logits_and_no_probabilities": "it takes the softmax",
        "test_gradients_reach_the_maps": "they do",
    }

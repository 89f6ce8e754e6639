"""The parts of a network, as the kinds of plugins that build them.

A residual unit is x_{l+1} = f(h(x_l) + F(x_l)) (He et al. 2016, arXiv 1603.05027, eq. 1 and 2): a *block* gives the
weight layers of F, a *shortcut* gives h and the addition, an *order* puts norm and activation around them and gives f.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from ablate import registry
from ablate.errors import InputError
from ablate.interfaces.branch_end import mark_branch_end
from ablate.registry.kinds import KINDS

MOST_CHANNELS = 2**24  # far beyond any machine's memory, and near enough that sizes can be counted


@dataclass(frozen=True)
class Parts:
    """What a backbone is made of: the chosen plugins of a config, and the sizes that all of them share.

    Attributes:
        config: the composed config; `config[kind]` names the plugin of each kind.
        channels: channels of the input images.
        size: height and width of the input images, in pixels.
        classes: number of classes.
        maps: height and width of the feature maps that the head gets, where the family says so.
    """

    config: Mapping[str, Any]
    channels: int
    size: tuple[int, int]
    classes: int
    maps: tuple[int, int] | None = None

    @property
    def depth(self) -> int | None:
        """Number of weight layers asked for, where the family has a choice."""
        return cast("int | None", self.config["depth"])

    @property
    def width(self) -> float:
        """Factor on every channel count of the family."""
        return float(self.config["width"])

    def scaled(self, channels: int, divisor: int = 1) -> int:
        """`channels` times the width factor, as the nearest positive multiple of `divisor`.

        Raises:
            InputError: `channels` or `divisor` is below 1, the width factor is not above 0, or the product is beyond
                what any machine can hold.
        """
        if channels < 1 or divisor < 1:
            raise InputError(f"a number of channels or groups must be at least 1, not {min(channels, divisor)}")
        if self.width <= 0:
            raise InputError(f"width is a factor on channel counts and must be above 0, not {self.width:g}")
        if channels * self.width > MOST_CHANNELS:
            wanted = f"{channels * self.width:,.0f} channels in place of {channels}"
            raise InputError(f"width={self.width:g} makes {wanted}; {MOST_CHANNELS:,} are the most")
        return max(1, round(channels * self.width / divisor)) * divisor

    def make(self, kind: str, *args: Any, **given: Any) -> Any:
        """Build the config's plugin of `kind`.

        Args:
            kind: of the part.
            args: what the framework passes to it behind these parts, in the order of the kind's declaration.
            given: the same by name. What the plugin asks for and is not given here is made, where it is a part itself:
                so an order that nobody asks for is not built, and counts as not used.
        """
        node = self.config[kind]
        names = KINDS[kind].passed
        known = {"parts": self, **dict(zip([name for name in names if name != "parts"], args, strict=False)), **given}
        for name in registry.lookup(kind, str(node.get("name"))).asks:
            if name not in known and name in KINDS:
                known[name] = self.make(name)
        return registry.build(kind, node, **known)

    def norm(self, channels: int) -> nn.Module:
        """The chosen normalisation of (N, channels, H, W); see `Norm`."""
        return cast(nn.Module, self.make("norm", channels))

    def act(self) -> nn.Module:
        """The chosen non-linearity; see `Act`."""
        return cast(nn.Module, self.make("act"))

    def sequence(self, channels: int, *kinds: str) -> nn.Sequential:
        """Norms and activations on (N, channels, H, W) in a row, as in `sequence(64, "norm", "act")`."""
        layers = nn.Sequential()
        for kind in kinds:
            layers.add_module(kind, self.norm(channels) if kind == "norm" else self.act())
        return layers


class Norm(Protocol):
    """What makes the normalisations of a network; a function will do. Called as `norm(parts, channels, *, options)`."""

    def __call__(self, parts: Parts, channels: int) -> nn.Module:
        """A module (N, channels, H, W) -> (N, channels, H, W), a new one for each place where a norm stands.

        Where something else reads its input afterwards, as a shortcut may, it must not work in place.

        Raises:
            InputError: it cannot normalise so many channels.
        """


class Act(Protocol):
    """What makes the non-linearities of a network; a function will do. Called as `act(parts, *, options)`."""

    def __call__(self, parts: Parts) -> nn.Module:
        """A module that keeps any shape, a new one for each place where a non-linearity stands.

        Where something else reads its input afterwards, as a shortcut may, it must not work in place.
        """


class Counted(Protocol):
    """A module that says itself what it costs, where its operations would show something else.

    As a layer of few connections does that runs as a full one, with zeros for those that it lacks.
    """

    def multiply_adds(self, x: Tensor, output: Tensor) -> int:
        """Of one call.

        Args:
            x: what it was called with; what else it was called with stands behind it.
            output: what it gave.
        """


@dataclass(frozen=True)
class UnitShape:
    """Where a residual unit stands and what it does to the shape.

    Attributes:
        in_channels: channels of x.
        out_channels: channels of F(x).
        stride: of F; height and width are divided by it and rounded up.
        first: the first unit of the network.
        norm_projection: whether the source of the unit's order puts a norm on projection shortcuts.
    """

    in_channels: int
    out_channels: int
    stride: int = 1
    first: bool = False
    norm_projection: bool = True

    @property
    def widens(self) -> bool:
        """Whether x and F(x) differ in their number of channels."""
        return self.in_channels != self.out_channels

    @property
    def changes(self) -> bool:
        """Whether x and F(x) differ in shape, so that x cannot be added as it is."""
        return self.stride != 1 or self.widens


class Block(abc.ABC):
    """The weight layers of a residual branch F. Built once a network, as `Block(parts, *, options)`."""

    expansion: int = 1
    """Output channels of a unit over the width of its stage."""
    depth: int
    """Weight layers in a unit, as papers count them."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @abc.abstractmethod
    def layers(self, in_channels: int, width: int, stride: int) -> Sequence[nn.Module]:
        """The weight layers of F in order; each has `in_channels` and `out_channels`, the last `width * expansion`.

        Args:
            in_channels: channels of x.
            width: the stage's width.
            stride: the unit's stride; one of the layers carries it.
        """

    def tail(self, channels: int) -> nn.Module | None:
        """What ends F after the order's last layer, on (N, channels, H, W); None for nothing.

        One that leaves zeros as they are keeps F zero where an initialisation starts it there (`ends_branch`).
        """
        return None


class Shortcut(nn.Module):
    """The path beside F and the joining of the two. Built as `Shortcut(parts, shape, *, options)`."""

    @abc.abstractmethod
    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        """h(x) + F(x).

        Args:
            x: (N, C_in, H, W), the unit's input.
            residual: (N, C_out, H / stride, W / stride), F(x).

        Returns:
            (N, C_out, H / stride, W / stride).
        """


class Order(abc.ABC):
    """Where norm and activation stand. Built once a network, as `Order(parts, *, options)`."""

    norm_projection: bool = True
    """Whether the source of this order puts a norm on projection shortcuts."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @abc.abstractmethod
    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        """A residual unit (N, C_in, H, W) -> (N, C_out, H / stride, W / stride) around a block's weight layers.

        By convention F is its submodule `branch`, and the shortcut its submodule `shortcut`: arms that differ in their
        order then share the names of their weights, and so their initial values.
        """

    @abc.abstractmethod
    def after_stem(self, channels: int) -> nn.Module:
        """What follows the convolution of the stem, on (N, channels, H, W)."""

    @abc.abstractmethod
    def after_stages(self, channels: int) -> nn.Module:
        """What follows the last stage, before pooling, on (N, channels, H, W)."""

    def branch(self, layers: Sequence[nn.Module], tail: nn.Module | None, *ending: str) -> nn.Sequential:
        """F: norm and activation between the weight layers (`between`), and behind the last one `ending`.

        Args:
            layers: the block's weight layers; they become conv1, conv2, ….
            tail: what the block puts at the very end, or None.
            ending: the kinds behind the last weight layer, such as "norm", "act".
        """
        branch = nn.Sequential()
        for place, layer in enumerate(layers, start=1):
            branch.add_module(f"conv{place}", layer)
            kinds = ending if place == len(layers) else self.between(layer)
            for kind, module in self.parts.sequence(cast(int, layer.out_channels), *kinds).named_children():
                branch.add_module(f"{kind}{place}", module)
        last = len(layers)
        # Not the activation: one that has weights, as PReLU, gives zeros for zeros whatever they are.
        mark_branch_end([*layers, *(module for name, module in branch.named_children() if name == f"norm{last}")])
        if tail is not None:
            branch.add_module("tail", tail)
        return branch

    def between(self, layer: nn.Module) -> Sequence[str]:
        """The kinds of what stands behind a weight layer of F that is not the last."""
        return ("norm", "act")

    def shortcut(self, shape: UnitShape) -> Shortcut:
        """The chosen shortcut for a unit of this shape, which learns here whether this order norms projections."""
        return cast(Shortcut, self.parts.make("shortcut", replace(shape, norm_projection=self.norm_projection)))


class Stem(nn.Module):
    """The layers before the first stage: (N, C, H, W) -> (N, out_channels, H', W').

    Built as `Stem(parts, out_channels, order, *, options)`; `out_channels` says what a following stage gets.
    """

    out_channels: int


class Head(nn.Module):
    """The classifier: (N, C, H, W) -> (N, classes) logits. Built as `Head(parts, in_channels, *, options)`."""


class Init(abc.ABC):
    """Initial values. Built as `Init(*, options)`."""

    @abc.abstractmethod
    def fill(self, module: nn.Module, name: str, parameter: Tensor, generator: torch.Generator) -> bool:
        """Fill a parameter in place, drawing from `generator` alone.

        Args:
            module: the module that holds it directly.
            name: its full name, such as `stages.stage1.0.branch.conv1.weight`.
            parameter: its values.
            generator: the stream of this parameter.

        Returns:
            False for a parameter that this initialisation says nothing about: it keeps what its module's constructor
            gave it.
        """


def check_image_size(parts: Parts, least: int, what: str) -> None:
    """Refuse images that a network shrinks to nothing.

    Raises:
        InputError: height or width is below `least` pixels.
    """
    if min(parts.size) < least:
        height, width = parts.size
        raise InputError(f"{what} needs images of at least {least}x{least} pixels, not {height}x{width}")

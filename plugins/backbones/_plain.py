"""Layers in a row, without shortcuts: convolution, norm, activation, pooling, and the classifier behind them."""

from dataclasses import replace
from typing import Literal

from torch import nn

from ablate import Head, InputError, Parts

NormPlace = Literal["before_act", "after_act"]
Pool = Literal["max", "avg"]
Size = tuple[int, int]


def conv_layer(
    parts: Parts, conv: nn.Module, channels: int, norm: NormPlace | None = "before_act", *, linear: bool = False
) -> nn.Sequential:
    """A convolution with its activation and norm, as the children `conv`, `act` and `norm`.

    Args:
        parts: the network's parts.
        conv: (N, C_in, H, W) -> (N, channels, H', W').
        channels: of its output.
        norm: where the norm stands; None for no norm.
        linear: there is no activation.
    """
    layer = nn.Sequential()
    layer.add_module("conv", conv)
    for kind in ("norm", "act") if norm == "before_act" else ("act", "norm"):
        if kind == "act":
            layer.add_module("act", nn.Identity() if linear else parts.act())
        elif norm is not None:
            layer.add_module("norm", parts.norm(channels))
    return layer


def check_numbers(option: str, numbers: list[int] | None, convolutions: int) -> set[int]:
    """The convolutions that an option of the backbone names by their numbers, from 1 on; all of them for None.

    Raises:
        InputError: a number that no convolution has.
    """
    known = set(range(1, convolutions + 1))
    chosen = known if numbers is None else set(numbers)
    if chosen - known:
        wrong = ", ".join(map(str, sorted(chosen - known)))
        raise InputError(f"backbone.{option} numbers the convolutions from 1 to {convolutions}, not {wrong}")
    return chosen


def pooling(kind: Pool, size: int = 2, *, ceil: bool = False) -> nn.Module:
    """Pooling of windows of `size` at stride 2; with `ceil` a last window may stand over the border."""
    return nn.MaxPool2d(size, 2, ceil_mode=ceil) if kind == "max" else nn.AvgPool2d(size, 2, ceil_mode=ceil)


def make_head(parts: Parts, channels: int, maps: Size) -> Head:
    """The chosen head on (N, channels, *maps): the size of its images is that of these maps."""
    head: Head = replace(parts, size=maps).make("head", channels)
    return head

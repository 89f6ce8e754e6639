"""VGG networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar

from torch import nn

from ablate import Backbone, InputError, Parts, check_image_size, register

from ._plain import NormPlace, check_numbers, conv_layer, make_head, pooling

# Simonyan and Zisserman 2014, Table 1: the 3x3 convolutions of each stage in nets A, B, D and E; by the weight layers.
LAYOUTS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)
STAGES = len(CHANNELS)
THIRD = 2  # place, from 0 on, of the first convolution of a stage that net B has not


@dataclass(frozen=True)
class Layer:
    """A convolution with what follows it.

    Attributes:
        kernel: height and width.
        norm: where its norm stands; None for no norm.
        linear: it has no activation.
    """

    kernel: int
    norm: NormPlace | None
    linear: bool


@register("backbone", "vgg")
class VGG(Backbone):
    """Five stages of 3x3 convolutions and max pooling, dense layers (Simonyan and Zisserman 2014, arXiv 1409.1556).

    Args:
        kernel: 3, or an odd size whose convolutions replace as many 3x3 ones as see the same: 5 two of them, as in the
            shallow twin of net B (section 4.1), 7 three. What does not fill a group stays 3x3.
        pointwise: the third convolution of a stage, and a fourth, is 1x1: at depth 16 that is net C.
        linear_at: numbers of the convolutions without an activation, as in `depth=13 linear_at=[1,3,5,7,9]`, where the
            first of the two 3x3 that see a 5x5 is linear (Szegedy et al. 2015, arXiv 1512.00567, section 3.1).
        norm_at: numbers of the convolutions that have a norm; null for all. Net A-LRN has one, at 1.
        norm_place: the norm stands "before_act", or "after_act" as that of A-LRN.
        bias: whether convolutions add a bias, with or without a norm.
        full_size: least height and width of images on which all five poolings stand and the head sees the whole image.
            On smaller ones the first poolings are left out as needed, so that the last map keeps a pixel, and the head
            gets the maps at their own size.
    """

    before: ClassVar[dict[str, Any]] = {"pointwise": False, "linear_at": []}

    def __init__(
        self,
        parts: Parts,
        *,
        kernel: int = 3,
        pointwise: bool = False,
        linear_at: list[int] = [],  # noqa: B006 - copied into the config, never changed
        norm_at: list[int] | None = None,
        norm_place: NormPlace = "before_act",
        bias: bool = True,
        full_size: int = 64,
    ) -> None:
        super().__init__(parts)
        layout = _layout(parts.depth)
        kernels = _pointwise(layout, kernel) if pointwise else [list(_kernels(layers, kernel)) for layers in layout]
        convolutions = sum(map(len, kernels))
        normed = check_numbers("norm_at", norm_at, convolutions)
        linear = check_numbers("linear_at", linear_at, convolutions)
        small = min(parts.size) < full_size
        if not small:
            check_image_size(parts, 2**STAGES, f"backbone vgg with {STAGES} poolings")
        # Of a side of 2^n pixels n halvings leave one.
        poolings = min(STAGES, min(parts.size).bit_length() - 1)
        inside, numbers = parts.channels, count(1)
        for place, sizes in enumerate(kernels, start=1):
            outside = parts.scaled(CHANNELS[place - 1])
            layers = [
                Layer(size, norm_place if number in normed else None, number in linear)
                for size, number in zip(sizes, numbers, strict=False)
            ]
            stage = _convolutions(parts, inside, outside, layers, bias)
            if place > STAGES - poolings:
                stage.add_module("pool", pooling("max"))
            self.add_stage(f"stage{place}", stage, outside)
            inside = outside
        self.attach_aux(parts)
        height, width = parts.size
        self.head = make_head(parts, inside, (height >> poolings, width >> poolings) if small else parts.size)


def _convolutions(parts: Parts, inside: int, outside: int, layers: list[Layer], bias: bool) -> nn.Sequential:
    """These layers in a row, (N, inside, H, W) -> (N, outside, H, W)."""
    stage = nn.Sequential()
    for place, layer in enumerate(layers, start=1):
        conv = nn.Conv2d(inside, outside, layer.kernel, padding=layer.kernel // 2, bias=bias)
        for name, module in conv_layer(parts, conv, outside, layer.norm, linear=layer.linear).named_children():
            stage.add_module(f"{name}{place}", module)
        inside = outside
    return stage


def _layout(depth: int | None) -> tuple[int, ...]:
    if depth not in LAYOUTS:
        nearest = sorted(sorted(LAYOUTS, key=lambda known: abs(known - (depth or 0)))[:2])
        raise InputError(
            f"depth {depth} does not exist: backbone vgg has {', '.join(map(str, LAYOUTS))} layers; "
            f"nearest: {' and '.join(map(str, nearest))}"
        )
    return LAYOUTS[depth]


def _kernels(layers: int, kernel: int) -> Iterator[int]:
    """The kernels of a stage that sees as far as `layers` 3x3 convolutions.

    Raises:
        InputError: the kernel is even or below 3.
    """
    if kernel < 3 or kernel % 2 == 0:
        raise InputError(f"backbone.kernel must be odd and at least 3, not {kernel}")
    replaced = kernel // 2
    yield from [kernel] * (layers // replaced) + [3] * (layers % replaced)


def _pointwise(layout: tuple[int, ...], kernel: int) -> list[list[int]]:
    """The kernels of each stage where what net B has not is 1x1.

    Raises:
        InputError: the net has no such convolutions, or they are to have another kernel as well.
    """
    if kernel != 3:
        raise InputError(f"backbone.pointwise=true and backbone.kernel={kernel} exclude each other")
    if max(layout) <= THIRD:
        raise InputError("backbone.pointwise=true needs stages of three convolutions or more: depth=16 or depth=19")
    return [[3 if place < THIRD else 1 for place in range(layers)] for layers in layout]

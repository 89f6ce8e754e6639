"""VGG networks."""

from collections.abc import Iterator
from itertools import count

from torch import nn

from ablate import Backbone, InputError, Parts, check_image_size, register

from ._plain import NormPlace, check_norm_at, conv_layer, make_head, pooling

# Simonyan and Zisserman 2014, Table 1: the 3x3 convolutions of each stage in nets A, B, D and E; by the weight layers.
LAYOUTS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)
STAGES = len(CHANNELS)


@register("backbone", "vgg")
class VGG(Backbone):
    """Five stages of 3x3 convolutions and max pooling, dense layers (Simonyan and Zisserman 2014, arXiv 1409.1556).

    Args:
        kernel: 3, or an odd size whose convolutions replace as many 3x3 ones as see the same: 5 two of them, as in the
            shallow twin of net B (section 4.1), 7 three. What does not fill a group stays 3x3.
        norm_at: numbers of the convolutions that have a norm; null for all. Net A-LRN has one, at 1.
        norm_place: the norm stands "before_act", or "after_act" as that of A-LRN.
        bias: whether convolutions add a bias, with or without a norm.
        full_size: least height and width of images on which all five poolings stand and the head sees the whole image.
            On smaller ones the first poolings are left out as needed, so that the last map keeps a pixel, and the head
            gets the maps at their own size.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        kernel: int = 3,
        norm_at: list[int] | None = None,
        norm_place: NormPlace = "before_act",
        bias: bool = True,
        full_size: int = 64,
    ) -> None:
        super().__init__(parts)
        kernels = [list(_kernels(layers, kernel)) for layers in _layout(parts.depth)]
        normed = check_norm_at(norm_at, sum(map(len, kernels)))
        small = min(parts.size) < full_size
        if not small:
            check_image_size(parts, 2**STAGES, f"backbone vgg with {STAGES} poolings")
        # Of a side of 2^n pixels n halvings leave one.
        poolings = min(STAGES, min(parts.size).bit_length() - 1)
        inside, numbers = parts.channels, count(1)
        for place, sizes in enumerate(kernels, start=1):
            outside = parts.scaled(CHANNELS[place - 1])
            layers = [(size, norm_place if next(numbers) in normed else None) for size in sizes]
            stage = _convolutions(parts, inside, outside, layers, bias)
            if place > STAGES - poolings:
                stage.add_module("pool", pooling("max"))
            self.add_stage(f"stage{place}", stage, outside)
            inside = outside
        self.attach_aux(parts)
        height, width = parts.size
        self.head = make_head(parts, inside, (height >> poolings, width >> poolings) if small else parts.size)


def _convolutions(
    parts: Parts, inside: int, outside: int, layers: list[tuple[int, NormPlace | None]], bias: bool
) -> nn.Sequential:
    """Convolutions of these kernels and norms in a row, (N, inside, H, W) -> (N, outside, H, W)."""
    stage = nn.Sequential()
    for place, (kernel, norm) in enumerate(layers, start=1):
        conv = nn.Conv2d(inside, outside, kernel, padding=kernel // 2, bias=bias)
        for name, module in conv_layer(parts, conv, outside, norm).named_children():
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

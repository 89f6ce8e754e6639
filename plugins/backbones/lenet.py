"""LeNet-5."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import Backbone, InputError, Parts, check_image_size, register

from ._plain import conv_layer, make_head, pooling
from ._table import INPUTS, OUTPUTS, TableConv

KERNEL = 5


@register("backbone", "lenet")
class LeNet(Backbone):
    """Two 5x5 convolutions, each with a pooling, and dense layers (LeCun et al. 1998, section II.B).

    Its stages are C1, S2, C3 and S4 of the paper; C5, F6 and the output are its head. On 5x5 maps the paper's C5, a
    convolution, is a dense layer.

    Args:
        pool: 2x2 "subsample", the sum times a weight plus a bias for each map, then the activation (the paper); or
            "max" or "avg", without.
        c3: the second convolution sees its input by the paper's "table", which rounds channel counts to multiples of 6
            and 16, or in "full".
        padding: zeros around the input of both convolutions, 0 to 2 pixels: 2 keep its size.
        full_size: least height and width that the first convolution gets: smaller images have a margin of zeros, as
            the paper centres characters of at most 28x28 pixels in fields of 32x32.
    """

    before: ClassVar[dict[str, int]] = {"padding": 0}

    def __init__(
        self,
        parts: Parts,
        *,
        pool: Literal["subsample", "max", "avg"] = "subsample",
        c3: Literal["table", "full"] = "table",
        padding: int = 0,
        full_size: int = 32,
    ) -> None:
        super().__init__(parts)
        if not 0 <= padding <= KERNEL // 2:
            raise InputError(f"backbone.padding must be from 0 to {KERNEL // 2} pixels, not {padding}")
        height, width = (max(side, full_size) for side in parts.size)
        if min(height, width) < _least_size(padding):
            check_image_size(parts, _least_size(padding), f"backbone lenet with full_size={full_size}")
        self.stem = _margin(parts.size, (height, width))
        sparse = c3 == "table"
        first, second = parts.scaled(6, INPUTS if sparse else 1), parts.scaled(16, OUTPUTS if sparse else 1)
        conv1 = nn.Conv2d(parts.channels, first, KERNEL, padding=padding)
        kind = TableConv if sparse else nn.Conv2d
        conv3: nn.Module = kind(first, second, KERNEL, padding=padding)
        self.add_stage("c1", conv_layer(parts, conv1, first), first)
        self.add_stage("s2", SubSampling(first, parts.act()) if pool == "subsample" else pooling(pool), first)
        self.add_stage("c3", conv_layer(parts, conv3, second), second)
        self.add_stage("s4", SubSampling(second, parts.act()) if pool == "subsample" else pooling(pool), second)
        self.attach_aux(parts)
        self.head = make_head(parts, second, (_pooled_twice(height, padding), _pooled_twice(width, padding)))


class SubSampling(nn.Module):
    """LeNet's pooling: f(weight * sum of each 2x2 window + bias), (N, C, H, W) -> (N, C, H // 2, W // 2).

    It starts as the mean: weights 1/4, biases 0.

    Args:
        channels: C; a weight and a bias for each.
        act: f.
    """

    def __init__(self, channels: int, act: nn.Module) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        sums = 4 * F.avg_pool2d(x, 2)  # ONNX knows no divisor_override
        return self.act(self.weight * sums + self.bias)


def _margin(size: tuple[int, int], field: tuple[int, int]) -> nn.Module:
    """Zeros around images of `size` that fill up `field`."""
    if size == field:
        return nn.Identity()
    top, left = ((outer - inner) // 2 for inner, outer in zip(size, field, strict=True))
    return nn.ZeroPad2d((left, field[1] - size[1] - left, top, field[0] - size[0] - top))


def _pooled_twice(side: int, padding: int) -> int:
    for _ in range(2):
        side = (side + 2 * padding - KERNEL + 1) // 2
    return side


def _least_size(padding: int) -> int:
    """Height and width of which the last pooling leaves one pixel."""
    side = 1
    for _ in range(2):
        side = 2 * side + KERNEL - 1 - 2 * padding
    return side

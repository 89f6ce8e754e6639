"""Paths that bring x to the shape of F(x)."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ablate import InputError, Parts, UnitShape, subsampled

Pad = Literal["both", "end"]


class ZeroPad(nn.Module):
    """Every stride-th pixel of x, with channels of zeros added on both sides or at the end."""

    def __init__(self, shape: UnitShape, pad: Pad) -> None:
        super().__init__()
        added = shape.out_channels - shape.in_channels
        if added < 0:
            channels = f"{shape.in_channels} channels to {shape.out_channels}"
            raise InputError(f"zero padding cannot bring {channels}; choose shortcut=projection")
        self.stride = shape.stride
        before = added // 2 if pad == "both" else 0
        self.added = (before, added - before)

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(subsampled(x, self.stride), (0, 0, 0, 0, *self.added))


def zero_padded(shape: UnitShape, pad: Pad = "both") -> nn.Module:
    """The identity, with sub-sampling and zero channels where the shape changes: option A."""
    return ZeroPad(shape, pad) if shape.changes else nn.Identity()


def projected(parts: Parts, shape: UnitShape, *, norm: bool, bias: bool = False) -> nn.Sequential:
    """A 1x1 convolution with the unit's stride, and a norm behind it where wanted."""
    conv = nn.Conv2d(shape.in_channels, shape.out_channels, 1, shape.stride, bias=bias)
    kinds = ("norm",) if norm else ()
    path = nn.Sequential()
    path.add_module("conv", conv)
    for kind, module in parts.sequence(shape.out_channels, *kinds).named_children():
        path.add_module(kind, module)
    return path

"""What the Inception families are made of: convolutions with norm and activation, and branches side by side."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ablate import Parts

Size = int | tuple[int, int]


def conv_unit(
    parts: Parts,
    in_channels: int,
    out_channels: int,
    kernel: Size,
    stride: int = 1,
    padding: Size = 0,
    *,
    linear: bool = False,
) -> nn.Sequential:
    """A convolution, the chosen norm and the chosen activation, as its children `conv`, `norm` and `act`.

    The convolution has a bias only where the norm has no parameters of its own, as with norm=none.

    Args:
        parts: the network's parts.
        in_channels: of the feature maps.
        out_channels: of the convolution, as they are: the width factor is not applied.
        kernel: height and width.
        stride: of both.
        padding: of height and width, in pixels on each side.
        linear: there is no activation.
    """
    norm = parts.norm(out_channels)
    bias = next(norm.parameters(), None) is None
    unit = nn.Sequential()
    unit.add_module("conv", nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=bias))
    unit.add_module("norm", norm)
    unit.add_module("act", nn.Identity() if linear else parts.act())
    return unit


def same(kernel: Size) -> tuple[int, int]:
    """The padding that keeps height and width at stride 1, for odd kernels."""
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    return height // 2, width // 2


def halving(size: int, *, padded: bool) -> nn.MaxPool2d:
    """Max pooling at stride 2: padded by a pixel on each side, or from the first pixel on and rounded up."""
    return nn.MaxPool2d(size, 2, padding=1) if padded else nn.MaxPool2d(size, 2, ceil_mode=True)


@dataclass(frozen=True)
class Conv:
    """A convolution as a paper's table or figure writes it: channels before the width factor.

    Behind a `linear` one stands no activation.
    """

    channels: int
    kernel: Size
    stride: int = 1
    padded: bool = True
    linear: bool = False


class Branches(nn.ModuleDict):
    """Modules on the same input, their outputs concatenated: (N, C, H, W) -> (N, sum of C_out, H', W')."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__(branches)

    def forward(self, x: Tensor) -> Tensor:
        outputs = []  # TorchScript knows no comprehension over modules
        for branch in self.values():
            outputs.append(branch(x))
        return torch.cat(outputs, 1)


def channels_after(module: nn.Module, in_channels: int) -> int:
    """Channels of the output of sequences and branches of convolutions; any other module leaves them as they are."""
    if isinstance(module, nn.Conv2d):
        return module.out_channels
    if isinstance(module, Branches):
        return sum(channels_after(branch, in_channels) for branch in module.values())
    if isinstance(module, nn.Sequential):
        for child in module:
            in_channels = channels_after(child, in_channels)
    return in_channels

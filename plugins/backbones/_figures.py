"""The figures of the Inception papers as data, and the modules that they describe.

A *path* is a row of layers; a *figure* is several paths side by side, concatenated, and may itself stand in a path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ablate import Parts

from ._convolution import Branches, Conv, channels_after, conv_unit, same
from ._factors import ASYMMETRIC, STACKED, first_linear, in_parallel, in_series, joined, square

Valid = partial(Conv, padded=False)
"""A 3x3 convolution that the figures mark V: without padding, so that the map loses a pixel on every side."""


class Pool(Enum):
    """The 3x3 poolings of the figures."""

    MAX = "stride 2, V"
    MAX_FROM_FIRST = "stride 2, from the first pixel on; a last window stands over the border, as in Caffe"
    MAX_SAME = "stride 1"
    AVERAGE = "stride 1, over the pixels of the map and not over its padding"
    AVERAGE_ZEROS = "stride 1, over the pixels of the map and zeros around it"


class MaxPoolFromFirst(nn.Module):
    """3x3 max pooling at stride 2 from the first pixel on, (N, C, H, W) -> (N, C, ceil(H / 2), ceil(W / 2)).

    Caffe's pooling of even maps, without padding, and rounded up: the last window holds the last two pixels. On odd
    maps, which the published networks do not have, Caffe leaves out the last pixel's window, and the map would not fit
    a padded convolution's beside it: here it stands.
    """

    def forward(self, x: Tensor) -> Tensor:
        down, right = x.shape[-2] % 2, x.shape[-1] % 2
        if down or right:
            x = F.pad(x, (0, right, 0, down), value=float("-inf"))
        return F.max_pool2d(x, 3, 2, ceil_mode=True)


Step = Conv | Pool | Mapping[str, "Path"]
Path = Sequence[Step]
Figure = Mapping[str, Path]
Pairs = Literal["drawn", "series", "parallel"]


@dataclass(frozen=True)
class Drawing:
    """Makes the modules of figures.

    Attributes:
        parts: of the network; their norm and activation follow every convolution.
        asymmetric: whether 1xn and nx1 convolutions stay, or an nxn one stands for each pair.
        stacked: whether two 3x3 convolutions in a row stay, or a 5x5 one stands for them.
        padded: whether what the figures mark V is padded all the same, so that small maps do not vanish.
        strided: whether convolutions and max pooling have their strides; without them max pooling is left out.
        linear_factors: whether the first of two convolutions that a larger one would do for has no activation.
        pairs: how a 1xn and an nx1 convolution stand to each other: as drawn, all in a row, or all side by side.
    """

    parts: Parts
    asymmetric: bool = True
    stacked: bool = True
    padded: bool = False
    strided: bool = True
    linear_factors: bool = False
    pairs: Pairs = "drawn"

    def path(self, in_channels: int, path: Path) -> nn.Sequential:
        """(N, in_channels, H, W) -> (N, C, H', W'), layer after layer."""
        layers = nn.Sequential()
        for step in self._factorised(path):
            layers.append(self._layer(in_channels, step))
            in_channels = channels_after(layers[-1], in_channels)
        return layers

    def figure(self, in_channels: int, figure: Figure) -> Branches:
        """(N, in_channels, H, W) -> (N, sum of C, H', W'), the paths concatenated."""
        return Branches(**{name: self.path(in_channels, path) for name, path in figure.items()})

    def keeping_size(self) -> Drawing:
        """The same without strides and with all padding: maps keep their height and width."""
        return replace(self, padded=True, strided=False)

    def _layer(self, in_channels: int, step: Step) -> nn.Module:
        if isinstance(step, Conv):
            return self._convolution(in_channels, step)
        if isinstance(step, Mapping):
            return self.figure(in_channels, step)
        if step in {Pool.AVERAGE, Pool.AVERAGE_ZEROS}:
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=step is Pool.AVERAGE_ZEROS)
        if step is Pool.MAX_FROM_FIRST:
            return MaxPoolFromFirst()
        if step is Pool.MAX_SAME:
            return nn.MaxPool2d(3, stride=1, padding=1)
        return nn.MaxPool2d(3, stride=2, padding=int(self.padded)) if self.strided else nn.Identity()

    def _convolution(self, in_channels: int, conv: Conv) -> nn.Module:
        # A pixel is lost on every side by the 3x3 kernels of the figures, and so by a 5x5 that stands for a pair.
        lost = 0 if conv.padded or self.padded else 1
        height, width = same(conv.kernel)
        stride = conv.stride if self.strided else 1
        channels = self.parts.scaled(conv.channels)
        padding = (height - lost, width - lost)
        return conv_unit(self.parts, in_channels, channels, conv.kernel, stride, padding, linear=conv.linear)

    def _factorised(self, path: Path) -> Path:
        if not self.stacked:
            path = joined(path, STACKED)
        if not self.asymmetric:
            path = joined([square(step) for step in path], ASYMMETRIC)
        if self.linear_factors:
            path = first_linear(path)
        if self.pairs == "drawn":
            return path
        return in_series(path) if self.pairs == "series" else in_parallel(path)

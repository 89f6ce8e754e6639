"""Concatenation in the place of the addition."""

import torch
from torch import Tensor, nn

from ablate import Parts, Shortcut, UnitShape, register, subsampled

from ._match import projected


@register("shortcut", "concat")
class Concat(Shortcut):
    """W [x, F(x)]: both concatenated, and a 1x1 convolution of them (source 004's reading; DenseNet, arXiv 1608.06993).

    Source 004 says that x and F(x) are concatenated; the papers add them. W = [I, I] would be that addition, and
    W = [V, I] the addition with a projection V of x. x is sub-sampled where F has a stride. The convolution keeps the
    width of the unit, where DenseNet's layers grow; its parameters, as many as option C's and those on F(x), are what
    a comparison at equal parameters has to make up for: `match: params` and a `knob` of the arm.

    Args:
        norm: whether a norm follows the convolution; null does as the source of the order does for projections (v1 yes,
            v2 no).
        bias: whether the convolution adds a bias.
    """

    def __init__(self, parts: Parts, shape: UnitShape, *, norm: bool | None = None, bias: bool = False) -> None:
        super().__init__()
        self.stride = shape.stride
        both = UnitShape(shape.in_channels + shape.out_channels, shape.out_channels)
        norm = shape.norm_projection if norm is None else norm
        self.path: nn.Module = projected(parts, both, norm=norm, bias=bias)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        y: Tensor = self.path(torch.cat([subsampled(x, self.stride), residual], 1))
        return y

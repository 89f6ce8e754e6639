"""The auxiliary classifier of GoogLeNet."""

from typing import Literal

from torch import nn

from ablate import Aux, InputError, Parts, register

from ..backbones._convolution import conv_unit
from ._pool import WindowPool

CHANNELS, HIDDEN, SIDE = 128, 1024, 4


@register("aux", "googlenet")
class GoogLeNet(Aux):
    """Average pooling to 4x4, 1x1 convolution, two dense layers (Szegedy et al. 2014, arXiv 1409.4842, section 5).

    Args:
        at: the stages behind which they stand; null for those that the network's source names.
        weight: of each auxiliary loss, added to the main one.
        pool: "window", means of 5x5 at stride 3 (the paper), where that gives 4x4, as it does from maps of 14x14, and
            adaptive means elsewhere; or "adaptive" always (torchvision).
        dropout: share of the first dense layer's outputs that is dropped.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        at: list[str] | None = None,
        weight: float = 0.3,
        pool: Literal["window", "adaptive"] = "window",
        dropout: float = 0.7,
    ) -> None:
        super().__init__(parts, at, weight)
        if not 0 <= dropout < 1:
            raise InputError(f"aux.dropout is a share from 0 to below 1, not {dropout:g}")
        self.pool = pool
        self.dropout = dropout

    def head(self, in_channels: int) -> nn.Module:
        channels, hidden = self.parts.scaled(CHANNELS), self.parts.scaled(HIDDEN)
        pool: nn.Module = nn.AdaptiveAvgPool2d(SIDE) if self.pool == "adaptive" else WindowPool(SIDE, exact=True)
        head = nn.Sequential()
        head.add_module("pool", pool)
        head.add_module("conv", conv_unit(self.parts, in_channels, channels, 1))
        head.add_module("flat", nn.Flatten())
        head.add_module("fc1", nn.Linear(channels * SIDE**2, hidden))
        head.add_module("act", self.parts.act())
        head.add_module("dropout", nn.Dropout(self.dropout))
        head.add_module("fc2", nn.Linear(hidden, self.parts.classes))
        return head

"""The auxiliary classifier of Inception v3."""

from torch import nn

from ablate import Aux, Parts, register

from ..backbones._convolution import conv_unit
from ._pool import WindowPool

CHANNELS, WIDE, KERNEL = 128, 768, 5


@register("aux", "inception_v3")
class InceptionV3(Aux):
    """5x5 means at stride 3, 1x1 and 5x5 convolution, linear (Szegedy et al. 2015, arXiv 1512.00567, Fig. 8).

    The 5x5 convolution is torchvision's; it needs maps of 17x17 or more, and smaller ones are pooled adaptively to 5x5.

    Args:
        at: the stages behind which they stand; null for those that the network's source names.
        weight: of each auxiliary loss, added to the main one.
    """

    def __init__(self, parts: Parts, *, at: list[str] | None = None, weight: float = 0.3) -> None:
        super().__init__(parts, at, weight)

    def head(self, in_channels: int) -> nn.Module:
        channels, wide = self.parts.scaled(CHANNELS), self.parts.scaled(WIDE)
        head = nn.Sequential()
        head.add_module("pool", WindowPool(KERNEL, exact=False))
        head.add_module("conv1", conv_unit(self.parts, in_channels, channels, 1))
        head.add_module("conv2", conv_unit(self.parts, channels, wide, KERNEL))
        head.add_module("mean", nn.AdaptiveAvgPool2d(1))
        head.add_module("flat", nn.Flatten())
        head.add_module("fc", nn.Linear(wide, self.parts.classes))
        return head

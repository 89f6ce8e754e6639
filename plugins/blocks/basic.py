"""The block of ResNet-18 and -34 and of the CIFAR networks."""

from typing import ClassVar

from torch import nn

from ablate import Block, Parts, register

from ._options import Bias


class Dropped(nn.Identity):
    """What is left of a convolution whose output is thrown away: its input, (N, C, H, W) as it is."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_channels = self.out_channels = channels


@register("block", "basic")
class Basic(Block):
    """Two 3x3 convolutions, the first with the stride (He et al. 2015, arXiv 1512.03385, Fig. 5 left).

    Args:
        bias: which of the convolutions add a bias: "none", as a norm follows; the "last" one; or "all".
        drop_second: the second convolution is left out, and what stands around it stays: source 003's code as it is
            written, which computes that convolution and goes on with its input.
    """

    depth = 2
    before: ClassVar[dict[str, bool]] = {"drop_second": False}

    def __init__(self, parts: Parts, *, bias: Bias = "none", drop_second: bool = False) -> None:
        super().__init__(parts)
        self.bias = bias
        self.drop_second = drop_second

    def layers(self, in_channels: int, width: int, stride: int) -> list[nn.Module]:
        first = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=self.bias == "all")
        if self.drop_second:
            return [first, Dropped(width)]
        return [first, nn.Conv2d(width, width, 3, padding=1, bias=self.bias != "none")]

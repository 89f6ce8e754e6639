"""The block of ResNet-18 and -34 and of the CIFAR networks."""

from torch import nn

from ablate import Block, Parts, register

from ._options import Bias


@register("block", "basic")
class Basic(Block):
    """Two 3x3 convolutions, the first with the stride (He et al. 2015, arXiv 1512.03385, Fig. 5 left).

    Args:
        bias: which of the convolutions add a bias: "none", as a norm follows; the "last" one; or "all".
    """

    depth = 2

    def __init__(self, parts: Parts, *, bias: Bias = "none") -> None:
        super().__init__(parts)
        self.bias = bias

    def layers(self, in_channels: int, width: int, stride: int) -> list[nn.Module]:
        return [
            nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=self.bias == "all"),
            nn.Conv2d(width, width, 3, padding=1, bias=self.bias != "none"),
        ]

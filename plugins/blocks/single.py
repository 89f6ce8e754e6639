"""The block that He et al. 2015 found to have no advantage."""

from torch import nn

from ablate import Block, Parts, register


@register("block", "single")
class Single(Block):
    """One 3x3 convolution, so that a unit is near y = Wx + x (He et al. 2015, arXiv 1512.03385, section 3.2).

    Args:
        bias: whether the convolution adds a bias.
    """

    depth = 1

    def __init__(self, parts: Parts, *, bias: bool = False) -> None:
        super().__init__(parts)
        self.bias = bias

    def layers(self, in_channels: int, width: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=self.bias)]

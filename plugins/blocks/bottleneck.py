"""The block of ResNet-50 and deeper."""

from torch import nn

from ablate import Block, Parts, register

from ._options import Bias, StrideAt


@register("block", "bottleneck")
class Bottleneck(Block):
    """1x1 down, 3x3, and 1x1 up to four times the width (He et al. 2015, arXiv 1512.03385, Fig. 5 right).

    Args:
        stride_at: the convolution with the stride: the first "1x1" (He's papers) or the "3x3" (torchvision,
            fb.resnet.torch).
        bias: which of the convolutions add a bias: "none", as a norm follows; the "last" one; or "all".
    """

    depth = 3
    expansion = 4

    def __init__(self, parts: Parts, *, stride_at: StrideAt = "1x1", bias: Bias = "none") -> None:
        super().__init__(parts)
        self.stride_at = stride_at
        self.bias = bias

    def layers(self, in_channels: int, width: int, stride: int) -> list[nn.Module]:
        first, second = (stride, 1) if self.stride_at == "1x1" else (1, stride)
        return [
            nn.Conv2d(in_channels, width, 1, first, bias=self.bias == "all"),
            nn.Conv2d(width, width, 3, second, padding=1, bias=self.bias == "all"),
            nn.Conv2d(width, width * self.expansion, 1, bias=self.bias != "none"),
        ]

"""The block of aggregated transformations."""

from typing import ClassVar

from torch import nn

from ablate import Block, InputError, Parts, register

from ._options import Bias, StrideAt


@register("block", "resnext")
class ResNeXt(Block):
    """A bottleneck whose 3x3 convolution is split into paths (Xie et al. 2016, arXiv 1611.05431, Fig. 3c).

    Args:
        cardinality: number of paths, C in the paper.
        base_width: channels of a path, d in the paper, at a stage of 64 channels; it grows with the stage.
        stride_at: the convolution with the stride: the "3x3" (the paper's code) or the first "1x1".
        bias: which of the convolutions add a bias: "none", as a norm follows; the "last" one; or "all".
    """

    before: ClassVar[dict[str, str]] = {"bias": "none"}

    depth = 3
    expansion = 4

    def __init__(
        self,
        parts: Parts,
        *,
        cardinality: int = 32,
        base_width: int = 4,
        stride_at: StrideAt = "3x3",
        bias: Bias = "none",
    ) -> None:
        super().__init__(parts)
        if cardinality < 1 or base_width < 1:
            raise InputError(f"resnext needs at least 1 path of 1 channel, not {cardinality} of {base_width}")
        self.cardinality = cardinality
        self.base_width = base_width
        self.stride_at = stride_at
        self.bias = bias

    def layers(self, in_channels: int, width: int, stride: int) -> list[nn.Module]:
        first, second = (stride, 1) if self.stride_at == "1x1" else (1, stride)
        # At width 64 a path has its base width; a network that is scaled down keeps its paths, of one channel at least.
        inner = self.cardinality * max(1, round(width * self.base_width / 64))
        return [
            nn.Conv2d(in_channels, inner, 1, first, bias=self.bias == "all"),
            nn.Conv2d(inner, inner, 3, second, padding=1, groups=self.cardinality, bias=self.bias == "all"),
            nn.Conv2d(inner, width * self.expansion, 1, bias=self.bias != "none"),
        ]

"""The stem of GoogLeNet and of Inception v2."""

from typing import ClassVar

from torch import Tensor, nn

from ablate import InputError, Parts, Stem, check_image_size, register

from ..backbones._convolution import conv_unit, halving

# These leave 4x4 pixels behind the stem, from which the poolings of GoogLeNet's stages make one.
LEAST_FULL_SIZE = 31


@register("stem", "googlenet")
class GoogLeNetStem(Stem):
    """7x7, 1x1, 3x3 convolution, pooling behind the first and last (Szegedy et al. 2014, arXiv 1409.4842, Table 1).

    Args:
        lrn: local response normalisation behind the first pooling and before the second (Figure 3), with the values of
            Caffe's model of the paper.
        multiplier: depthwise channels that each channel of the image gets in a separable first convolution (Ioffe and
            Szegedy 2015, arXiv 1502.03167, appendix: 8); 0 for an ordinary one.
        padded_pools: the poolings are padded by a pixel on each side (source 001); else they begin at the first pixel
            and are rounded up (Caffe's model of the paper, torchvision).
        full_size: least height and width of images that are shrunk so; on smaller ones the first convolution, of the
            same weights, has stride 1 and there is no pooling.
    """

    before: ClassVar[dict[str, bool]] = {"padded_pools": False}

    def __init__(
        self,
        parts: Parts,
        out_channels: int,
        *,
        lrn: bool = True,
        multiplier: int = 0,
        padded_pools: bool = False,
        full_size: int = 64,
    ) -> None:
        super().__init__()
        small = min(parts.size) < full_size
        if not small:
            check_image_size(parts, LEAST_FULL_SIZE, f"stem googlenet with full_size={full_size}")
        self.out_channels = out_channels
        narrow = max(1, out_channels // 3)
        self.conv1 = _first(parts, narrow, multiplier, stride=1 if small else 2)
        self.pool1 = _pool(small, padded_pools)
        self.lrn1 = _lrn(lrn)
        self.conv2 = conv_unit(parts, narrow, narrow, 1)
        self.conv3 = conv_unit(parts, narrow, out_channels, 3, padding=1)
        self.lrn2 = _lrn(lrn)
        self.pool2 = _pool(small, padded_pools)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lrn1(self.pool1(self.conv1(x)))
        return self.pool2(self.lrn2(self.conv3(self.conv2(x))))


def _first(parts: Parts, channels: int, multiplier: int, stride: int) -> nn.Sequential:
    if multiplier < 0:
        raise InputError(f"stem.multiplier must be at least 0, not {multiplier}")
    if multiplier == 0:
        return conv_unit(parts, parts.channels, channels, 7, stride, padding=3)
    spread = parts.channels * multiplier
    unit = conv_unit(parts, spread, channels, 1)
    depthwise = nn.Conv2d(parts.channels, spread, 7, stride, padding=3, groups=parts.channels, bias=False)
    return nn.Sequential(depthwise, *unit)


def _pool(small: bool, padded: bool) -> nn.Module:
    return nn.Identity() if small else halving(3, padded=padded)


def _lrn(wanted: bool) -> nn.Module:
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75) if wanted else nn.Identity()

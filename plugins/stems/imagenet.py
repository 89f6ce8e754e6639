"""The stem for large images."""

from typing import ClassVar

from torch import Tensor, nn

from ablate import InputError, Order, Parts, Stem, register


@register("stem", "imagenet")
class ImageNet(Stem):
    """A 7x7 convolution and 3x3 max pooling, each at stride 2 (He et al. 2015, arXiv 1512.03385, Table 1).

    Args:
        bias: whether the convolution adds a bias.
        full_size: least height and width of images that are shrunk so; on smaller ones the convolution, of the same
            weights, has stride 1 and there is no pooling.
        zero_padded_pool: the pooling's padding counts as zeros (Keras); else only the pixels count.
        ceil_pool: the pooling has no padding and is rounded up: it begins at the first pixel, and its last window
            stands over the border (the authors' Caffe models). Else it is padded by a pixel on each side
            (fb.resnet.torch, torchvision, Keras).
        unpadded_pool: the pooling has no padding and is rounded down (source 000): of 112x112 pixels it leaves 55x55.
    """

    before: ClassVar[dict[str, bool]] = {"ceil_pool": False, "unpadded_pool": False}

    def __init__(
        self,
        parts: Parts,
        out_channels: int,
        order: Order,
        *,
        bias: bool = False,
        full_size: int = 64,
        zero_padded_pool: bool = False,
        ceil_pool: bool = False,
        unpadded_pool: bool = False,
    ) -> None:
        super().__init__()
        forms = {"zero_padded_pool": zero_padded_pool, "ceil_pool": ceil_pool, "unpadded_pool": unpadded_pool}
        chosen = [f"stem.{form}=true" for form, wanted in forms.items() if wanted]
        if len(chosen) > 1:
            raise InputError(f"{' and '.join(chosen)} exclude each other")
        self.out_channels = out_channels
        small = min(parts.size) < full_size
        # Zeros make a difference where no activation precedes the pooling, as in v2: they win over negative values.
        padding: nn.Module = nn.ZeroPad2d(1) if zero_padded_pool else nn.Identity()
        padded = 0 if chosen else 1
        pool = nn.Sequential(padding, nn.MaxPool2d(3, stride=2, padding=padded, ceil_mode=ceil_pool))
        self.conv = nn.Conv2d(parts.channels, out_channels, 7, stride=1 if small else 2, padding=3, bias=bias)
        self.after = order.after_stem(out_channels)
        self.pool = nn.Identity() if small else pool

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.after(self.conv(x)))

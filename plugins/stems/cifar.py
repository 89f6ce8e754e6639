"""The stem for small images."""

from torch import Tensor, nn

from ablate import Order, Parts, Stem, register


@register("stem", "cifar")
class Cifar(Stem):
    """A 3x3 convolution at stride 1 (He et al. 2015, arXiv 1512.03385, section 4.2).

    Args:
        bias: whether the convolution adds a bias.
    """

    def __init__(self, parts: Parts, out_channels: int, order: Order, *, bias: bool = False) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv = nn.Conv2d(parts.channels, out_channels, 3, padding=1, bias=bias)
        self.after = order.after_stem(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.conv(x))

"""No stem."""

from torch import Tensor

from ablate import Order, Parts, Stem, register


@register("stem", "none")
class NoStem(Stem):
    """The image itself goes into the first residual unit."""

    def __init__(self, parts: Parts, out_channels: int, order: Order) -> None:
        super().__init__()
        self.out_channels = parts.channels

    def forward(self, x: Tensor) -> Tensor:
        return x

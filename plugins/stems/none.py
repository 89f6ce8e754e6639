"""No stem."""

from torch import Tensor

from ablate import Parts, Stem, register


@register("stem", "none")
class NoStem(Stem):
    """The image itself goes into the first residual unit."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.out_channels = parts.channels

    def forward(self, x: Tensor) -> Tensor:
        return x

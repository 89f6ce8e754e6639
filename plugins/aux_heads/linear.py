"""The smallest auxiliary classifier."""

from torch import Tensor, nn

from ablate import Aux, Parts, pixel_mean, register


@register("aux", "linear")
class Linear(Aux):
    """The mean over height and width, then a linear layer: linear probes that train (Lee et al. 2014, arXiv 1409.5185).

    Args:
        at: the stages behind which they stand; null for those that the network's source names.
        weight: of each auxiliary loss, added to the main one.
    """

    def __init__(self, parts: Parts, *, at: list[str] | None = None, weight: float = 0.3) -> None:
        super().__init__(parts, at, weight)

    def head(self, in_channels: int) -> nn.Module:
        return Mean(nn.Linear(in_channels, self.parts.classes))


class Mean(nn.Module):
    """A linear layer on the mean over height and width."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(pixel_mean(x))

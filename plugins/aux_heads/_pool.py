"""The average pooling before an auxiliary classifier."""

from torch import Tensor, nn
from torch.nn import functional as F


class WindowPool(nn.Module):
    """Means of 5x5 windows at stride 3 where their map has `least` pixels a side or more, else adaptively to `least`.

    So the papers' form is kept at the papers' image sizes, and smaller maps suit the layers behind all the same.

    Args:
        least: height and width that the layers behind need.
        exact: they take no larger maps either.
    """

    def __init__(self, least: int, *, exact: bool) -> None:
        super().__init__()
        self.least = least
        self.exact = exact

    def forward(self, x: Tensor) -> Tensor:
        sides = [(side - 5) // 3 + 1 for side in x.shape[-2:]]
        fits = all(side == self.least or (side > self.least and not self.exact) for side in sides)
        return F.avg_pool2d(x, 5, 3) if fits else F.adaptive_avg_pool2d(x, self.least)

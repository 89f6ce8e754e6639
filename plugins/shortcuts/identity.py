"""Option A."""

from torch import Tensor

from ablate import Parts, Shortcut, UnitShape, register

from ._match import Pad, zero_padded


@register("shortcut", "identity")
class Identity(Shortcut):
    """x + F(x), x sub-sampled and padded with zero channels where the shape changes: option A of He et al. 2015.

    Args:
        pad: where the zero channels go: on "both" sides (akamaster's code) or at the "end" (fb.resnet.torch).
    """

    def __init__(self, parts: Parts, shape: UnitShape, *, pad: Pad = "both") -> None:
        super().__init__()
        self.path = zero_padded(shape, pad)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.path(x) + residual

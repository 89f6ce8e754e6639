"""Dropout on the shortcut."""

from torch import Tensor, nn

from ablate import InputError, Parts, Shortcut, UnitShape, register

from ._match import Pad, zero_padded


@register("shortcut", "dropout")
class Dropout(Shortcut):
    """Dropout on the identity, which scales it by 1 - rate on average (He et al. 2016, section 3.4 and Fig. 2f).

    Args:
        rate: share of x that is dropped in training.
        pad: where the zero channels go where the shape changes: on "both" sides or at the "end".
    """

    def __init__(self, parts: Parts, shape: UnitShape, *, rate: float = 0.5, pad: Pad = "both") -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise InputError(f"the rate of shortcut dropout must lie in [0, 1), not {rate:g}")
        self.path = zero_padded(shape, pad)
        self.dropout = nn.Dropout(rate)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.dropout(self.path(x)) + residual

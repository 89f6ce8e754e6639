"""Constant scaling."""

from torch import Tensor

from ablate import Parts, Shortcut, UnitShape, register

from ._match import Pad, zero_padded


@register("shortcut", "scaled")
class Scaled(Shortcut):
    """Constant factors on the shortcut and on F (He et al. 2016, arXiv 1603.05027, section 3.1 and Fig. 2b).

    Args:
        scale: factor on x, λ in the paper.
        residual_scale: factor on F(x); the paper has 1, which does not converge well, and 0.5.
        pad: where the zero channels go where the shape changes: on "both" sides or at the "end".
    """

    def __init__(
        self,
        parts: Parts,
        shape: UnitShape,
        *,
        scale: float = 0.5,
        residual_scale: float = 0.5,
        pad: Pad = "both",
    ) -> None:
        super().__init__()
        self.path = zero_padded(shape, pad)
        self.scale = scale
        self.residual_scale = residual_scale

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.scale * self.path(x) + self.residual_scale * residual

"""No shortcut."""

from torch import Tensor

from ablate import Parts, Shortcut, UnitShape, register


@register("shortcut", "none")
class NoShortcut(Shortcut):
    """F(x) alone: a plain network (He et al. 2015, arXiv 1512.03385, section 3.3)."""

    def __init__(self, parts: Parts, shape: UnitShape) -> None:
        super().__init__()

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return residual

"""Options B and C."""

from torch import Tensor, nn

from ablate import Parts, Shortcut, UnitShape, register

from ._match import projected


@register("shortcut", "projection")
class Projection(Shortcut):
    """A 1x1 convolution where the shape changes, x elsewhere: option B of He et al. 2015 (arXiv 1512.03385).

    Args:
        norm: whether a norm follows the convolution; null does as the source of the order does (v1 yes, v2 no).
        bias: whether the convolution adds a bias.
    """

    def __init__(self, parts: Parts, shape: UnitShape, *, norm: bool | None = None, bias: bool = False) -> None:
        super().__init__()
        norm = shape.norm_projection if norm is None else norm
        self.path = projected(parts, shape, norm=norm, bias=bias) if self.projects(shape) else nn.Identity()

    def projects(self, shape: UnitShape) -> bool:
        """Whether a unit of this shape has the convolution."""
        return shape.changes

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.path(x) + residual


@register("shortcut", "projection_all")
class ProjectionAll(Projection):
    """A 1x1 convolution in every unit: option C of He et al. 2015 (arXiv 1512.03385).

    Args:
        norm: whether a norm follows the convolution; null does as the source of the order does (v1 yes, v2 no).
        bias: whether the convolution adds a bias.
    """

    def projects(self, shape: UnitShape) -> bool:
        return True

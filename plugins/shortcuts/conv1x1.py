"""The convolutional shortcut of He et al. 2016."""

from torch import Tensor

from ablate import Parts, Shortcut, UnitShape, register

from ._match import projected


@register("shortcut", "conv1x1")
class Conv1x1(Shortcut):
    """W x + F(x) in every unit, without a norm (He et al. 2016, arXiv 1603.05027, section 3.3 and Fig. 2e).

    Args:
        bias: whether the convolution adds a bias.
    """

    def __init__(self, parts: Parts, shape: UnitShape, *, bias: bool = False) -> None:
        super().__init__()
        self.path = projected(parts, shape, norm=False, bias=bias)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.path(x) + residual

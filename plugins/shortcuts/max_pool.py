"""Sub-sampling by max pooling."""

from torch import Tensor, nn

from ablate import InputError, Parts, Shortcut, UnitShape, register

from ._match import projected


@register("shortcut", "max_pool")
class MaxPool(Shortcut):
    """Max pooling where the size shrinks, then a 1x1 convolution where the channels change (Keras, ResNet v2).

    Args:
        kernel_size: of the pooling, odd; 1 (Keras) takes every stride-th pixel.
        norm: whether a norm follows the convolution; null does as the source of the order does (v1 yes, v2 no).
        bias: whether the convolution adds a bias.
        project_first: the network's first unit has the convolution even where its channels stay the same.
    """

    def __init__(
        self,
        parts: Parts,
        shape: UnitShape,
        *,
        kernel_size: int = 1,
        norm: bool | None = None,
        bias: bool = False,
        project_first: bool = False,
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise InputError(f"the kernel of shortcut max_pool must be odd to keep its place, not {kernel_size}")
        norm = shape.norm_projection if norm is None else norm
        pools = shape.stride > 1
        projects = shape.widens or (project_first and shape.first)
        widening = UnitShape(shape.in_channels, shape.out_channels)
        self.pool = nn.MaxPool2d(kernel_size, shape.stride, kernel_size // 2) if pools else nn.Identity()
        self.path = projected(parts, widening, norm=norm, bias=bias) if projects else nn.Identity()

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.path(self.pool(x)) + residual

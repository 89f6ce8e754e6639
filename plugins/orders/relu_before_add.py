"""The last activation moved into the branch."""

from collections.abc import Sequence

from torch import Tensor, nn

from ablate import Order, Shortcut, UnitShape, register


@register("order", "relu_before_add")
class ReluBeforeAdd(Order):
    """Activation at the end of F, so that F is never negative (He et al. 2016, arXiv 1603.05027, Fig. 4c)."""

    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        return ReluBeforeAddUnit(self.branch(layers, tail, "norm", "act"), self.shortcut(shape))

    def after_stem(self, channels: int) -> nn.Module:
        return self.parts.sequence(channels, "norm", "act")

    def after_stages(self, channels: int) -> nn.Module:
        return nn.Identity()


class ReluBeforeAddUnit(nn.Module):
    """x -> h(x) + F(x), with F ending in norm and activation."""

    def __init__(self, branch: nn.Module, shortcut: Shortcut) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x, self.branch(x))

"""The original residual unit."""

from collections.abc import Sequence

from torch import Tensor, nn

from ablate import Order, Shortcut, UnitShape, register


@register("order", "post")
class Post(Order):
    """Activation after the addition: v1 (He et al. 2015, arXiv 1512.03385, Fig. 2; 2016, arXiv 1603.05027, Fig. 4a)."""

    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        return PostUnit(self.branch(layers, tail, "norm"), self.shortcut(shape), self.parts.act())

    def after_stem(self, channels: int) -> nn.Module:
        # Units take x as the one before them leaves it, activated; for the first one the stem does that.
        return self.parts.sequence(channels, "norm", "act")

    def after_stages(self, channels: int) -> nn.Module:
        return nn.Identity()


class PostUnit(nn.Module):
    """x -> act(h(x) + F(x)), with F ending in a norm."""

    def __init__(self, branch: nn.Module, shortcut: Shortcut, act: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.shortcut(x, self.branch(x)))

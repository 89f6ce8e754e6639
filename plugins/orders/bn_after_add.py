"""The last norm moved behind the addition."""

from collections.abc import Sequence

from torch import Tensor, nn

from ablate import Order, Shortcut, UnitShape, register


@register("order", "bn_after_add")
class BnAfterAdd(Order):
    """Norm and activation after the addition (He et al. 2016, arXiv 1603.05027, Fig. 4b).

    The sum is normalised, so neither of its terms is: projection shortcuts have no norm here.
    """

    norm_projection = False

    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        after = self.parts.sequence(shape.out_channels, "norm", "act")
        return BnAfterAddUnit(self.branch(layers, tail), self.shortcut(shape), after)

    def after_stem(self, channels: int) -> nn.Module:
        return self.parts.sequence(channels, "norm", "act")

    def after_stages(self, channels: int) -> nn.Module:
        return nn.Identity()


class BnAfterAddUnit(nn.Module):
    """x -> act(norm(h(x) + F(x))), with F ending in a weight layer."""

    def __init__(self, branch: nn.Module, shortcut: Shortcut, after: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.shortcut(x, self.branch(x)))

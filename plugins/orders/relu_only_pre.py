"""The activation moved before the weight layers, the norm left behind them."""

from collections.abc import Sequence

from torch import nn

from ablate import Order, Parts, UnitShape, register

from ._preactivation import PreUnit, Shared, is_shared


@register("order", "relu_only_pre")
class ReluOnlyPre(Order):
    """Activation before each weight layer and norm behind it (He et al. 2016, arXiv 1603.05027, Fig. 4d).

    Args:
        shared: units whose shortcut too starts behind the first activation: "changing_and_first", those that change
            the number of channels, and the network's first (the paper); "changing"; "never".
        final: an activation behind the last unit (the paper).
    """

    def __init__(self, parts: Parts, *, shared: Shared = "changing_and_first", final: bool = True) -> None:
        super().__init__(parts)
        self.shared: Shared = shared
        self.final = ("act",) if final else ()

    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        preact = self.parts.sequence(shape.in_channels, "act")
        shared = is_shared(self.shared, shape)
        return PreUnit(preact, self.branch(layers, tail, "norm"), self.shortcut(shape), shared=shared)

    def after_stem(self, channels: int) -> nn.Module:
        # As behind every weight layer; the activation that belongs to it opens the first unit.
        return self.parts.sequence(channels, "norm")

    def after_stages(self, channels: int) -> nn.Module:
        return self.parts.sequence(channels, *self.final)

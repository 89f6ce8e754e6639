"""Full pre-activation."""

from collections.abc import Sequence

from torch import nn

from ablate import Order, Parts, UnitShape, register

from ._preactivation import PreUnit, Shared, is_shared


@register("order", "pre")
class Pre(Order):
    """Norm and activation before each weight layer: v2 (He et al. 2016, arXiv 1603.05027, Fig. 4e and appendix).

    Args:
        shared: units whose shortcut too starts behind the first norm and activation: "changing_and_first", those that
            change the number of channels, and the network's first (the paper); "changing" (kuangliu's code); "never".
        final: norm and activation behind the last unit (the paper; the codes of kuangliu and weiaicunzai have none).
        stem_norm: norm and activation of the stem's own, which the first unit's then repeat.
    """

    # The shortcut is to hand x on unchanged; where it must change its shape, it does that and no more (He's code).
    norm_projection = False

    def __init__(
        self, parts: Parts, *, shared: Shared = "changing_and_first", final: bool = True, stem_norm: bool = False
    ) -> None:
        super().__init__(parts)
        self.shared: Shared = shared
        self.final = ("norm", "act") if final else ()
        self.stem = ("norm", "act") if stem_norm else ()

    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        preact = self.parts.sequence(shape.in_channels, "norm", "act")
        shared = is_shared(self.shared, shape)
        return PreUnit(preact, self.branch(layers, tail), self.shortcut(shape), shared=shared)

    def after_stem(self, channels: int) -> nn.Module:
        # Nothing, as a rule: the first unit norms and activates before its first weight layer.
        return self.parts.sequence(channels, *self.stem)

    def after_stages(self, channels: int) -> nn.Module:
        # The last unit ends in an addition, and its sum has been neither normed nor activated.
        return self.parts.sequence(channels, *self.final)

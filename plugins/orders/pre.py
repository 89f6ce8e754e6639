"""Full pre-activation."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import nn

from ablate import InputError, Order, Parts, UnitShape, register

from ._between import Between, kinds_between
from ._preactivation import PreUnit, Shared, is_shared


@register("order", "pre")
class Pre(Order):
    """Norm and activation before each weight layer: v2 (He et al. 2016, arXiv 1603.05027, Fig. 4e and appendix).

    Args:
        shared: units whose shortcut too starts behind the first norm and activation: "changing_and_first", those that
            change the number of channels, and the network's first (the paper); "changing" (kuangliu's code); "never".
        final: norm and activation behind the last unit (the paper; the codes of kuangliu and weiaicunzai have none).
        stem_norm: norm and activation of the stem's own, which the first unit's then repeat.
        stem_act: an activation of the stem's own, and no norm (source 002).
        final_act: the activation behind the last unit's norm; without it the norm alone stands there (source 002).
        between: what stands behind each weight layer of F but the last: "norm_act" (the paper); "act_after_1x1", a norm
            everywhere and an activation behind 1x1 convolutions alone (source 001, section 5.1, as its code is
            written); or "nothing" (source 000 as its code is written, which computes both and throws them away).
    """

    # The shortcut is to hand x on unchanged; where it must change its shape, it does that and no more (He's code).
    norm_projection = False
    before: ClassVar[dict[str, Any]] = {"stem_act": False, "final_act": True, "between": "norm_act"}

    def __init__(
        self,
        parts: Parts,
        *,
        shared: Shared = "changing_and_first",
        final: bool = True,
        stem_norm: bool = False,
        stem_act: bool = False,
        final_act: bool = True,
        between: Between = "norm_act",
    ) -> None:
        super().__init__(parts)
        if stem_norm and stem_act:
            raise InputError("order.stem_norm=true and order.stem_act=true exclude each other: the first has both")
        self.shared: Shared = shared
        self.choice: Between = between
        self.final = _kinds(norm=final, act=final and final_act)
        self.stem = _kinds(norm=stem_norm, act=stem_norm or stem_act)

    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        preact = self.parts.sequence(shape.in_channels, "norm", "act")
        shared = is_shared(self.shared, shape)
        return PreUnit(preact, self.branch(layers, tail), self.shortcut(shape), shared=shared)

    def between(self, layer: nn.Module) -> Sequence[str]:
        return kinds_between(self.choice, layer)

    def after_stem(self, channels: int) -> nn.Module:
        # Nothing, as a rule: the first unit norms and activates before its first weight layer.
        return self.parts.sequence(channels, *self.stem)

    def after_stages(self, channels: int) -> nn.Module:
        # The last unit ends in an addition, and its sum has been neither normed nor activated.
        return self.parts.sequence(channels, *self.final)


def _kinds(*, norm: bool, act: bool) -> tuple[str, ...]:
    return tuple(kind for kind, wanted in (("norm", norm), ("act", act)) if wanted)

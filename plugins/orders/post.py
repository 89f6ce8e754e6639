"""The original residual unit."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor, nn

from ablate import Order, Parts, Shortcut, UnitShape, register

from ._between import Between, kinds_between

StemLayers = Literal["norm_act", "norm", "act"]


@register("order", "post")
class Post(Order):
    """Activation after the addition: v1 (He et al. 2015, arXiv 1512.03385, Fig. 2; 2016, arXiv 1603.05027, Fig. 4a).

    Args:
        between: what stands behind each weight layer of F but the last: "norm_act" (the paper); "act_after_1x1", a norm
            everywhere and an activation behind 1x1 convolutions alone (source 001, section 5.1, as its code is
            written); or "nothing" (source 000 as its code is written, which computes both and throws them away).
        stem: what follows the stem's convolution: "norm_act" (the paper); the "norm" alone (source 001, section 5.1, as
            its code is written); or the "act" alone (source 002).
    """

    before: ClassVar[dict[str, str]] = {"between": "norm_act", "stem": "norm_act"}

    def __init__(self, parts: Parts, *, between: Between = "norm_act", stem: StemLayers = "norm_act") -> None:
        super().__init__(parts)
        self.choice: Between = between
        self.stem = stem.split("_")

    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        return PostUnit(self.branch(layers, tail, "norm"), self.shortcut(shape), self.parts.act())

    def after_stem(self, channels: int) -> nn.Module:
        # Units take x as the one before them leaves it, activated; for the first one the stem does that.
        return self.parts.sequence(channels, *self.stem)

    def between(self, layer: nn.Module) -> Sequence[str]:
        return kinds_between(self.choice, layer)

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

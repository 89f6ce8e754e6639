"""The unit of the two orders that activate before the weight layers."""

from typing import Literal

from torch import Tensor, nn

from ablate import Shortcut, UnitShape

Shared = Literal["changing_and_first", "changing", "never"]


class PreUnit(nn.Module):
    """x -> h(x) + F(preact(x)), or h(preact(x)) + F(preact(x)) where the pre-activation is shared."""

    def __init__(self, preact: nn.Module, branch: nn.Module, shortcut: Shortcut, *, shared: bool) -> None:
        super().__init__()
        self.preact = preact
        self.branch = branch
        self.shortcut = shortcut
        self.shared = shared

    def forward(self, x: Tensor) -> Tensor:
        h = self.preact(x)
        return self.shortcut(h if self.shared else x, self.branch(h))


def is_shared(rule: Shared, shape: UnitShape) -> bool:
    """Whether this unit's shortcut starts behind its pre-activation."""
    first = rule == "changing_and_first" and shape.first
    return first or (rule != "never" and shape.widens)

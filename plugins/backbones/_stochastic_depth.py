"""Stochastic depth: residual branches that are dropped at random while a network trains."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ablate import InputError

from ..shortcuts.none import NoShortcut

Rule = Literal["paper", "inverted"]
Per = Literal["batch", "image"]


class StochasticDepth(nn.Module):
    """What ends a branch F that is dropped at random: (N, C, H, W) -> (N, C, H, W).

    In training F is 0 with probability `rate`, by the device's own stream, as dropout's. F is computed even then, and
    the norms in it see every batch: a choice that depends on a random number would make a GPU wait for it.

    Args:
        rate: probability that F is dropped.
        rule: "paper": F as it is in training, and times 1 - rate afterwards (equation 5). "inverted": F over 1 - rate
            in training, and as it is afterwards (timm, torchvision).
        per: one draw for a whole "batch" (the paper), or one for each "image" (timm).
    """

    def __init__(self, rate: float, rule: Rule, per: Per) -> None:
        super().__init__()
        self.survival = 1 - rate
        self.rule: Rule = rule
        self.per: Per = per

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x * self.survival if self.rule == "paper" else x
        draws = torch.rand(x.shape[0] if self.per == "image" else 1, 1, 1, 1, device=x.device)
        kept = (draws < self.survival).to(x.dtype)
        return x * (kept if self.rule == "paper" else kept / self.survival)

    def extra_repr(self) -> str:
        return f"rate={1 - self.survival:g}, rule={self.rule}, per={self.per}"


@dataclass(frozen=True)
class DropPath:
    """How the branches of a network are dropped: the rate grows linearly with the unit's place, to `rate` at the last.

    Huang et al. 2016 (arXiv 1603.09382), equation 4: unit l of L is kept with probability 1 - l / L * rate.
    """

    rate: float
    rule: Rule
    per: Per

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise InputError(f"backbone.drop_path is a rate from 0 to below 1, not {self.rate:g}")

    def add_to(self, units: list[nn.Module], order: str) -> None:
        """End the branch of each unit so; names of parameters stay, so that arms share their initial values.

        Args:
            units: of the whole network, from first to last.
            order: the name of their order, for people.

        Raises:
            InputError: a unit has no branch that could be ended, or nothing beside it.
        """
        if self.rate == 0:
            return
        for place, unit in enumerate(units, start=1):
            branch = getattr(unit, "branch", None)
            if not isinstance(branch, nn.Sequential):
                raise InputError(
                    f"backbone.drop_path needs units with a sequence `branch`; those of order={order} have none"
                )
            if isinstance(getattr(unit, "shortcut", None), NoShortcut):
                raise InputError(
                    "backbone.drop_path drops all of the signal with shortcut=none; choose another shortcut"
                )
            rate = self.rate * place / len(units)
            branch.add_module("drop_path", StochasticDepth(rate, self.rule, self.per))

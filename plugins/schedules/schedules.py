"""Learning rates over training: steps and a cosine, each after an optional warm-up."""

import math

from ablate import InputError, Schedule, register


class WarmedUp(Schedule):
    """A schedule that starts low, where training at the full rate would not begin to converge.

    Args:
        warmup_epochs: epochs, with fractions, at the start of which the rate is lowered (He et al. 2015, arXiv
            1512.03385, section 4.2: 400 steps for ResNet-110); 0 for none.
        warmup_factor: what the rate is multiplied by at the start, above 0 and at most 1 (the paper: 0.1).
        warmup_linear: the factor rises along a straight line to 1; else it stays until the warm-up ends (the paper).

    Raises:
        InputError: one of them is out of range.
    """

    def __init__(self, *, warmup_epochs: float = 0.0, warmup_factor: float = 0.1, warmup_linear: bool = False) -> None:
        if warmup_epochs < 0 or not 0 < warmup_factor <= 1:
            raise InputError("schedule: warmup_epochs must be at least 0, and warmup_factor above 0 and at most 1")
        self.warmup_epochs = warmup_epochs
        self.warmup_factor = warmup_factor
        self.warmup_linear = warmup_linear

    def factor(self, progress: float, epoch: float) -> float:
        """The schedule's factor, lowered while warming up."""
        return self.scheduled(progress) * self._warmth(epoch)

    def scheduled(self, progress: float) -> float:
        """The factor without the warm-up."""
        return 1.0

    def _warmth(self, epoch: float) -> float:
        # Counted in epochs and not as a share of the training: how long a network needs to begin does not grow with
        # how long it is trained.
        if epoch >= self.warmup_epochs:
            return 1.0
        if not self.warmup_linear:
            return self.warmup_factor
        return self.warmup_factor + (1 - self.warmup_factor) * epoch / self.warmup_epochs


@register("schedule", "constant")
class Constant(WarmedUp):
    """One rate throughout."""


@register("schedule", "step")
class Step(WarmedUp):
    """The rate times `gamma` at each milestone, given as a share of all steps (He et al. 2015: 32k and 48k of 64k).

    Args:
        milestones: shares of all steps, between 0 and 1, in any order. Shares keep the form of the schedule where a
            scale trains for fewer epochs.
        gamma: what the rate is multiplied by at each of them.
        warmup_epochs: epochs at the start of which the rate is lowered; 0 for none.
        warmup_factor: what the rate is multiplied by at the start.
        warmup_linear: the factor rises along a straight line to 1; else it stays until the warm-up ends.

    Raises:
        InputError: one of them is out of range.
    """

    def __init__(
        self,
        *,
        milestones: list[float] = [0.5, 0.75],  # noqa: B006 - copied into the config, never changed
        gamma: float = 0.1,
        warmup_epochs: float = 0.0,
        warmup_factor: float = 0.1,
        warmup_linear: bool = False,
    ) -> None:
        super().__init__(warmup_epochs=warmup_epochs, warmup_factor=warmup_factor, warmup_linear=warmup_linear)
        if not all(0 < milestone < 1 for milestone in milestones):
            raise InputError(f"schedule.milestones={list(milestones)}: each is a share of all steps, between 0 and 1")
        self.milestones = list(milestones)
        self.gamma = gamma

    def scheduled(self, progress: float) -> float:
        """`gamma` to the number of milestones passed."""
        return float(self.gamma ** sum(progress >= milestone for milestone in self.milestones))


@register("schedule", "cosine")
class Cosine(WarmedUp):
    """Half a cosine from the rate down to zero (Loshchilov and Hutter 2017, SGDR without restarts)."""

    def scheduled(self, progress: float) -> float:
        """(1 + cos(pi progress)) / 2."""
        return (1 + math.cos(math.pi * progress)) / 2

"""Which ways to compute a step are tried, and which one is taken. Nothing is measured here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.errors import InputError
from ablate.training.numerics import COMPILES, PRECISIONS, Numerics

LEAST_GAIN = 1.05  # less is within what two measurements of the same thing differ by
WORTH_COMPILING_S = 120.0  # of training in a cell; a compiler takes some tens of seconds of each process
ROUNDS = 2
HOPELESS = 3.0  # times the first step of the fastest so far; first steps differ by less among those that are worth it
LONG_STEP_S = 1.0  # from here on, what disturbs for a moment weighs little, and one look is enough

Fixed = Mapping[str, Any]  # options of `Numerics` that are not to be picked


@dataclass(frozen=True)
class Trial:
    """A measurement of one candidate.

    Attributes:
        numerics: how the steps were computed.
        step: seconds of one.
        start: seconds that the first ones took beyond that, such as for compiling.
        reason: why it does not run here; empty where it does.
        first: seconds of the first step alone.
        left: it was left after its first step, which took so much longer than that of another: `step` is that.
    """

    numerics: Numerics
    step: float = 0.0
    start: float = 0.0
    reason: str = ""
    first: float = 0.0
    left: bool = False

    def seconds(self, steps: int) -> float:
        """What so many steps take."""
        return self.start + steps * self.step

    def __str__(self) -> str:
        """In words, with milliseconds a step."""
        if self.reason:
            return f"{self.numerics} {self.reason}"
        note = " in its first, and left" if self.left else ""
        return f"{self.numerics} {self.step * 1000:.3g}{note}"


Measure = Callable[[Numerics, Trial | None], Trial]  # with the fastest so far, if any


def pick(fixed: Fixed, steps: int, device: str, measure: Measure) -> tuple[Numerics, list[Trial]]:
    """The way that trains a cell fastest, and the measurements that say so.

    First precision and memory format, eagerly; then the compilers on the best of these, where a cell trains for long
    enough. The plainer of two wins unless the other is faster by `LEAST_GAIN`.

    Args:
        fixed: options that are given.
        steps: optimiser steps of the cell.
        device: such as `cpu` or `cuda:0`.
        measure: takes one measurement, and leaves one that is hopelessly slower than the fastest so far.

    Raises:
        InputError: none of them runs here; says why.
    """
    eager = _rounds(_eager(fixed), measure)
    best = fastest(eager, steps)
    compiled: list[Trial] = []
    if "compile" not in fixed and best.seconds(steps) >= WORTH_COMPILING_S:
        compiled = [measure(numerics, None) for numerics in _compiled(best.numerics, device)]
        best = fastest([best, *compiled], steps)
    return best.numerics, [*eager, *compiled]


def fastest(trials: Sequence[Trial], steps: int) -> Trial:
    """The trial to take, of several in order from the plainest.

    Raises:
        InputError: none of them ran.
    """
    ran = [trial for trial in trials if not trial.reason and not trial.left]
    if not ran:
        reasons = "; ".join(f"{trial.numerics}: {trial.reason}" for trial in trials)
        raise InputError(f"trainer=auto: no way to compute a step runs here: {reasons}")
    best = ran[0]
    for trial in ran[1:]:
        if trial.seconds(steps) * LEAST_GAIN <= best.seconds(steps):
            best = trial
    return best


def _eager(fixed: Fixed) -> list[Numerics]:
    """From the reference on: fp32 before bf16, channels_last before the other format."""
    precisions = [fixed["precision"]] if "precision" in fixed else PRECISIONS
    formats = [fixed["channels_last"]] if "channels_last" in fixed else (True, False)
    compiler = fixed.get("compile", "none")
    return [Numerics(one, form, compiler) for one, form in itertools.product(precisions, formats)]


def _compiled(eager: Numerics, device: str) -> list[Numerics]:
    choices: Collection[str] = COMPILES if device.startswith("cuda") else ("none", "inductor")
    return [Numerics(eager.precision, eager.channels_last, one) for one in choices if one != "none"]


def _rounds(candidates: Sequence[Numerics], measure: Measure) -> list[Trial]:
    """Each candidate's best of several rounds, in alternating order, so that a disturbance does not fall on one."""
    found: dict[Numerics, list[Trial]] = {numerics: [] for numerics in candidates}
    best: Trial | None = None
    for turn in range(ROUNDS):
        for numerics in candidates[:: -1 if turn % 2 else 1]:
            if any(_is_settled(trial) for trial in found[numerics]):
                continue
            trial = measure(numerics, best)
            found[numerics].append(trial)
            if not trial.reason and not trial.left and (best is None or trial.step < best.step):
                best = trial
    return [min(trials, key=lambda trial: (bool(trial.reason), trial.step)) for trials in found.values()]


def is_hopeless(first: float, best: Trial | None) -> bool:
    """Whether a way is to be left after its first step.

    Args:
        first: seconds that this took.
        best: the fastest way so far.
    """
    return best is not None and first > HOPELESS * best.first > 0


def _is_settled(trial: Trial) -> bool:
    """Whether a second look would show nothing else."""
    return bool(trial.reason) or trial.left or trial.step >= LONG_STEP_S

"""What the seeds of a study can show, claim by claim, before they are trained."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.analysis import (
    STATIC,
    Criterion,
    Look,
    contrast_values,
    margin_for_zero,
    smallest_detectable_effect,
    supported_power,
)
from ablate.analysis.finding import tested_margin
from ablate.analysis.statistics import ALPHA, least_seeds
from ablate.config.schema import Claim
from ablate.study.seeds import Seeds

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analysis.cells import Grid


@dataclass(frozen=True)
class ClaimPower:
    """What the study can show of a claim.

    Attributes:
        claim: its ID.
        metric: what it is about.
        scale: of the claim: difference or ratio.
        expect: the verdict's condition: positive, negative or zero.
        margin: the smallest difference that matters, in the metric's unit.
        seeds: paired seeds, at most.
        looks: planned looks at the study; empty for one.
        level: at which Holm tests it where every other claim of the study is less clear.
        effect: the smallest true effect that is seen with 80 % power, in standard deviations of the paired values;
            where none is expected, the smallest margin at which a true zero is `supported` with that power. None where
            no number of these seeds shows any.
        sd: standard deviation of the paired values so far, in the metric's unit (of their logarithms for a ratio);
            None for fewer than two.
        static: a property of the networks, which needs no seeds.
        supported: chance of the verdict `supported` under `truth`; None where nothing can be shown.
        truth: what that supposes, in words.
        at_margin: chance of `supported` where the true effect is just the margin: about one half at most. None where
            the spread is not known, there is no margin, or no effect is expected.
        least: seeds from which the exact sign-flip can reach 0.05, after Holm and over the looks.
    """

    claim: str
    metric: str
    scale: str
    expect: str
    margin: float
    seeds: int
    looks: tuple[int, ...]
    level: float
    effect: float | None
    sd: float | None
    static: bool
    supported: float | None
    truth: str
    at_margin: float | None
    least: int

    @property
    def in_unit(self) -> float | None:
        """`effect` in the metric's unit, or as a relative change for a ratio, where the spread is known."""
        if self.effect is None or self.sd is None:
            return None
        return math.expm1(self.effect * self.sd) if self.scale == "ratio" else self.effect * self.sd


def claim_powers(
    claims: list[Claim], seeds: Seeds, frame: pd.DataFrame | None, grid: Grid | None = None
) -> list[ClaimPower]:
    """The power of each claim.

    Args:
        claims: of the study.
        seeds: of it; where it is looked at several times, those of its last look.
        frame: what is stored of it, one row a cell; None where nothing is.
        grid: of the study: the order of a trend's values.
    """
    # Holm tests the clearest claim at alpha / m and the others at more: with this level none is promised too much.
    level = ALPHA / max(1, sum(claim.metric not in STATIC for claim in claims))
    return [_power(claim, seeds, level, None if frame is None else _spread(frame, claim, grid)) for claim in claims]


def _power(claim: Claim, seeds: Seeds, level: float, sd: float | None) -> ClaimPower:
    n, looks = len(seeds.values), seeds.looks
    static = claim.metric in STATIC
    smallest = margin_for_zero if claim.expect == "zero" else smallest_detectable_effect
    effect = math.inf if static else smallest(n, alpha=level, looks=looks)
    supported, truth = (None, "") if static or n < 2 else _expected(claim, seeds, level, sd)
    has_margin = claim.margin > 0 and claim.expect != "zero" and bool(sd)
    return ClaimPower(
        claim=claim.id,
        metric=claim.metric,
        scale=claim.scale,
        expect=claim.expect,
        margin=claim.margin,
        seeds=n,
        looks=looks,
        level=level,
        effect=effect if math.isfinite(effect) else None,
        sd=sd,
        static=static,
        supported=supported,
        truth=truth,
        at_margin=_chance(claim, seeds, level, sd or 1.0, 1.0) if has_margin and supported is not None else None,
        least=least_seeds(Look(n, looks).level(level)),
    )


def _expected(claim: Claim, seeds: Seeds, level: float, sd: float | None) -> tuple[float, str]:
    """The chance of `supported`, and for which truth: by the stored spread, or by one in units of the spread."""
    n, looks = len(seeds.values), seeds.looks
    if claim.expect == "zero":
        margin = tested_margin(claim) / sd if sd else 1.0
        text = "a true zero" if sd else "a true zero, were the margin one standard deviation"
        return supported_power(n, 0.0, 1.0, Criterion("zero", margin, level), looks), text
    if sd and claim.margin:
        return _chance(claim, seeds, level, sd, 2.0), "a true effect of twice the margin"
    criterion = Criterion("positive", alpha=level)
    text = "a true effect of one standard deviation"
    return supported_power(n, 1.0, 1.0, criterion, looks), f"{text}, if far beyond the margin" if claim.margin else text


def _chance(claim: Claim, seeds: Seeds, level: float, sd: float, times: float) -> float:
    """The chance of `supported` for a true effect of so many margins, of the expected sign."""
    margin = tested_margin(claim)
    criterion = Criterion("positive", margin, level)
    return supported_power(len(seeds.values), times * margin, sd, criterion, seeds.looks)


def _spread(frame: pd.DataFrame, claim: Claim, grid: Grid | None) -> float | None:
    if claim.metric not in frame:
        return None
    values = [value for value in contrast_values(frame, claim, grid).values.values() if math.isfinite(value)]
    return statistics.stdev(values) if len(values) > 1 else None

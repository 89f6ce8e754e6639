"""What the seeds of a study can show, claim by claim, before they are trained."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.analysis import STATIC, contrast_values, smallest_detectable_effect
from ablate.analysis.statistics import ALPHA
from ablate.config.schema import Claim
from ablate.study.seeds import Seeds

if TYPE_CHECKING:
    import pandas as pd

# 2 / 2**n is the least p of an exact two-sided sign-flip test over n seeds: 0.0625 for 5, 0.03 for 6.
LEAST_SIGN_FLIP = 6


@dataclass(frozen=True)
class ClaimPower:
    """What the study can show of a claim.

    Attributes:
        claim: its ID.
        metric: what it is about.
        scale: of the claim: difference or ratio.
        margin: the smallest difference that matters, in the metric's unit.
        seeds: paired seeds, at most.
        looks: planned looks at the study; empty for one.
        level: at which Holm tests it where every other claim of the study is less clear.
        effect: the smallest true effect that is seen with 80 % power, in standard deviations of the paired values;
            None where no number of these seeds shows any.
        sd: standard deviation of the paired values so far, in the metric's unit (of their logarithms for a ratio);
            None for fewer than two.
        static: a property of the networks, which needs no seeds.
    """

    claim: str
    metric: str
    scale: str
    margin: float
    seeds: int
    looks: tuple[int, ...]
    level: float
    effect: float | None
    sd: float | None
    static: bool

    @property
    def in_unit(self) -> float | None:
        """`effect` in the metric's unit, or as a relative change for a ratio, where the spread is known."""
        if self.effect is None or self.sd is None:
            return None
        return math.expm1(self.effect * self.sd) if self.scale == "ratio" else self.effect * self.sd


def claim_powers(claims: list[Claim], seeds: Seeds, frame: pd.DataFrame | None) -> list[ClaimPower]:
    """The power of each claim.

    Args:
        claims: of the study.
        seeds: of it; where it is looked at several times, those of its last look.
        frame: what is stored of it, one row a cell; None where nothing is.
    """
    # Holm tests the clearest claim at alpha / m and the others at more: with this level none is promised too much.
    level = ALPHA / max(1, sum(claim.metric not in STATIC for claim in claims))
    found = smallest_detectable_effect(len(seeds.values), alpha=level, looks=seeds.looks)
    effect = found if math.isfinite(found) else None
    return [
        ClaimPower(
            claim=claim.id,
            metric=claim.metric,
            scale=claim.scale,
            margin=claim.margin,
            seeds=len(seeds.values),
            looks=seeds.looks,
            level=level,
            effect=effect,
            sd=None if frame is None else _spread(frame, claim),
            static=claim.metric in STATIC,
        )
        for claim in claims
    ]


def _spread(frame: pd.DataFrame, claim: Claim) -> float | None:
    if claim.metric not in frame:
        return None
    values = [value for value in contrast_values(frame, claim).values.values() if math.isfinite(value)]
    return statistics.stdev(values) if len(values) > 1 else None

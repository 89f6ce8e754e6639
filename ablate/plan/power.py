"""What the seeds of a study can show, claim by claim, before they are trained."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.analysis import contrast_values, smallest_detectable_effect
from ablate.analysis.contrast import NETWORK_PROPERTIES
from ablate.analysis.statistics import ALPHA
from ablate.schema import Claim

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
        margin: the smallest difference that matters, in the metric's unit.
        seeds: paired seeds.
        level: at which Holm tests it where every other claim of the study is less clear.
        effect: the smallest true effect that is seen with 80 % power, in standard deviations of the paired values;
            None where no number of these seeds shows any.
        sd: standard deviation of the paired values so far, in the metric's unit; None for fewer than two.
        static: a property of the networks, which needs no seeds.
    """

    claim: str
    metric: str
    margin: float
    seeds: int
    level: float
    effect: float | None
    sd: float | None
    static: bool

    @property
    def in_unit(self) -> float | None:
        """`effect` in the metric's unit, where the spread is known."""
        return None if self.effect is None or self.sd is None else self.effect * self.sd


def claim_powers(claims: list[Claim], seeds: int, frame: pd.DataFrame | None) -> list[ClaimPower]:
    """The power of each claim.

    Args:
        claims: of the study.
        seeds: how many it has.
        frame: what is stored of it, one row a cell; None where nothing is.
    """
    level = ALPHA / max(1, len(claims))
    found = smallest_detectable_effect(seeds, alpha=level)
    effect = found if math.isfinite(found) else None
    return [
        ClaimPower(
            claim=claim.id,
            metric=claim.metric,
            margin=claim.margin,
            seeds=seeds,
            level=level,
            effect=effect,
            sd=None if frame is None else _spread(frame, claim),
            static=claim.metric in NETWORK_PROPERTIES,
        )
        for claim in claims
    ]


def _spread(frame: pd.DataFrame, claim: Claim) -> float | None:
    if claim.metric not in frame:
        return None
    values = [value for value in contrast_values(frame, claim).values.values() if math.isfinite(value)]
    return statistics.stdev(values) if len(values) > 1 else None

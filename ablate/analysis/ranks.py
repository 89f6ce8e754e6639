"""Tests by order alone, for values some of which are infinite: the signed ranks of pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ablate.analysis.rounding import RELATIVE, settled
from ablate.analysis.statistics import FloatArray


@dataclass(frozen=True)
class RankTest:
    """What ranks say of a hypothesis.

    Attributes:
        p: two-sided.
        direction: 1 or -1, the side of the hypothesis on which the ranks lie; 0 where they are balanced.
    """

    p: float
    direction: int


def signed_rank(values: ArrayLike, margin: float = 0.0) -> RankTest:
    """Exact signed-rank test that values lie within ±margin (margin 0: that they centre on zero), with its direction.

    Only order counts, so infinite values (diverged cells) take part as the farthest, tied among themselves. Ties share
    their mean rank and zeros are dropped; the distribution is exact with ties too, for any n (Wilcoxon 1945,
    "Individual Comparisons by Ranking Methods", Biometrics Bulletin 1). Values that differ by rounding alone are ties.

    Args:
        values: shape (n,); p is NaN where there are none.
        margin: values are tested against the near end of ±margin, and the smaller p of the two sides is doubled.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0:
        return RankTest(math.nan, 0)
    errors = RELATIVE * (np.abs(np.where(np.isfinite(data), data, 0.0)) + margin)
    above, below = _rank_p_above(settled(data - margin, errors)), _rank_p_above(settled(-data - margin, errors))
    return RankTest(min(1.0, 2 * min(above, below)), int(above < below) - int(below < above))


def signed_rank_p(values: ArrayLike, margin: float = 0.0) -> float:
    """The two-sided p of `signed_rank`."""
    return signed_rank(values, margin).p


def pseudomedian(values: ArrayLike) -> float | None:
    """The median of the means of all pairs of values, each with itself too: the effect that signed ranks estimate.

    (Hodges and Lehmann 1963, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34.) A
    pair of plus and minus infinity is a tie and stands at zero, as in the ranks.

    Returns:
        Infinite where that many values are; None where it would be such a tie, or lie between the two infinities, or
        there are no values.
    """
    data = np.asarray(values, dtype=np.float64)
    if not data.size:
        return None
    with np.errstate(invalid="ignore"):
        means = (data[:, None] / 2 + data / 2)[np.triu_indices(data.size)]
    order = np.argsort(np.nan_to_num(means, nan=0.0, posinf=np.inf, neginf=-np.inf), kind="stable")
    low, high = means[order[(means.size - 1) // 2]], means[order[means.size // 2]]
    if math.isnan(low) or math.isnan(high) or (low == -math.inf and high == math.inf):
        return None
    return float(low if low == high else low / 2 + high / 2)


def _rank_p_above(values: FloatArray) -> float:
    """One-sided p: the chance that random signs give a positive rank sum of at least the one seen."""
    moved = values[values != 0]
    doubled = np.rint(2 * pd.Series(np.abs(moved)).rank().to_numpy()).astype(int)  # mean ranks are halves
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for rank in doubled:
        flipped = np.zeros_like(chance)
        flipped[rank:] = chance[:-rank]
        chance = (chance + flipped) / 2
    return float(chance[int(doubled[moved > 0].sum()) :].sum())

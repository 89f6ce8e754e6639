"""The one rule from figures to verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablate.analysis.statistics import ALPHA

SIGNS = {"positive": 1, "negative": -1, "zero": 0}


@dataclass(frozen=True)
class Criterion:
    """What a claim is held against.

    Attributes:
        expect: `positive`, `negative` or `zero`.
        margin: the smallest difference that matters, in the metric's unit.
        alpha: level of the study; intervals are 1 - alpha.
        tests: tested claims of the study, over which Holm adjusts.
    """

    expect: str
    margin: float = 0.0
    alpha: float = ALPHA
    tests: int = 1

    @property
    def tested_margin(self) -> float:
        """The hypothesis of no difference is "within ±this": zero itself where a sign is expected."""
        return self.margin if self.expect == "zero" else 0.0


def decide(
    criterion: Criterion, effect: ArrayLike, p_difference: ArrayLike, p_equivalence: ArrayLike
) -> NDArray[np.str_]:
    """The verdict on a claim, elementwise over studies.

    In this order, where "inside" is `p_equivalence < alpha / 2` (the 1 - alpha interval lies within ±margin) and
    "excluded" is `p_difference < alpha` (Holm-adjusted):

    - sign expected, inside: `equivalent`. This comes first, also where zero is excluded on either side: a difference
      proven to be smaller than what matters supports nobody.
    - sign expected, excluded: `supported` on the expected side if the effect reaches the margin; `contradicted` on the
      other side, at any size.
    - zero expected: `supported` when inside; `contradicted` when excluded, where the hypothesis excluded is not "zero"
      but "within ±margin".
    - else `inconclusive`.

    A false `supported` or `contradicted` of an expected sign happens in at most alpha of studies (Holm). `equivalent`,
    and `supported` for an expected zero, err in at most alpha / 2 of claims whose true effect is at the margin or
    beyond; this is per claim and not adjusted.

    Args:
        criterion: what the claim expects; the p values come adjusted, so `tests` is not read.
        effect: the observed effect.
        p_difference: adjusted p of a true effect within ±`criterion.tested_margin`. NaN excludes nothing.
        p_equivalence: p of a true effect outside ±margin, by two one-sided tests. NaN excludes nothing.
    """
    sign = SIGNS[criterion.expect]
    inside = np.asarray(p_equivalence) < criterion.alpha / 2
    excluded = np.asarray(p_difference) < criterion.alpha
    if sign == 0:
        return np.asarray(np.select([inside, excluded], ["supported", "contradicted"], "inconclusive"))
    toward = sign * np.asarray(effect)
    reaches = (toward > 0) & (toward >= criterion.margin * (1 - 1e-9))  # 0.30 - 0.25 is below 0.05 in floating point
    outcomes = {"equivalent": inside, "supported": excluded & reaches, "contradicted": excluded & (toward < 0)}
    return np.asarray(np.select(list(outcomes.values()), list(outcomes), "inconclusive"))

"""The one rule from figures to verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablate.analysis.rounding import RELATIVE
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


@dataclass(frozen=True)
class Reading:
    """What the figures of a claim show, elementwise over studies: what decides the verdict, and what its words say.

    Attributes:
        inside: an effect within ±margin is shown.
        excluded: an effect other than zero is shown; where none is expected, one beyond the margin.
        toward: 1 where the test lies on the expected side, -1 on the other, 0 on neither; where none is expected, on
            the side of more or of less.
        reaches: the effect is of the expected sign and at least the margin.
        opposed: the effect has another sign than the one that is expected, or none.
    """

    inside: NDArray[np.bool_]
    excluded: NDArray[np.bool_]
    toward: NDArray[np.int_]
    reaches: NDArray[np.bool_]
    opposed: NDArray[np.bool_]


def read(
    criterion: Criterion,
    effect: ArrayLike,
    p_difference: ArrayLike,
    p_equivalence: ArrayLike,
    direction: ArrayLike | None = None,
) -> Reading:
    """What the figures of a claim show.

    Args:
        criterion: what the claim expects; the p values come adjusted, so `tests` is not read.
        effect: the observed effect.
        p_difference: adjusted p of a true effect within ±`criterion.tested_margin`. NaN excludes nothing.
        p_equivalence: p of a true effect outside ±margin, by two one-sided tests. NaN excludes nothing.
        direction: the side of zero on which the test lies (1, -1, 0); by default that of the effect.
    """
    sign = SIGNS[criterion.expect] or 1
    size = sign * np.asarray(effect, dtype=np.float64)
    side = np.sign(np.nan_to_num(size)) if direction is None else sign * np.asarray(direction)
    # 0.30 - 0.25 is below 0.05 in floating point
    reaches = (size > 0) & (size >= criterion.margin * (1 - RELATIVE))
    return Reading(
        inside=np.asarray(p_equivalence) < criterion.alpha / 2,
        excluded=np.asarray(p_difference) < criterion.alpha,
        toward=np.asarray(side, dtype=int),
        reaches=reaches,
        opposed=~(size > 0),
    )


def decide(
    criterion: Criterion,
    effect: ArrayLike,
    p_difference: ArrayLike,
    p_equivalence: ArrayLike,
    direction: ArrayLike | None = None,
) -> NDArray[np.str_]:
    """The verdict on a claim, elementwise over studies; `read` has the arguments.

    In this order, where "inside" is `p_equivalence < alpha / 2` (so the 1 - alpha interval lies within ±margin) and
    "excluded" is `p_difference < alpha`, both adjusted by Holm over all that the study's claims could say:

    - sign expected, inside: `equivalent`. This comes first, also where zero is excluded on either side: a difference
      proven to be smaller than what matters supports nobody.
    - sign expected, excluded: `supported` if the test lies on the expected side and the effect reaches the margin;
      `contradicted` if it lies on the other side, at any size.
    - zero expected: `supported` when inside; `contradicted` when excluded, where the hypothesis excluded is not "zero"
      but "within ±margin".
    - else `inconclusive`.

    In at most alpha of studies any claim gets a false `supported`, `contradicted` or `equivalent`
    (`ablate.analysis.step_down.holm_both`).
    """
    return conclude(criterion, read(criterion, effect, p_difference, p_equivalence, direction))


def conclude(criterion: Criterion, reading: Reading) -> NDArray[np.str_]:
    """The verdict that a reading stands for."""
    if criterion.expect == "zero":
        outcomes = {"supported": reading.inside, "contradicted": reading.excluded}
    else:
        outcomes = {
            "equivalent": reading.inside,
            "supported": reading.excluded & (reading.toward > 0) & reading.reaches,
            "contradicted": reading.excluded & (reading.toward < 0) & reading.opposed,
        }
    return np.asarray(np.select(list(outcomes.values()), list(outcomes), "inconclusive"))

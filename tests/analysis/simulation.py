"""Whole studies drawn with known truth, judged many thousands at a time by the functions that judge real ones.

Run as a program it writes the rates into docs/statistics.md: `python -m tests.analysis.simulation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ablate.analysis import Criterion, Look, decide, difference_p, equivalence_p, holm, paired_t, planned_looks

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

STUDIES = 20_000
SEEDS = (3, 6, 10, 20)
SIGNS = [Criterion(expect) for expect in ("positive", "negative", "positive", "negative", "positive")]
LOOKS = planned_looks(6, 3, 24)
FALSE = ("supported", "contradicted")


def standard_error(rate: float, studies: int = STUDIES) -> float:
    """Of a rate that so many studies estimate."""
    return float(np.sqrt(rate * (1 - rate) / studies))


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(size=shape)


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Student's t with three degrees of freedom."""
    return rng.standard_t(3, size=shape)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Differences of two arms whose results are lognormal alike."""
    return rng.lognormal(size=shape) - rng.lognormal(size=shape)


def correlated(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Claims that share arms: each pair correlates at 0.8."""
    shared = rng.normal(size=(shape[0], 1, shape[2]))
    return np.asarray(np.sqrt(0.8) * shared + np.sqrt(0.2) * rng.normal(size=shape))


DRAWS: dict[str, Draw] = {"normal": normal, "skewed": skewed, "heavy-tailed": heavy_tailed, "correlated": correlated}


def verdicts(values: Array, criteria: Sequence[Criterion], looks: tuple[int, ...] = ()) -> NDArray[np.str_]:
    """The verdicts of many studies, (studies, claims), from values (studies, claims, n) and a criterion a claim.

    With looks, a claim keeps the verdict and the p of the look that decided it, as `judge` does.
    """
    studies, claims, n = values.shape
    found = np.full((studies, claims), "inconclusive", dtype="<U12")
    p_kept = np.ones((studies, claims))
    margins = np.array([criterion.tested_margin for criterion in criteria])
    for look in [Look(seeds, looks) for seeds in looks] or [Look(n)]:
        t = paired_t(values[..., : look.seeds])
        is_open = found == "inconclusive"
        p = look.adjusted(difference_p(t.effect, t.sd, t.n, margins))
        p_kept = np.where(is_open, p, p_kept)
        adjusted = holm(p_kept)
        for i, criterion in enumerate(criteria):
            inside = look.adjusted_one_sided(equivalence_p(t.effect[:, i], t.sd[:, i], t.n, criterion.margin))
            now = decide(criterion, t.effect[:, i], adjusted[:, i], inside)
            found[:, i] = np.where(is_open[:, i], now, found[:, i])
    return found


def false_claims(found: NDArray[np.str_]) -> float:
    """The part of studies with at least one false `supported` or `contradicted`."""
    return float(np.isin(found, FALSE).any(axis=1).mean())


def null_rate(draw: Draw, n: int, looks: tuple[int, ...] = (), studies: int = STUDIES) -> float:
    """The part of studies with five claims, none of them true, that say something false."""
    return false_claims(verdicts(draw(np.random.default_rng(n), (studies, 5, n)), SIGNS, looks))


def coverage(n: int, draw: Draw = normal, shift: float = 0.3, studies: int = STUDIES) -> float:
    """How often the 95 % interval holds the truth."""
    t = paired_t(shift + draw(np.random.default_rng(n), (studies, 1, n)))
    return float(np.mean((t.low < shift) & (t.high > shift)))


def repeated_coverage(looks: tuple[int, ...], studies: int = STUDIES) -> float:
    """How often the intervals of all looks hold the truth at once."""
    values = normal(np.random.default_rng(0), (studies, looks[-1]))
    held = np.ones(studies, dtype=bool)
    for seeds in looks:
        t = paired_t(values[:, :seeds], Look(seeds, looks).level())
        held &= (t.low < 0) & (t.high > 0)
    return float(held.mean())


def equivalence_rate(n: int, expect: str, looks: tuple[int, ...] = (), studies: int = STUDIES) -> float:
    """How often a true difference that is just at the margin is called none."""
    wrong = "supported" if expect == "zero" else "equivalent"
    values = np.random.default_rng(n).normal(1.0, 0.2, (studies, 1, n))
    return float(np.mean(verdicts(values, [Criterion(expect, margin=1.0)], looks) == wrong))


def power_rate(n: int, effect: float, criterion: Criterion, looks: tuple[int, ...] = ()) -> float:
    """How often a claim is decided, for a true effect in standard deviations."""
    values = np.random.default_rng(n).normal(effect, 1.0, (STUDIES, 1, n))
    return float(np.mean(verdicts(values, [criterion], looks) != "inconclusive"))

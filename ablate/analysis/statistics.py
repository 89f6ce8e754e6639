"""Tests on paired values: one value a seed, many claims at once. Every function is pure.

Arrays have shape (..., n) with the n seeds last, so that a simulation of thousands of studies is one call. What cannot
be said is NaN (an interval from one seed), never a warning.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ablate.analysis.rounding import RELATIVE

FloatArray = NDArray[np.float64]

ALPHA = 0.05
SIGN_FLIP_MOST = 12  # 2**12 sign patterns


@dataclass(frozen=True)
class PairedT:
    """Mean, spread and confidence interval of paired values, elementwise over the leading axes.

    Attributes:
        n: the number of paired values.
        effect: their mean.
        sd: their standard deviation (n - 1 in the denominator); exactly 0 where all are equal; NaN for n < 2.
        low: lower end of the two-sided interval of the mean; NaN for n < 2.
        high: upper end.
        p: two-sided p of the hypothesis that the mean is zero; NaN for n < 2.
    """

    n: int
    effect: FloatArray
    sd: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray


def paired_t(values: ArrayLike, alpha: float = ALPHA) -> PairedT:
    """Paired t test and its 1 - alpha interval (Student 1908, "The Probable Error of a Mean", Biometrika 6).

    Values that are all equal have no spread to judge by. The interval then shrinks to the effect, and it is not used to
    decide: p is what the exact sign-flip gives, 2**(1 - n), or 1 where all are zero. A p of 0, as the t formula would
    have it, would call three equal differences of a coarse metric a certainty.

    The test takes the paired values to be near normal, or at least symmetric: so they are where two arms do not differ,
    whatever the skew of the metric itself. Values as skewed as an exponential that centre on zero break it.
    """
    data = np.asarray(values, dtype=np.float64)
    n = data.shape[-1]
    nothing = np.full(data.shape[:-1], np.nan)
    if n < 2:
        effect = data[..., 0] if n else nothing
        return PairedT(n, np.asarray(effect), nothing, nothing, nothing, nothing)
    effect = np.asarray(data.mean(axis=-1))
    sd = np.asarray(data.std(axis=-1, ddof=1))
    sd = np.where(sd <= RELATIVE * np.abs(effect), 0.0, sd)  # a spread of rounding: the values count as equal
    half = special.stdtrit(n - 1, 1 - alpha / 2) * sd / np.sqrt(n)
    return PairedT(n, effect, sd, effect - half, effect + half, difference_p(effect, sd, n))


def difference_p(effect: ArrayLike, sd: ArrayLike, n: int, margin: ArrayLike = 0.0) -> FloatArray:
    """Two-sided p of the hypothesis that the mean lies within ±margin (margin 0: that it is zero).

    It is twice the smaller p of the two one-sided t tests against the near end of the margin, so it is below alpha
    exactly where the 1 - alpha interval lies wholly outside ±margin (Student 1908). Without spread see `paired_t`.
    """
    above = _p_above(effect, sd, n, margin)
    below = _p_above(np.negative(effect), sd, n, margin)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(above, below)))


def equivalence_p(effect: ArrayLike, sd: ArrayLike, n: int, margin: ArrayLike) -> FloatArray:
    """The p of two one-sided t tests: that the mean lies outside ±margin (TOST).

    It is below alpha / 2 exactly where the 1 - alpha interval lies inside ±margin (Schuirmann 1987, "A comparison of
    the two one-sided tests procedure and the power approach", J. Pharmacokinetics and Biopharmaceutics 15).
    """
    above = _p_above(effect, sd, n, np.negative(margin))
    below = _p_above(np.negative(effect), sd, n, np.negative(margin))
    return np.maximum(above, below)


def _p_above(effect: ArrayLike, sd: ArrayLike, n: int, bound: ArrayLike) -> FloatArray:
    """One-sided p of the hypothesis that the mean is at most `bound`; 2**-n where all values are equal and above it."""
    mean, spread, limit = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (effect, sd, bound)))
    if n < 2:
        return np.full(mean.shape, np.nan)
    flat = spread == 0
    t = (mean - limit) / np.where(flat, 1.0, spread / np.sqrt(n))
    proven = mean - limit > RELATIVE * np.abs(limit)
    return np.where(flat, np.where(proven, 0.5**n, 1.0), special.stdtr(n - 1, -t))


def sign_flip_p(values: ArrayLike) -> FloatArray:
    """Exact two-sided p of the paired sign-flip (Fisher 1935, "The Design of Experiments", section 21), for n <= 12.

    Under exchangeable arms every pattern of signs is as likely as the one seen; p is the part of the 2**n patterns
    whose sum is at least as far from zero. Ties count, zeros stay in (their flips change nothing).

    Raises:
        ValueError: more than 12 values.
    """
    data = np.asarray(values, dtype=np.float64)
    n = data.shape[-1]
    if n > SIGN_FLIP_MOST:
        raise ValueError(f"exact sign-flip of {n} values: at most {SIGN_FLIP_MOST}")
    if n == 0:
        return np.full(data.shape[:-1], np.nan)
    seen = np.abs(data.sum(axis=-1, keepdims=True))
    rounding = RELATIVE * np.abs(data).sum(axis=-1, keepdims=True)
    return np.asarray(np.mean(np.abs(data @ _signs(n)) >= seen - rounding, axis=-1))


def least_seeds(alpha: float = ALPHA, tests: int = 1) -> int:
    """The least number of values whose exact sign-flip p can lie below alpha after Holm over so many tested claims.

    6 at 0.05 for one claim, since 2 / 2**6 = 0.03; 8 for five, since Holm asks 0.01 of the clearest.
    """
    return math.floor(math.log2(2 * max(1, tests) / alpha)) + 1


@functools.cache
def _signs(n: int) -> FloatArray:
    """Sign patterns as columns, shape (n, 2**(n - 1)); the mirrored half has the same absolute sums."""
    bits = np.arange(2 ** (n - 1)) >> np.arange(n)[:, None] & 1
    return np.asarray(1 - 2 * bits, dtype=np.float64)


def holm(p: ArrayLike) -> FloatArray:
    """Adjusted p of each claim of a study (Holm 1979, "A simple sequentially rejective multiple test procedure").

    Rejecting where the adjusted p is below alpha errs on any true hypothesis in at most alpha of studies, however the
    claims depend on each other. Shape (..., claims).
    """
    raw = np.asarray(p, dtype=np.float64)
    count = raw.shape[-1]
    order = np.argsort(raw, axis=-1)
    steps = np.take_along_axis(raw, order, axis=-1) * np.arange(count, 0, -1)
    adjusted = np.minimum(1.0, np.maximum.accumulate(steps, axis=-1))
    result = np.empty_like(raw)
    np.put_along_axis(result, order, adjusted, axis=-1)
    return result

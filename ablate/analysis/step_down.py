"""Holm's steps over all that a study can say: of each claim a difference, or none that matters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ablate.analysis.statistics import FloatArray

HALF = (
    0.5  # what a claim counts whose difference is shown: it could still be called equivalent, which errs half as often
)


def holm_both(p_difference: ArrayLike, p_equivalence: ArrayLike, closes: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Both p values of each claim, adjusted so that at most alpha of studies say anything false.

    Holm (1979, "A simple sequentially rejective multiple test procedure") takes the hypotheses from the smallest p on
    and multiplies each by the number of those that may still be true. A claim has two of them, of which only one can be
    true (Shaffer 1986, "Modified sequentially rejective multiple test procedures", JASA 81): so it counts once. Where a
    difference is shown, the claim may still be called equivalent: that errs in alpha / 2 of studies, so it counts one
    half. Where no difference that matters is shown, nothing more is said of it, and it counts no longer.

    Args:
        p_difference: two-sided, shape (..., claims).
        p_equivalence: one-sided (`equivalence_p`); NaN where a test can show no such thing.
        closes: whether nothing more is said of a claim whose difference is shown: where none is expected, or where it
            has no margin, within which a difference could lie.

    Returns:
        The adjusted p of a difference, to compare with alpha, and that of equivalence, with alpha / 2.
    """
    different = np.asarray(p_difference, dtype=np.float64)
    twice = 2 * np.asarray(p_equivalence, dtype=np.float64)
    shape = different.shape
    steps = _Steps(different.reshape(-1, shape[-1]), twice.reshape(-1, shape[-1]), np.broadcast_to(closes, shape[-1:]))
    for _ in range(2 * shape[-1]):
        steps.take_one()
    same = np.where(np.isnan(twice), np.nan, steps.adjusted[1].reshape(shape) / 2)
    return np.where(np.isnan(different), np.nan, steps.adjusted[0].reshape(shape)), same


class _Steps:
    """The state of many studies, each with its claims: shape (studies, claims)."""

    def __init__(self, different: FloatArray, twice: FloatArray, closes: np.ndarray) -> None:
        self.p = np.nan_to_num(np.stack([different, twice]), nan=np.inf)
        self.is_open = np.isfinite(self.p)
        self.closes = closes
        self.adjusted = np.ones_like(self.p)
        self.least = np.zeros(len(different))
        self.studies = np.arange(len(different))

    def take_one(self) -> None:
        """The smallest p that is left of each study, times what its claims count before that."""
        counts = np.where(self.is_open[0], 1.0, HALF * self.is_open[1]).sum(axis=-1).clip(1.0)
        left = np.where(self.is_open, self.p, np.inf)
        claims = left.shape[-1]
        place = np.argmin(np.concatenate([left[0], left[1]], axis=-1), axis=-1)
        claim, is_same = place % claims, (place >= claims).astype(int)
        smallest = left[is_same, self.studies, claim]
        any_left = np.isfinite(smallest)
        self.least = np.where(any_left, np.maximum(self.least, np.where(any_left, smallest, 0) * counts), self.least)
        ends = any_left & ((is_same == 1) | self.closes[claim])
        for kind in (0, 1):
            now = self.is_open[kind, self.studies, claim] & any_left & ((is_same == kind) | ends)
            rows, columns = self.studies[now], claim[now]
            found = np.maximum(self.least[now], self.p[kind, rows, columns] * counts[now])
            self.adjusted[kind, rows, columns] = np.minimum(1.0, found)
            self.is_open[kind, rows, columns] = False

"""Tests of contrasts that weigh arms unevenly, such as the mean of four against a fifth: arms change places.

A paired difference of two arms that do not differ is symmetric whatever the metric's skew. The mean of four arms minus
a fifth is not: of five arms alike one of the four fails more often than the fifth alone. That arms do not differ still
means that, within a seed, each set of results could as well have been any other arm's. So the contrast is held against
what it becomes when the arms of each seed change places at random (Fisher 1935, "The Design of Experiments"; Pitman
1937, "Significance tests which may be applied to samples from any populations", JRSS Supplement 4).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablate.analysis.ranks import RankTest
from ablate.analysis.rounding import RELATIVE
from ablate.analysis.statistics import FloatArray

DRAWS = 3_999  # of places changed at random, always the same ones; p is known to 0.003 at 0.05
LEAST_DRAWS, MOST_PLACES = 999, 20_000_000  # fewer draws where there are many cells


@dataclass(frozen=True)
class Layout:
    """How the cells of a contrast lie.

    Attributes:
        cells: the labels, shape (units, points): units are what changes places. They are the arms, at all points of the
            grid together, where these are weighed against each other at each point; else the single cells.
        weights: of the cells, same shape.
    """

    cells: NDArray[np.str_]
    weights: FloatArray

    @property
    def is_even(self) -> bool:
        """Whether places can be changed so that the contrast turns into its negative, as for two arms."""
        rows, negated = (sorted(map(tuple, np.round(sign * self._scaled, 9) + 0.0)) for sign in (1, -1))
        return rows == negated

    @property
    def _scaled(self) -> FloatArray:
        return np.asarray(self.weights / np.abs(self.weights).max())


def layout_of(weights: Mapping[str, float]) -> Layout:
    """The layout of a contrast, from the weight of each cell, whose label is `arm@factor=value,...`."""
    places: dict[str, dict[str, str]] = {}
    for label in sorted(weights):
        arm, _, point = label.partition("@")
        places.setdefault(arm, {})[point] = label
    points = list(next(iter(places.values())))
    if all(list(one) == points for one in places.values()):
        cells = np.array([list(one.values()) for one in places.values()])
        table = np.vectorize(weights.__getitem__, otypes=[float])(cells)
        if np.all(np.abs(table.sum(axis=0)) <= 1e-9 * np.abs(table).max()):
            return Layout(cells, table)
    cells = np.array(sorted(weights))[:, None]
    return Layout(cells, np.array([[weights[label]] for label in cells[:, 0]]))


@dataclass(frozen=True)
class Uneven:
    """The cells of a contrast that weighs arms unevenly, with every test of it.

    Attributes:
        values: of the cells, shape (seeds, units, points); infinite ones only by ranks.
        weights: shape (units, points), which sum to zero over the units.
    """

    values: FloatArray
    weights: FloatArray

    def p_above(self, bound: float) -> float:
        """One-sided p that the contrast is at most `bound`: its cells differ by that in proportion to their weights."""
        return _tail(*self._sums(bound))

    def p_below(self, bound: float) -> float:
        """One-sided p that the contrast is at least `bound`."""
        seen, drawn, rounding = self._sums(bound)
        return _tail(-seen, -drawn, rounding)

    def difference_p(self, margin: float) -> float:
        """Two-sided p of a contrast within ±margin."""
        return min(1.0, 2 * min(self.p_above(margin), self.p_below(-margin)))

    def equivalence_p(self, margin: float) -> float:
        """The p of a contrast outside ±margin."""
        return max(self.p_above(-margin), self.p_below(margin))

    def ranked(self, margin: float = 0.0) -> RankTest:
        """By ranks within each seed and point, where infinite values are the farthest, tied among themselves.

        (Page 1963, "Ordered hypotheses for multiple treatments", JASA 58, for any weights.)

        Returns:
            The two-sided p that the contrast lies within ±margin, and the side of zero on which the ranks lie.
        """
        shift = margin * self.weights / np.sum(self.weights**2)
        seen, drawn, rounding = _changed(_ranks(self.values - shift), self.weights)
        above = _tail(seen, drawn, rounding)
        if margin:
            seen, drawn, rounding = _changed(_ranks(self.values + shift), self.weights)
        below = _tail(-seen, -drawn, rounding)
        leaning = float(self.rank_contrasts().sum())
        return RankTest(min(1.0, 2 * min(above, below)), int(leaning > 1e-9) - int(leaning < -1e-9))

    def rank_contrasts(self) -> FloatArray:
        """The contrast of the ranks of each seed: shape (seeds,)."""
        return np.asarray(np.einsum("ap,sap->s", self.weights, _ranks(self.values)))

    @functools.cached_property
    def _own(self) -> tuple[float, FloatArray, float]:
        return _changed(self.values, self.weights)

    @functools.cached_property
    def _unit(self) -> tuple[float, FloatArray, float]:
        """The same for cells whose contrast is 1 in every seed, each in proportion to its weight."""
        unit = self.weights / np.sum(self.weights**2)
        return _changed(np.broadcast_to(unit, self.values.shape), self.weights)

    def _sums(self, bound: float) -> tuple[float, FloatArray, float]:
        """The sum over the seeds less `bound` in each, and what it becomes when places change."""
        (seen, drawn, rounding), (one, changed, more) = self._own, self._unit
        return seen - bound * one, drawn - bound * changed, rounding + abs(bound) * more


def _changed(values: FloatArray, weights: FloatArray) -> tuple[float, FloatArray, float]:
    """The contrast summed over the seeds, what it becomes when places change, and how far rounding may part the two."""
    crossed = np.einsum("ap,sbp->sab", weights, values)  # unit b in the place of unit a
    places = _places(*values.shape[:2])
    drawn = np.zeros(places.shape[1])
    units = np.arange(values.shape[1])
    for seed, changed in enumerate(places):
        drawn += crossed[seed, changed, units].sum(axis=-1)
    return float(np.einsum("saa->", crossed)), drawn, RELATIVE * float(np.abs(crossed).sum())


def _tail(seen: float, drawn: FloatArray, rounding: float) -> float:
    """The part of the draws that come as far, with the one seen among them."""
    return float((1 + np.count_nonzero(drawn >= seen - rounding)) / (1 + len(drawn)))


def balancing_shift(values: FloatArray, weights: FloatArray) -> float | None:
    """The size of the contrast at which the weighted ranks would be balanced; infinite where no size does.

    Each pair of cells within a seed and point says a size: their difference over that of their weights. The shift is
    the median of these, weighed by the differences of weights: the estimate that belongs to the ranks, as the median of
    pair means does to signed ranks (Hodges and Lehmann 1963, Annals of Mathematical Statistics 34).

    Returns:
        None where it would lie between the two infinities, or all cells are tied.
    """
    lean = (weights[:, None] - weights[None])[None] / np.sum(weights**2)  # (1, units, units, points)
    with np.errstate(invalid="ignore", divide="ignore"):
        sizes = (values[:, :, None] - values[:, None]) / lean
    lean = np.broadcast_to(lean, sizes.shape)
    counts = (lean > 1e-9) & ~np.isnan(sizes)
    if not counts.any():
        return None
    order = np.argsort(sizes[counts])
    ordered, weight = sizes[counts][order], np.cumsum(lean[counts][order])
    half = weight[-1] / 2
    low = ordered[np.searchsorted(weight, half * (1 - 1e-9))]
    high = ordered[min(np.searchsorted(weight, half * (1 + 1e-9)), len(ordered) - 1)]
    if low == -math.inf and high == math.inf:
        return None
    return float(low if low == high else low / 2 + high / 2)


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks over the units, ties sharing their mean: shape (seeds, units, points)."""
    finite = np.where(np.isfinite(values), values, 0.0)
    one, other = values[:, :, None], values[:, None]
    near = np.abs(finite[:, :, None] - finite[:, None]) <= RELATIVE * (np.abs(finite[:, :, None] + finite[:, None]))
    tied = (one == other) | (near & np.isfinite(one) & np.isfinite(other))
    return np.asarray(np.sum(((other < one) & ~tied) + 0.5 * tied, axis=2))


def _draws(seeds: int, units: int) -> int:
    return min(DRAWS, max(LEAST_DRAWS, MOST_PLACES // (seeds * units)))


@functools.lru_cache(maxsize=4)
def _places(seeds: int, units: int) -> NDArray[np.int16]:
    """Places changed at random: shape (seeds, draws, units)."""
    draws = _draws(seeds, units)
    unchanged = np.broadcast_to(np.arange(units, dtype=np.int16), (seeds, draws, units))
    return np.asarray(np.random.default_rng(0).permuted(unchanged, axis=-1))

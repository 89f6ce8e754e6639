"""Looking more than once: a group-sequential rule that keeps its error rate, however often a study is looked at.

The looks are planned: at 6, 9, 12 ... seeds, up to a cap. By each look a part of alpha may be spent, in proportion to
the seeds seen so far (Kim and DeMets 1987, "Design and analysis of group sequential tests based on the type I error
spending rate function", Biometrika 74, with rho = 1; spending is due to Lan and DeMets 1983, "Discrete sequential
boundaries for clinical trials", Biometrika 70). The boundaries are those of normal statistics, applied to the p values
of the test at hand (the significance-level approach: Jennison and Turnbull 2000, "Group Sequential Methods", section
4.4).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ablate.analysis.statistics import ALPHA, FloatArray

Looks = tuple[int, ...]

# Statistics of successive looks agree less when each look estimates the spread anew, so that boundaries of normal ones
# err up to 1.27 times as often as they should (at 2, 3 ... 12 seeds; 1.1 times at 6, 9 ... 24). They are computed
# for so much less than alpha; docs/statistics.md has the rates that remain.
INFLATION = 1.3
POINTS = 301  # of the grid on which the density of the statistic is carried from look to look
ALPHAS = 10.0 ** np.linspace(-9, -0.05, 60)  # levels at which boundaries are computed; in between they are interpolated


def planned_looks(start: int, step: int, most: int) -> Looks:
    """The numbers of seeds at which a study is looked at: `start`, then every `step` more, and `most` at the end."""
    return (*range(start, most, step), most)


@dataclass(frozen=True)
class Look:
    """One of the planned looks at a study, or the only one.

    Attributes:
        seeds: the number of seeds that it takes.
        looks: all that are planned; empty where a study is looked at once.
    """

    seeds: int = 0
    looks: Looks = ()

    @property
    def is_one_of_many(self) -> bool:
        """Whether a study may be looked at again."""
        return len(self.looks) > 1

    def level(self, alpha: float = ALPHA) -> float:
        """The two-sided p below which this look rejects, so that all looks together err in at most alpha of studies.

        An interval of 1 - level covers the truth at every look at once in at least 1 - alpha of studies (repeated
        confidence intervals: Jennison and Turnbull 1989, "Interim analyses: the repeated confidence interval approach",
        JRSS B 51).
        """
        if not self.is_one_of_many:
            return alpha
        return nominal_levels(self.looks, alpha / INFLATION)[self.looks.index(self.seeds)]

    def adjusted(self, p: ArrayLike) -> FloatArray:
        """Two-sided p values of this look that allow for all looks: the least alpha whose bound each crosses.

        Elementwise; NaN stays NaN.
        """
        given = np.asarray(p, dtype=np.float64)
        if not self.is_one_of_many:
            return given
        levels = _level_table(self.looks)[:, self.looks.index(self.seeds)]
        # Below the least level of the table the boundary is, to a good approximation, in proportion to alpha.
        inside = np.clip(given, levels[0], levels[-1])
        crossed = np.exp(np.interp(np.log(inside), np.log(levels), np.log(ALPHAS))) * np.minimum(1, given / levels[0])
        return np.asarray(np.minimum(1.0, INFLATION * crossed))

    def adjusted_one_sided(self, p: ArrayLike) -> FloatArray:
        """The same for one-sided p values, whose boundary is that of half the level; none gets less than it was."""
        given = np.asarray(p, dtype=np.float64)
        return np.maximum(given, self.adjusted(2 * given) / 2)


@functools.lru_cache(maxsize=512)
def nominal_levels(looks: Looks, alpha: float) -> tuple[float, ...]:
    """The two-sided p below which each look rejects, for normal statistics that err in `alpha` of studies over all."""
    return tuple(float(p) for p in 2 * special.ndtr(-_bounds(looks, alpha) / np.sqrt(looks)))


def _bounds(looks: Looks, alpha: float) -> FloatArray:
    """How far from zero the sum of the values so far must lie at each look for the look to reject.

    A sum of independent normal values has, at each look, a density on the values that no earlier look rejected. It is
    carried along on a grid (Armitage, McPherson and Rowe 1969, "Repeated significance tests on accumulating data",
    JRSS A 132).
    """
    spent = alpha * np.diff(np.array([0, *looks])) / looks[-1]
    bounds = [float(-special.ndtri(spent[0] / 2)) * np.sqrt(looks[0])]
    grid = np.linspace(-bounds[0], bounds[0], POINTS)
    density = np.exp(-(grid**2) / (2 * looks[0])) / np.sqrt(2 * np.pi * looks[0])
    for (before, now), part in zip(pairwise(looks), spent[1:], strict=True):
        mass, sd = density * _simpson(grid), np.sqrt(now - before)
        bounds.append(_bound(mass, grid, sd, part, 40 * np.sqrt(now)))
        wider = np.linspace(-bounds[-1], bounds[-1], POINTS)
        density = np.exp(-(((wider[:, None] - grid) / sd) ** 2) / 2) @ mass / (np.sqrt(2 * np.pi) * sd)
        grid = wider
    return np.array(bounds)


def _bound(mass: FloatArray, grid: FloatArray, sd: float, part: float, most: float) -> float:
    """Where the next sum must lie from zero to be rejected, so that it does so in `part` of studies."""
    from scipy import optimize  # a third of a second that studies with one look do without

    def excess(bound: float) -> float:
        beyond = special.ndtr((grid - bound) / sd) + special.ndtr((-grid - bound) / sd)
        return float(mass @ beyond - part)

    return float(optimize.brentq(excess, 0.0, most))


def _simpson(grid: FloatArray) -> FloatArray:
    """Weights of Simpson's rule on an equally spaced grid with an odd number of points."""
    weights = np.full(len(grid), 2.0)
    weights[1::2], weights[0], weights[-1] = 4.0, 1.0, 1.0
    return np.asarray(weights * (grid[1] - grid[0]) / 3)


@functools.lru_cache(maxsize=64)
def _level_table(looks: Looks) -> FloatArray:
    """`nominal_levels` at each of `ALPHAS`: shape (alphas, looks), rising in alpha."""
    table = np.array([nominal_levels(looks, float(alpha)) for alpha in ALPHAS])
    return np.maximum.accumulate(table, axis=0)

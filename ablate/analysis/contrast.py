"""The value of a claim's contrast for each seed, from a table of results."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ablate.analysis.cells import Cells, Grid, cells_of, levels_in_order
from ablate.analysis.claims import ClaimLike, as_claim
from ablate.analysis.metrics import STATIC, ranks_worst, worst_value
from ablate.analysis.permutation import Layout, layout_of
from ablate.analysis.rounding import rounding_of, settled
from ablate.analysis.selectors import ROUNDING, Selector, added_up, says_nothing
from ablate.analysis.statistics import FloatArray
from ablate.config.schema import Claim

ABSENT = "not in the results"
TO_COME = ("pending", ABSENT)

Found = Mapping[tuple[str, int], tuple[str, float]]  # (cell label, seed) -> status, value


@dataclass
class ContrastValues:
    """A claim's contrast, measured.

    Attributes:
        values: the contrast by seed, for seeds with every needed cell; infinite where diverged or perfect cells decide
            it; for `scale: ratio` the natural logarithm of the ratio. Values that differ by rounding alone are equal.
        diverged: the diverged cells, as `pre@depth=110 seed 3`, of seeds left out too.
        perfect: the cells whose value is 0 and counts on the scale of logarithms, likewise.
        missing: the cells that have no value, with the reason, as `pre@depth=110 seed 3: failed`.
        to_come: how many of those are pending, and so may still get one.
        absent: the selectors that match no cell at all, as in a narrowed run.
        cells: what the values are made of: by seed, a value of each cell in the order of the contrast's weights.
        taken: the number of seeds that were asked for.
    """

    values: dict[int, float] = field(default_factory=dict)
    diverged: list[str] = field(default_factory=list)
    perfect: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    to_come: int = 0
    absent: list[str] = field(default_factory=list)
    cells: dict[int, list[float]] = field(default_factory=dict)
    taken: int = 0


@dataclass(frozen=True)
class Contrast:
    """A claim's contrast at every seed of a table.

    Attributes:
        claim: what was measured.
        weights: of each cell label.
        found: status and value of each cell.
        absent: the selectors that match no cell at all.
    """

    claim: Claim
    weights: Mapping[str, float]
    found: Found
    absent: list[str]

    def of(self, seeds: Iterable[int] | None = None) -> ContrastValues:
        """The values of these seeds, or of all that the table has."""
        if self.absent:
            return ContrastValues(absent=self.absent)
        taken = sorted({seed for _, seed in self.found}) if seeds is None else list(seeds)
        return _measure(self.claim, self.weights, self.found, taken)

    @functools.cached_property
    def layout(self) -> Layout | None:
        """How its cells can change places; None where it is held against a threshold, or by a metric without chance."""
        is_fixed = self.claim.threshold is not None or self.claim.metric in STATIC
        return None if is_fixed or not self.weights else layout_of(self.weights)

    def table(self, measured: ContrastValues, layout: Layout) -> FloatArray:
        """The cells of the seeds that have a value: shape (seeds, units, points)."""
        place = {label: number for number, label in enumerate(self.weights)}
        columns = np.vectorize(place.__getitem__, otypes=[int])(layout.cells)
        rows = np.array(list(measured.cells.values())).reshape(-1, len(place))
        return np.asarray(rows[:, columns])


def contrast_values(frame: pd.DataFrame, claim: ClaimLike, grid: Grid | None = None) -> ContrastValues:
    """Measure a claim's contrast: one value a seed, from seeds with every needed cell.

    A selector that leaves a factor open stands for the mean over that factor's cells, within the seed. With a `trend`
    the contrast is taken at every value of that factor, and its value is the rise of the least-squares line over the
    values in order, equally spaced, from the first to the last (`levels_in_order`); of an odd number of values the
    middle one has no weight in that line, and is needed all the same. With `scale: ratio` it is taken of logarithms. A
    `threshold` is subtracted.

    All diverged cells count as one same value, worse than any other: the contrast is infinite with the sign of their
    summed weights, and where these cancel (both arms of a pair diverged: a tie) the other cells decide. A cell that
    never reached an `epochs_to/` threshold is treated alike, and so is, on the scale of logarithms, one whose value is
    0: less than any other. Parameters and FLOPs belong to the network, so neither divergence nor failure changes them.

    Args:
        frame: results, one row a cell: `arm`, `seed`, the factors, the metric, and `status` (all `done` without it).
        claim: what to measure.
        grid: of the study: the order of values that are no numbers, which a trend over them needs.

    Raises:
        InputError: the table lacks a needed column, has two rows for one cell, or a seed that is no whole number; or
            the contrast says nothing: its weights cancel on every cell; or an arm has a name that no selector can
            name; or the order of a trend's values is not known.
    """
    return contrast(frame, claim, grid).of()


def contrast(frame: pd.DataFrame, claim: ClaimLike, grid: Grid | None = None) -> Contrast:
    """`contrast_values`, with the choice of seeds left open."""
    claim = as_claim(claim)
    terms = _terms(frame, claim, grid)
    cells = cells_of(frame, (term.selector for term in terms), claim.metric)
    weights, absent = _weights(cells, terms)
    if absent or not terms:
        return Contrast(claim, {}, {}, absent or [f"two values of {claim.trend}"])
    if not any(weights.values()):
        raise says_nothing(claim.id)
    return Contrast(claim, weights, cells.found(weights), [])


def trend_weights(values: int) -> list[float]:
    """Weights of equally spaced values in order, whose sum is the rise of their least-squares line over all of them."""
    places = [place - (values - 1) / 2 for place in range(values)]
    square = math.fsum(place**2 for place in places)
    return [place * (values - 1) / square for place in places]


@dataclass(frozen=True)
class _Term:
    """A selector with its weight in the contrast, and the one stated, by which a cell without weight is needed too."""

    selector: Selector
    weight: float
    stated: float


def _terms(frame: pd.DataFrame, claim: Claim, grid: Grid | None) -> list[_Term]:
    """The selectors of a claim with their weights, a trend written out over the values of its factor."""
    selectors = added_up(claim.contrast)
    if not selectors:
        raise says_nothing(claim.id)
    if not claim.trend:
        return [_Term(selector, weight, weight) for selector, weight in selectors.items()]
    values = levels_in_order(frame, claim.trend, grid)
    if len(values) < 2:
        return []
    steps = list(zip(values, trend_weights(len(values)), strict=True))
    return [_Term(s.at(claim.trend, value), w * step, w) for s, w in selectors.items() for value, step in steps]


def _weights(cells: Cells, terms: Sequence[_Term]) -> tuple[dict[str, float], list[str]]:
    """The weight of each needed cell label in the contrast, and the selectors of which something is not there."""
    weights: dict[str, float] = {}
    stated: dict[str, float] = {}
    absent: list[str] = []
    for term in terms:
        labels = cells.matching(term.selector)
        if not labels:
            absent.append(str(term.selector))
        for label in labels:
            weights[label] = weights.get(label, 0.0) + term.weight / len(labels)
            stated[label] = stated.get(label, 0.0) + term.stated / len(labels)
    # A cell whose terms cancel is not needed; what rounding leaves of its weight would still let it rank as worst.
    largest = max((abs(term.stated) for term in terms), default=0.0)
    needed = [label for label, weight in stated.items() if abs(weight) > ROUNDING * largest]
    return {label: weights[label] if abs(weights[label]) > ROUNDING * largest else 0.0 for label in needed}, absent


def _measure(claim: Claim, weights: Mapping[str, float], found: Found, seeds: Collection[int]) -> ContrastValues:
    measured = ContrastValues(taken=len(seeds))
    sums: dict[int, float] = {}
    errors: dict[int, float] = {}
    for seed in seeds:
        cells: list[float] = []
        lacking: list[str] = []
        for label in weights:
            status, value = found.get((label, seed), (ABSENT, math.nan))
            place = f"{label} seed {seed}"
            if reason := _why_missing(claim, status, value):
                lacking.append(f"{place}: {reason}")
                measured.to_come += status in TO_COME
                continue
            cells.append(_scaled(claim, status, value))
            if ranks_worst(claim.metric, status, value):
                measured.diverged.append(place)
            elif math.isinf(cells[-1]):
                measured.perfect.append(place)
        measured.missing.extend(lacking)
        if not lacking:
            measured.cells[seed] = cells
            sums[seed], errors[seed] = _combined(claim, list(weights.values()), cells)
    told = settled(list(sums.values()), list(errors.values())).tolist()
    measured.values.update(zip(sums, told, strict=True))
    return measured


def _why_missing(claim: Claim, status: str, value: float) -> str:
    """Why a cell has no value on the claim's scale, where infinity is one; empty where it has one."""
    if ranks_worst(claim.metric, status, value):
        return ""
    if not math.isfinite(value) or (status != "done" and claim.metric not in STATIC):
        return f"no {claim.metric} recorded" if status == "done" else status
    if claim.scale == "ratio" and (value < 0 or (value == 0 and claim.metric in STATIC)):
        return f"{claim.metric} {value:g} has no logarithm"
    return ""


def _scaled(claim: Claim, status: str, value: float) -> float:
    """A cell's value on the scale of the claim; infinite for a diverged cell, and for the logarithm of 0."""
    if ranks_worst(claim.metric, status, value):
        return worst_value(claim.metric)
    return _on_scale(claim, value)


def _on_scale(claim: Claim, value: float) -> float:
    if claim.scale != "ratio":
        return value
    return math.log(value) if value > 0 else -math.inf


def _combined(claim: Claim, weights: Sequence[float], cells: Sequence[float]) -> tuple[float, float]:
    """The contrast of one seed's cells, and by how much rounding may have moved it."""
    pairs = list(zip(weights, cells, strict=True))
    infinite = [math.copysign(weight, weight * cell) for weight, cell in pairs if weight and math.isinf(cell)]
    net = math.fsum(infinite)
    if abs(net) > ROUNDING * math.fsum(map(abs, infinite)):
        return math.copysign(math.inf, net), 0.0
    terms = [weight * cell for weight, cell in pairs if math.isfinite(cell)]
    terms += [] if claim.threshold is None else [-_on_scale(claim, claim.threshold)]
    # A logarithm moves by what its value moves, in parts of that, however near to zero it is itself.
    logs = weights if claim.scale == "ratio" else []
    return math.fsum(terms), rounding_of([*terms, *logs])

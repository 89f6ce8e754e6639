"""The value of a claim's contrast for each seed, from a table of results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ablate.analysis.claims import ClaimLike, as_claim
from ablate.analysis.metrics import EPOCHS_TO, STATIC, worst_value
from ablate.analysis.selectors import ROUNDING, Selector, added_up, parse_selector, says_nothing, value_text, values_of
from ablate.config.schema import Claim
from ablate.errors import InputError

ABSENT = "not in the results"
TO_COME = ("pending", ABSENT)

Found = Mapping[tuple[str, int], tuple[str, float]]  # (cell label, seed) -> status, value


@dataclass(frozen=True)
class ContrastValues:
    """A claim's contrast, measured.

    Attributes:
        values: the contrast by seed, for seeds with every needed cell; infinite where diverged cells decide it; for
            `scale: ratio` the natural logarithm of the ratio.
        diverged: the diverged cells, as `pre@depth=110 seed 3`, of seeds left out too.
        missing: the cells that have no value, with the reason, as `pre@depth=110 seed 3: failed`.
        to_come: how many of those are pending, and so may still get one.
        absent: the selectors that match no cell at all, as in a narrowed run.
    """

    values: dict[int, float] = field(default_factory=dict)
    diverged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    to_come: int = 0
    absent: list[str] = field(default_factory=list)


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
        taken = sorted({seed for _, seed in self.found}) if seeds is None else seeds
        return _measure(self.claim, self.weights, self.found, taken)


def contrast_values(frame: pd.DataFrame, claim: ClaimLike) -> ContrastValues:
    """Measure a claim's contrast: one value a seed, from seeds with every needed cell.

    A selector that leaves a factor open stands for the mean over that factor's cells, within the seed. With a `trend`
    the contrast is taken at every value of that factor, and its value is the rise of the least-squares line over the
    values in order, equally spaced, from the first to the last. With `scale: ratio` it is taken of logarithms. A
    `threshold` is subtracted.

    All diverged cells count as one same value, worse than any other: the contrast is infinite with the sign of their
    summed weights, and where these cancel (both arms of a pair diverged: a tie) the other cells decide. A cell that
    never reached an `epochs_to/` threshold is treated alike. Parameters and FLOPs belong to the network, so neither
    divergence nor failure changes them.

    Args:
        frame: results, one row a cell: `arm`, `seed`, the factors, the metric, and `status` (all `done` without it).
        claim: what to measure.

    Raises:
        InputError: the table lacks a needed column, has two rows for one cell, or the contrast says nothing: its
            weights cancel on every cell; or an arm has a name that no selector can name.
    """
    return contrast(frame, claim).of()


def contrast(frame: pd.DataFrame, claim: ClaimLike) -> Contrast:
    """`contrast_values`, with the choice of seeds left open."""
    claim = as_claim(claim)
    selectors = _terms(frame, claim)
    cells = _cells(frame, selectors, claim.metric)
    weights, absent = _weights(cells, selectors)
    if absent or not selectors:
        return Contrast(claim, {}, {}, absent or [f"two values of {claim.trend}"])
    if not weights:
        raise says_nothing(claim.id)
    cells = cells[cells["label"].isin(list(weights))]
    _refuse_duplicates(cells)
    found = {
        (str(label), int(seed)): (str(status), float(value))
        for label, seed, status, value in cells[["label", "seed", "status", "value"]].itertuples(index=False)
    }
    return Contrast(claim, weights, found, [])


def trend_weights(values: int) -> list[float]:
    """Weights of equally spaced values in order, whose sum is the rise of their least-squares line over all of them."""
    places = [place - (values - 1) / 2 for place in range(values)]
    square = math.fsum(place**2 for place in places)
    return [place * (values - 1) / square for place in places]


def _terms(frame: pd.DataFrame, claim: Claim) -> dict[Selector, float]:
    """The selectors of a claim with their weights, a trend written out over the values of its factor."""
    selectors = added_up(claim.contrast)
    if not selectors:
        raise says_nothing(claim.id)
    if not claim.trend:
        return selectors
    if claim.trend not in frame.columns:
        raise _no_column(claim.trend, frame)
    values = _in_order(frame[claim.trend])
    if len(values) < 2:
        return {}
    steps = list(zip(values, trend_weights(len(values)), strict=True))
    return {s.at(claim.trend, value): w * step for s, w in selectors.items() for value, step in steps if step != 0}


def _in_order(column: pd.Series) -> list[object]:
    """The values of a factor: numbers by size, others in the order of the table."""
    values = list(dict.fromkeys(column.tolist()))
    return sorted(values) if all(isinstance(value, int | float) for value in values) else values


def _cells(frame: pd.DataFrame, selectors: Iterable[Selector], metric: str) -> pd.DataFrame:
    """The table with factors as comparable text, a label for each cell without its seed, its status and its value."""
    named = [factor for selector in selectors for factor, _ in selector.factors]
    for column in ("arm", "seed", *named):
        if column not in frame.columns:
            raise _no_column(column, frame)
    columns = [str(column) for column in frame.columns]
    factors = list(dict.fromkeys([*columns[columns.index("arm") + 1 : columns.index("seed")], *named]))
    factors = [factor for factor in factors if factor != "cell"]
    cells = pd.DataFrame({"arm": frame["arm"].astype(str), "seed": frame["seed"]})
    _refuse_grammar(cells["arm"].unique())
    label = cells["arm"]
    for position, factor in enumerate(factors):
        cells[f"@{factor}"] = pd.Series(_texts(frame[factor]), index=frame.index)
        label = label + ("," if position else "@") + factor + "=" + cells[f"@{factor}"]
    cells["label"] = label
    cells["status"] = frame["status"].astype(str) if "status" in columns else "done"
    cells["value"] = pd.to_numeric(frame[metric], errors="coerce") if metric in columns else np.nan
    return cells


def _refuse_grammar(arms: Iterable[str]) -> None:
    """An arm whose name a selector reads as something else could be meant by none."""
    for arm in arms:
        try:
            named = parse_selector(arm).arms
        except InputError:
            named = []
        if named != [arm]:
            raise InputError(
                f"the results have an arm '{arm}', which no selector can name: '|', '@' and '*' mean something else "
                "there, and blanks at the ends do not count; rename it"
            )


def _texts(column: pd.Series) -> list[str]:
    """The values of a factor as comparable text, each of them read once."""
    values = [str(value) if isinstance(value, list | dict) else value for value in column]
    known = {value: value_text(value) for value in dict.fromkeys(values)}
    return [known[value] for value in values]


def _no_column(column: str, frame: pd.DataFrame) -> InputError:
    return InputError(f"the results have no column '{column}'; columns: {', '.join(map(str, frame.columns))}")


def _weights(cells: pd.DataFrame, selectors: Mapping[Selector, float]) -> tuple[dict[str, float], list[str]]:
    """The weight of each cell label in the contrast, and the selectors of which something is not there."""
    weights: dict[str, float] = {}
    absent: list[str] = []
    for selector, weight in selectors.items():
        match = pd.Series(True, index=cells.index)
        whole = True
        names = [("arm", selector.arms)] if selector.arms else []
        for column, wanted in [*names, *((f"@{name}", values_of(value)) for name, value in selector.factors)]:
            match &= cells[column].isin(wanted)
            whole = whole and set(wanted) <= set(cells[column])
        labels = [str(label) for label in cells.loc[match, "label"].unique()]
        if not labels or not whole:
            absent.append(str(selector))
        for label in labels:
            weights[label] = weights.get(label, 0.0) + weight / len(labels)
    # A cell whose terms cancel is not needed; what rounding leaves of its weight would still let it rank as worst.
    largest = max(map(abs, selectors.values()), default=0.0)
    return {label: weight for label, weight in weights.items() if abs(weight) > ROUNDING * largest}, absent


def _refuse_duplicates(cells: pd.DataFrame) -> None:
    twice = cells[cells.duplicated(["label", "seed"])]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(
            f"the results have two rows for {row['label']} seed {row['seed']}; "
            "each cell stands once, and the columns of grid factors stand between 'arm' and 'seed'"
        )


def _measure(claim: Claim, weights: Mapping[str, float], found: Found, seeds: Iterable[int]) -> ContrastValues:
    values: dict[int, float] = {}
    diverged: list[str] = []
    missing: list[str] = []
    to_come = 0
    for seed in seeds:
        terms = [] if claim.threshold is None else [-_scaled(claim, claim.threshold)]
        worst: dict[str, float] = {}
        lacking: list[str] = []
        for label, weight in weights.items():
            status, value = found.get((label, seed), (ABSENT, math.nan))
            if _ranks_worst(claim.metric, status, value):
                worst[f"{label} seed {seed}"] = weight
            elif reason := _why_missing(claim, status, value):
                lacking.append(f"{label} seed {seed}: {reason}")
                to_come += status in TO_COME
            else:
                terms.append(weight * _scaled(claim, value))
        missing.extend(lacking)
        diverged.extend(worst)
        if not lacking:
            values[seed] = _combine(terms, list(worst.values()), worst_value(claim.metric))
    return ContrastValues(values, diverged, missing, to_come)


def _ranks_worst(metric: str, status: str, value: float) -> bool:
    if metric in STATIC:
        return False
    never_reached = metric.startswith(EPOCHS_TO) and math.isnan(value)
    return status == "diverged" or (status == "done" and (math.isinf(value) or never_reached))


def _why_missing(claim: Claim, status: str, value: float) -> str:
    """Why a cell has no value on the claim's scale; empty where it has one."""
    if not math.isfinite(value) or (status != "done" and claim.metric not in STATIC):
        return f"no {claim.metric} recorded" if status == "done" else status
    if claim.scale == "ratio" and value <= 0:
        return f"{claim.metric} {value:g} has no logarithm"
    return ""


def _scaled(claim: Claim, value: float) -> float:
    return math.log(value) if claim.scale == "ratio" else value


def _combine(terms: list[float], worst_weights: list[float], worst: float) -> float:
    net = math.fsum(worst_weights)
    if abs(net) > ROUNDING * sum(map(abs, worst_weights)):
        return math.copysign(1.0, net) * worst
    total = math.fsum(terms)
    return total if abs(total) > ROUNDING * math.fsum(map(abs, terms)) else 0.0

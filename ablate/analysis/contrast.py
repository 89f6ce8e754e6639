"""The value of a claim's contrast for each seed, from a table of results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ablate.analysis.claims import ClaimLike, as_claim
from ablate.analysis.selectors import Selector, parse_selector, value_text
from ablate.errors import InputError
from ablate.schema import Claim

HIGHER_IS_BETTER = frozenset({"accuracy", "acc", "auc", "f1", "precision", "recall"})
NETWORK_PROPERTIES = frozenset({"params", "flops"})
ROUNDING = 1e-12  # a difference below this part of its terms is rounding of the sum, and counts as none

Found = Mapping[tuple[str, int], tuple[str, float]]  # (cell label, seed) -> status, value


@dataclass(frozen=True)
class ContrastValues:
    """A claim's contrast, measured.

    Attributes:
        values: the contrast by seed, for seeds with every needed cell; infinite where diverged cells decide it.
        diverged: the diverged cells, as `pre@depth=110 seed 3`, of seeds left out too.
        missing: the cells that have no value, with the reason, as `pre@depth=110 seed 3: failed`.
        absent: the selectors that match no cell at all, as in a narrowed run.
    """

    values: dict[int, float] = field(default_factory=dict)
    diverged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def worst_value(metric: str) -> float:
    """Where a diverged cell ranks on a metric: minus infinity where higher is better, else plus infinity.

    Higher is better for a metric whose last part has one of the words of `HIGHER_IS_BETTER`, such as
    `test/top5_accuracy`. All others (losses, errors, epochs, seconds) are taken to be better when lower.
    """
    words = metric.rsplit("/", 1)[-1].lower().split("_")
    return -math.inf if HIGHER_IS_BETTER & set(words) else math.inf


def contrast_values(frame: pd.DataFrame, claim: ClaimLike) -> ContrastValues:
    """Measure a claim's contrast: one value a seed, from seeds with every needed cell.

    A selector that leaves a factor open stands for the mean over that factor's cells, within the seed. All diverged
    cells count as one same value, worse than any other: the contrast is infinite with the sign of their summed weights,
    and where these cancel (both arms of a pair diverged: a tie) the other cells decide. A cell that never reached an
    `epochs_to/` threshold is treated alike. Parameters and FLOPs belong to the network, so divergence leaves them be.

    Args:
        frame: results, one row a cell: `arm`, `seed`, the factors, the metric, and `status` (all `done` without it).
        claim: what to measure.

    Raises:
        InputError: the table lacks a needed column, or has two rows for one cell.
    """
    claim = as_claim(claim)
    selectors = {parse_selector(text): weight for text, weight in claim.contrast.items() if weight != 0}
    cells = _cells(frame, selectors, claim.metric)
    weights, absent = _weights(cells, selectors)
    if absent:
        return ContrastValues(absent=absent)
    cells = cells[cells["label"].isin(list(weights))]
    _refuse_duplicates(cells)
    found = {
        (str(label), int(seed)): (str(status), float(value))
        for label, seed, status, value in cells[["label", "seed", "status", "value"]].itertuples(index=False)
    }
    return _measure(claim, weights, found)


def _cells(frame: pd.DataFrame, selectors: Iterable[Selector], metric: str) -> pd.DataFrame:
    """The table with factors as comparable text, a label for each cell without its seed, its status and its value."""
    named = [factor for selector in selectors for factor, _ in selector.factors]
    for column in ("arm", "seed", *named):
        if column not in frame.columns:
            raise InputError(f"the results have no column '{column}'; columns: {', '.join(map(str, frame.columns))}")
    columns = [str(column) for column in frame.columns]
    factors = list(dict.fromkeys([*columns[columns.index("arm") + 1 : columns.index("seed")], *named]))
    factors = [factor for factor in factors if factor != "cell"]
    cells = pd.DataFrame({"arm": frame["arm"].astype(str), "seed": frame["seed"]})
    label = cells["arm"]
    for position, factor in enumerate(factors):
        cells[f"@{factor}"] = [value_text(value) for value in frame[factor]]
        label = label + ("," if position else "@") + factor + "=" + cells[f"@{factor}"]
    cells["label"] = label
    cells["status"] = frame["status"].astype(str) if "status" in columns else "done"
    cells["value"] = pd.to_numeric(frame[metric], errors="coerce") if metric in columns else np.nan
    return cells


def _weights(cells: pd.DataFrame, selectors: Mapping[Selector, float]) -> tuple[dict[str, float], list[str]]:
    """The weight of each cell label in the contrast, and the selectors that match nothing."""
    weights: dict[str, float] = {}
    absent: list[str] = []
    for selector, weight in selectors.items():
        match = cells["arm"] == selector.arm
        for factor, value in selector.factors:
            match &= cells[f"@{factor}"] == value_text(value)
        labels = [str(label) for label in cells.loc[match, "label"].unique()]
        if not labels:
            absent.append(str(selector))
        for label in labels:
            weights[label] = weights.get(label, 0.0) + float(weight) / len(labels)
    return weights, absent


def _refuse_duplicates(cells: pd.DataFrame) -> None:
    twice = cells[cells.duplicated(["label", "seed"])]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(
            f"the results have two rows for {row['label']} seed {row['seed']}; "
            "each cell stands once, and the columns of grid factors stand between 'arm' and 'seed'"
        )


def _measure(claim: Claim, weights: Mapping[str, float], found: Found) -> ContrastValues:
    result = ContrastValues()
    for seed in sorted({seed for _, seed in found}):
        terms: list[float] = []
        worst: dict[str, float] = {}
        lacking: list[str] = []
        for label, weight in weights.items():
            status, value = found.get((label, seed), ("not in the results", math.nan))
            if _ranks_worst(claim.metric, status, value):
                worst[f"{label} seed {seed}"] = weight
            elif status in ("done", "diverged") and math.isfinite(value):
                terms.append(weight * value)
            else:
                reason = f"no {claim.metric} recorded" if status == "done" else status
                lacking.append(f"{label} seed {seed}: {reason}")
        result.missing.extend(lacking)
        result.diverged.extend(worst)
        if not lacking:
            result.values[seed] = _combine(terms, list(worst.values()), worst_value(claim.metric))
    return result


def _ranks_worst(metric: str, status: str, value: float) -> bool:
    if metric in NETWORK_PROPERTIES:
        return False
    never_reached = metric.startswith("epochs_to/") and math.isnan(value)
    return status == "diverged" or (status == "done" and (math.isinf(value) or never_reached))


def _combine(terms: list[float], worst_weights: list[float], worst: float) -> float:
    net = math.fsum(worst_weights)
    if abs(net) > ROUNDING * sum(map(abs, worst_weights)):
        return math.copysign(1.0, net) * worst
    total = math.fsum(terms)
    return total if abs(total) > ROUNDING * math.fsum(map(abs, terms)) else 0.0

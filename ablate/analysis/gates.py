"""Gates of a claim: what must hold of its cells before it may be judged.

A comparison of networks that did not train compares how they start. So a claim can require that they did
(`requires:`), and where that does not hold it is `not tested`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ablate.analysis.cells import seeds_of
from ablate.analysis.metrics import EPOCHS_TO, STATIC, metric_of
from ablate.analysis.selectors import Selector, parse_selector, value_text, values_of
from ablate.config.schema import Gate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class GateReading:
    """What the results say of one gate.

    Attributes:
        cells: the selector.
        metric: what is looked at.
        below: the mean over the seeds of every selected cell must lie below it; None where it must lie above.
        above: likewise, above.
        because: the reason for the bound.
        holds: whether it does; None where no cell has a value yet, or none is there.
        cell: the one that decides, such as `plain@depth=110`: that with the mean farthest on the wrong side.
        value: its mean over the seeds that have a value; None where a diverged cell leaves none.
        n: the number of those seeds, diverged ones among them.
        diverged: how many of them diverged.
        lacking: selected cells without any value, or what of the selector is not there at all.
    """

    cells: str
    metric: str
    below: float | None = None
    above: float | None = None
    because: str = ""
    holds: bool | None = None
    cell: str = ""
    value: float | None = None
    n: int = 0
    diverged: int = 0
    lacking: list[str] = field(default_factory=list)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> GateReading:
        """From its plain form; what is not known here is left out."""
        names = {one.name for one in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in plain.items() if name in names})

    @property
    def bound(self) -> float:
        """What the mean is held against."""
        return float(self.above if self.below is None else self.below)  # type: ignore[arg-type]


def read_gates(frame: pd.DataFrame, gates: Iterable[Gate], seeds: Collection[int] | None = None) -> list[GateReading]:
    """What a table of results says of each gate.

    A gate holds when the mean over the seeds of every selected cell does. A diverged cell fails a `below`, whatever the
    metric. Of a loss or a rate of errors it ranks as worst, and so lies above any bound; of other metrics it has no
    value that could. Parameters and FLOPs belong to the network, so divergence changes nothing of them. Failed and
    pending cells have no value and are left out.

    Args:
        frame: results, one row a cell (see `contrast_values`).
        gates: of a claim.
        seeds: those that count; None: all.
    """
    rows = frame if seeds is None else frame[[seed in seeds for seed in seeds_of(frame)]]
    return [_read(rows, gate) for gate in gates]


def _read(frame: pd.DataFrame, gate: Gate) -> GateReading:
    selector = parse_selector(gate.cells)
    reading = GateReading(gate.cells, gate.metric, gate.below, gate.above, gate.because)
    absent = _absent(frame, selector)
    if absent:
        return dataclasses.replace(reading, lacking=absent)
    means = [_mean(frame, gate, label, places) for label, places in _places(frame, selector).items()]
    known = [mean for mean in means if mean.n]
    lacking = [mean.label for mean in means if not mean.n]
    if not known:
        return dataclasses.replace(reading, lacking=lacking)
    # The one that is farthest on the wrong side; among several without a finite mean the first.
    worst = max(known, key=lambda mean: mean.value if gate.above is None else -mean.value)
    holds = worst.value < gate.below if gate.below is not None else worst.value > float(gate.above or 0.0)
    value = worst.value if math.isfinite(worst.value) else None
    return dataclasses.replace(
        reading,
        holds=False if not holds else (None if lacking else True),
        cell=worst.label, value=value, n=worst.n, diverged=worst.diverged, lacking=lacking,
    )  # fmt: skip


@dataclass(frozen=True)
class _Mean:
    label: str
    value: float
    n: int
    diverged: int


def _mean(frame: pd.DataFrame, gate: Gate, label: str, places: Sequence[int]) -> _Mean:
    """The mean of a cell over its seeds: infinite on the wrong side where a diverged one decides it."""
    statuses = frame["status"].astype(str).tolist() if "status" in frame.columns else ["done"] * len(frame)
    column = frame[gate.metric].tolist() if gate.metric in frame.columns else [math.nan] * len(frame)
    values, diverged = [], 0
    for place in places:
        status, value = statuses[place], float(column[place])
        if gate.metric in STATIC:
            status = "done"
        never_reached = gate.metric.startswith(EPOCHS_TO) and math.isnan(value)
        if status == "diverged" or (status == "done" and (math.isinf(value) or never_reached)):
            diverged += 1
            values.append(_of_diverged(gate))
        elif status == "done" and not math.isnan(value):
            values.append(value)
    return _Mean(label, math.fsum(values) / len(values) if values else math.nan, len(values), diverged)


def _of_diverged(gate: Gate) -> float:
    """What a diverged cell counts as: as worst where that is known, else as failing the gate."""
    if gate.above is None:
        return math.inf
    metric = metric_of(gate.metric)
    return math.inf if metric.is_loss or metric.is_error or gate.metric.startswith(EPOCHS_TO) else -math.inf


def _absent(frame: pd.DataFrame, selector: Selector) -> list[str]:
    """What of a selector no row has: a narrowed run lacks it."""
    for factor, text in selector.factors:
        have = {value_text(value) for value in frame[factor]} if factor in frame.columns else set()
        if not set(values_of(text)) <= have:
            return [str(selector)]
    if not set(selector.arms) <= set(frame["arm"].astype(str)) or not _places(frame, selector):
        return [str(selector)]
    return []


def _places(frame: pd.DataFrame, selector: Selector) -> dict[str, list[int]]:
    """The rows of each selected cell, by its label without the seed."""
    columns = [str(column) for column in frame.columns]
    between = columns[columns.index("arm") + 1 : columns.index("seed")] if "seed" in columns else []
    factors = [name for name in dict.fromkeys([*between, *(name for name, _ in selector.factors)]) if name != "cell"]
    found: dict[str, list[int]] = {}
    columns_of = {name: frame[name].tolist() for name in factors}
    for place, arm in enumerate(frame["arm"].astype(str)):
        point = {name: columns_of[name][place] for name in factors}
        if selector.matches(arm, point):
            at = ",".join(f"{name}={value_text(value)}" for name, value in point.items())
            found.setdefault(f"{arm}@{at}" if at else arm, []).append(place)
    return found

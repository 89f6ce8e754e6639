"""Gates of a claim: what must hold of its cells before it may be judged.

A comparison of networks that did not train compares how they start. So a claim can require that they did
(`requires:`), and where that does not hold it is `not tested`.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ablate.analysis.cells import cells_of
from ablate.analysis.metrics import STATIC, metric_of, ranks_worst
from ablate.analysis.selectors import parse_selector
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

    Raises:
        InputError: as `contrast_values`.
    """
    return [_read(frame, gate, seeds) for gate in gates]


def _read(frame: pd.DataFrame, gate: Gate, seeds: Collection[int] | None) -> GateReading:
    selector = parse_selector(gate.cells)
    reading = GateReading(gate.cells, gate.metric, gate.below, gate.above, gate.because)
    cells = cells_of(frame, [selector], gate.metric)
    labels = cells.matching(selector)
    if not labels:
        return dataclasses.replace(reading, lacking=[str(selector)])
    values: dict[str, list[float]] = {label: [] for label in labels}
    diverged = Counter[str]()
    for (label, seed), (status, value) in cells.found(labels).items():
        if seeds is not None and seed not in seeds:
            continue
        if ranks_worst(gate.metric, status, value):
            diverged[label] += 1
            values[label].append(_of_diverged(gate))
        elif (status == "done" or gate.metric in STATIC) and not math.isnan(value):
            values[label].append(value)
    means = {label: math.fsum(of_cell) / len(of_cell) for label, of_cell in values.items() if of_cell}
    lacking = [label for label in labels if label not in means]
    if not means:
        return dataclasses.replace(reading, lacking=lacking)
    # The one that is farthest on the wrong side; among several without a finite mean the first.
    cell = max(means, key=lambda label: means[label] if gate.above is None else -means[label])
    mean = means[cell]
    holds = mean < reading.bound if gate.above is None else mean > reading.bound
    return dataclasses.replace(
        reading,
        holds=False if not holds else (None if lacking else True),
        cell=cell, value=mean if math.isfinite(mean) else None, n=len(values[cell]), diverged=diverged[cell],
        lacking=lacking,
    )  # fmt: skip


def _of_diverged(gate: Gate) -> float:
    """What a diverged cell counts as: as worst where that is known, else as failing the gate."""
    if gate.above is None:
        return math.inf
    metric = metric_of(gate.metric)
    return math.inf if metric.is_loss or metric.is_error or metric.is_wait else -math.inf

"""Means over seeds: the numbers behind the report's tables and charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from scipy.special import stdtrit

from ablate.analysis.metrics import COSTS, metric_of
from ablate.report import format as fmt
from ablate.report.inputs import Inputs

SAME_COST = 1.01  # costs within this factor are one cost: a batch norm more or less is no difference in size
STATUSES = ("done", "static", "diverged", "failed", "pending")  # static: the study trains nothing


class Interval(NamedTuple):
    """A mean over `n` seeds with its 95 % t interval; the ends are NaN where n < 2."""

    mean: float
    low: float
    high: float
    n: int


def interval(values: Sequence[float]) -> Interval:
    """The mean of the finite values and its 95 % t interval."""
    finite = [float(value) for value in values if math.isfinite(value)]
    n = len(finite)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    # `fsum` rounds once, so that the order of the cells changes no digit of a report.
    mean = math.fsum(finite) / n
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in finite) / (n - 1))
    half = float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def means(inputs: Inputs, metric: str) -> pd.DataFrame:
    """A row for each arm and grid point that has a value: arm, point, factors, mean, low, high, n."""
    keys = ["arm", "point", *inputs.factors]
    rows = []
    if metric in inputs.frame:
        for place, group in inputs.frame.groupby(keys, sort=False):
            found = interval(group[metric].tolist())
            if found.n:
                rows.append((*place, *found))
    return pd.DataFrame(rows, columns=[*keys, *Interval._fields])


def costs(inputs: Inputs, metric: str) -> dict[tuple[str, str], dict[str, float]]:
    """For each arm and grid point, the mean costs that are known of the cells with a value of the metric."""
    have = [name for name in COSTS if name in inputs.frame]
    cells = inputs.frame[inputs.frame[metric].map(math.isfinite)]
    found: dict[tuple[str, str], dict[str, float]] = {}
    for (arm, point), group in cells.groupby(["arm", "point"], sort=False):
        known = {name: float(group[name].mean()) for name in have}
        found[str(arm), str(point)] = {name: cost for name, cost in known.items() if math.isfinite(cost)}
    return found


def varying_costs(inputs: Inputs, metric: str) -> list[str]:
    """The costs in which the points of a metric differ, by more than 1 %."""
    found = costs(inputs, metric).values()
    values = {name: [row[name] for row in found if name in row] for name in COSTS}
    return [name for name, known in values.items() if known and max(known) > SAME_COST * min(known)]


def pareto_front(places: Sequence[tuple[float, float]], *, higher_is_better: bool = False) -> list[bool]:
    """Whether each point is on the front: no other one has as good a value for less, or a better one for as much.

    Args:
        places: cost and value of each point.
        higher_is_better: of values; of costs, lower is.
    """
    points = [(cost, -value if higher_is_better else value) for cost, value in places]
    return [not any(other != point and other[0] <= point[0] and other[1] <= point[1] for other in points)
            for point in points]  # fmt: skip


def curve_bands(inputs: Inputs, metric: str) -> pd.DataFrame:
    """Mean, least and greatest value over the seeds of finished cells: arm, point, epoch, mean, low, high, n."""
    columns = ["arm", "point", "epoch", "mean", "low", "high", "n"]
    history = inputs.history
    if metric not in history:
        return pd.DataFrame(columns=columns)
    # Diverged cells are drawn one by one: on their way to infinity they would outweigh all others in a mean.
    done = history[(history["status"] == "done") & history[metric].notna()]
    bands = done.groupby(["arm", "point", "epoch"], sort=False)[metric].agg(["mean", "min", "max", "count"])
    return bands.reset_index().set_axis(columns, axis="columns")


def diverged_curves(inputs: Inputs, metric: str) -> pd.DataFrame:
    """The epochs that diverged cells reached with a finite value: cell, arm, point, seed, epoch, value."""
    columns = ["cell", "arm", "point", "seed", "epoch"]
    history = inputs.history
    if metric not in history:
        return pd.DataFrame(columns=[*columns, "value"])
    rows = history[(history["status"] == "diverged") & history[metric].map(math.isfinite)]
    return rows[[*columns, metric]].rename(columns={metric: "value"}).reset_index(drop=True)


def gate_bounds(inputs: Inputs, metric: str) -> dict[str, float]:
    """The bounds that gates of the claims set for a metric, as it is shown, by what is written beside each."""
    gates = [gate for verdict in inputs.verdicts for gate in verdict.gates if gate.metric == metric]
    bounds = [("below", gate.below) if gate.below is not None else ("above", gate.above) for gate in gates]
    return {
        f"gate: {side} {fmt.factor(metric) * bound:g} {metric_of(metric).unit}".strip(): fmt.factor(metric) * bound
        for side, bound in bounds
        if bound is not None
    }


def statuses(inputs: Inputs) -> dict[str, int]:
    """How many cells have each status, of those statuses that occur."""
    counts = inputs.frame["status"].value_counts()
    return {status: int(counts[status]) for status in STATUSES if status in counts}

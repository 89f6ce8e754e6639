"""Means over seeds of what probes and measurements have written: the numbers behind the charts of their tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from ablate.interfaces.chart import STEP, Chart, ChartedTable
from ablate.report import format as fmt
from ablate.report.inputs import Inputs

MOST_STEPS = 200  # points of a line over the steps of training; where there are more, neighbours are meaned
FIRST, LAST = "first look", "last look"
IN_ORDER, SORTED = "in order", "sorted by size"
SERIES = ["arm", "point", "part", "x", "mean", "low", "high", "n", "hollow"]
PLACE = ["arm", "point", "part"]  # of a line or of a row of bars


def series(inputs: Inputs, table: ChartedTable, chart: Chart) -> pd.DataFrame:
    """What a chart draws, over the finished cells: values as they are shown, so errors in per cent.

    Returns:
        Columns `arm`, `point`, `part` (what tells panels of one point apart, or ""), `x`, `mean` over the seeds, `low`
        and `high` (the least and the greatest single value that is finite), `n` seeds, `hollow` (0 or 1). Empty where
        the tables have nothing to draw.
    """
    rows = _rows(inputs, table, chart, chart.where)
    rows = rows[rows["x"].notna()]
    if rows.empty:
        return pd.DataFrame(columns=SERIES)
    if chart.over == STEP:
        rows = _thinned(rows)
    found = _over_seeds(rows, [*PLACE, "x"])
    if chart.ranked:
        found = pd.concat([_named(found, IN_ORDER), _named(_ranked(found), SORTED)], ignore_index=True)
    return found[SERIES]


def references(inputs: Inputs, table: ChartedTable, chart: Chart) -> pd.DataFrame:
    """The lines that values are compared with: `arm`, `point`, `part`, `mean`."""
    if not chart.reference:
        return pd.DataFrame(columns=[*PLACE, "mean"])
    return _over_seeds(_rows(inputs, table, chart, chart.reference), PLACE)[[*PLACE, "mean"]]


def _rows(inputs: Inputs, table: ChartedTable, chart: Chart, where: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of finished cells that a chart takes: `cell`, `arm`, `point`, `part`, `x`, `value`, `hollow`."""
    columns = ["cell", *PLACE, "x", "value", "hollow"]
    rows = table.rows
    if rows.empty or not set(chart.columns) <= set(rows.columns):
        return pd.DataFrame(columns=columns)
    for name, value in where.items():
        rows = rows[rows[name] == fmt.label(value)]
    rows = rows[rows[chart.value].abs() < math.inf]  # neither infinite nor lacking
    done = inputs.cells("done")[["cell", "arm", "point"]]
    parts = pd.Series("", index=rows.index)
    if chart.over != STEP and STEP in rows:
        parts = _looks(rows) if chart.looks == "ends" else parts.where(_is_end(rows, "max"))
        rows, parts = rows[parts.notna()], parts.dropna()
    if chart.panel:
        given = chart.panel.replace("_", " ") + " " + rows[chart.panel]
        parts = given.where(parts == "", given + ", " + parts)
    drawn = pd.DataFrame({
        "cell": rows["cell"], "part": parts, "x": rows[chart.over],
        "value": fmt.factor(chart.value) * rows[chart.value],
        "hollow": rows[chart.hollow].fillna(0) if chart.hollow else 0,
    })  # fmt: skip
    return done.merge(drawn, on="cell", how="inner")[columns]


def _looks(rows: pd.DataFrame) -> pd.Series:
    """Which look a row is of: the first of its cell, the last, or none of these."""
    looks = pd.Series([None] * len(rows), index=rows.index, dtype=object)
    looks[_is_end(rows, "max")] = LAST
    looks[_is_end(rows, "min")] = FIRST  # of a single look: what it is in any case
    return looks


def _is_end(rows: pd.DataFrame, which: Literal["min", "max"]) -> pd.Series:
    ends: pd.Series = rows.groupby("cell", sort=False)[STEP].transform(which)
    return rows[STEP] == ends


def _over_seeds(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean of the cells' means, range of all single values, and number of cells, at each place of the axis."""
    by_cell = rows.groupby([*keys, "cell"], sort=False)["value"].mean().groupby(level=list(keys), sort=False)
    every = rows.groupby(list(keys), sort=False)
    found = pd.DataFrame({
        "mean": by_cell.mean(), "low": every["value"].min(), "high": every["value"].max(), "n": by_cell.count(),
        "hollow": every["hollow"].max(),
    })  # fmt: skip
    return found.reset_index()


def _thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """Steps in at most so many groups of neighbours, each with its mean for every cell."""
    steps = sorted(rows["x"].unique())
    size = -(-len(steps) // MOST_STEPS)
    if size <= 1:
        return rows
    groups = {step: steps[place - place % size] for place, step in enumerate(steps)}
    rows = rows.assign(x=rows["x"].map(groups))
    return rows.groupby(["cell", *PLACE, "x"], sort=False, as_index=False)[["value", "hollow"]].mean()


def _ranked(found: pd.DataFrame) -> pd.DataFrame:
    """Each line with its values from the largest to the smallest, at 1, 2, 3 and so on."""
    ranks = found.groupby(PLACE, sort=False)["mean"].rank(method="first", ascending=False)
    return found.assign(x=ranks).sort_values("x", kind="stable")


def _named(found: pd.DataFrame, name: str) -> pd.DataFrame:
    return found.assign(part=[f"{part}, {name}" if part else name for part in found["part"]])

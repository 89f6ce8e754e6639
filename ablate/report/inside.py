"""Means over seeds of what probes and measurements have written: the numbers behind the charts of their tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
MOST_PANELS = 24  # more would make a page that nobody reads to its end, and that a browser takes long to draw
MOST_ACROSS = 3  # panels side by side


@dataclass(frozen=True)
class Panels:
    """What a chart of a table draws, panel by panel.

    Attributes:
        rows: as `series` gives them, with the `panel` of each, in the order of the arms and along the axis.
        rules: as `references` gives them, with the `panel` of each.
        names: of the panels, in the order in which they stand.
        across: how many stand side by side.
        left_out: how many are not drawn, for there are too many.
    """

    rows: pd.DataFrame
    rules: pd.DataFrame
    names: list[str]
    across: int
    left_out: int


def panelled(inputs: Inputs, table: ChartedTable, chart: Chart) -> Panels | None:
    """A panel for each point of the grid and each part, and of bars for each arm; None where there is nothing."""
    rows, rules = series(inputs, table, chart), references(inputs, table, chart)
    if rows.empty:
        return None
    parts = list(dict.fromkeys(rows["part"]))
    order = {"arm": inputs.arms, "point": inputs.points, "part": parts}
    keys = {name: rows[name].map(values.index) for name, values in order.items()}
    apart = ["arm", "point", "part"] if chart.form == "bars" else ["point", "part"]
    # Sorted and unsorted stand below each other; looks and statistics of one network side by side.
    places = pd.DataFrame({"panel": _names(rows, apart), **{f"#{name}": keys[name] for name in apart}})
    outer = ["#part", *(f"#{name}" for name in apart if name != "part")] if chart.ranked else [f"#{a}" for a in apart]
    names = list(dict.fromkeys(places.sort_values(outer, kind="stable")["panel"]))
    across = len(inputs.points) if chart.ranked and len(inputs.points) > 1 else len(parts)
    rows = rows.assign(panel=places["panel"], arm_place=keys["arm"]).sort_values(["arm_place", "x"], kind="stable")
    kept = names[:MOST_PANELS]
    rows = rows[rows["panel"].isin(kept)].drop(columns="arm_place")
    rules = rules.assign(panel=_names(rules, apart))
    rules = rules[rules["panel"].isin(kept)]
    return Panels(rows, rules, kept, min(across, MOST_ACROSS) if across > 1 else 2, len(names) - len(kept))


def _names(rows: pd.DataFrame, apart: Sequence[str]) -> list[str]:
    """What stands above the panel of each row."""
    return [", ".join(filter(None, texts)) for texts in zip(*(rows[name] for name in apart), strict=True)]


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

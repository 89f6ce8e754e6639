"""Charts of the tables of probes and measurements: lines and bars over places, steps or counts."""

from __future__ import annotations

import altair as alt
import pandas as pd

from ablate.interfaces.chart import STEP, Chart, ChartedTable
from ablate.report import format as fmt
from ablate.report import inside
from ablate.report.charts.style import AnyChart, arm_colour, arm_dash, cycle, panels, records, stroke_legend, tips
from ablate.report.inputs import Inputs
from ablate.report.palette import ARM_COLOURS, ARM_SHAPES

MOST_MARKS = 30  # points of a line that are marked; with more the marks would touch
HALF_BAR = 0.4  # of the distance from one bar to the next
MOST_COLUMNS = 3  # panels side by side


def table_chart(inputs: Inputs, table: ChartedTable, chart: Chart) -> AnyChart:
    """A chart as its plugin declares it, a panel for each point of the grid and for each part that it has."""
    found = inside.series(inputs, table, chart)
    rules = inside.references(inputs, table, chart)
    bars = chart.form == "bars"
    order = {name: place for place, name in enumerate(inputs.points)}
    for rows in (found, rules):
        words = [rows["arm"], rows["point"], rows["part"]] if bars else [rows["point"], rows["part"]]
        rows["panel"] = [", ".join(filter(None, texts)) for texts in zip(*words, strict=True)]
    found["#point"] = found["point"].map(order)
    found["#arm"] = found["arm"].map(inputs.arms.index) if bars else 0
    parts = list(dict.fromkeys(found["part"]))
    found["#part"] = found["part"].map(parts.index)
    # Sorted and unsorted stand below each other; looks and statistics of one network side by side.
    outer = ["#part", "#arm", "#point"] if chart.ranked else ["#arm", "#point", "#part"]
    names = list(dict.fromkeys(found.sort_values(outer, kind="stable")["panel"]))
    across = len(inputs.points) if chart.ranked and len(inputs.points) > 1 else len(parts)
    found = found.sort_values(["#arm", "x"], kind="stable").drop(columns=["#point", "#arm", "#part"])
    drawn = records(found, "value") + records(rules, "reference")
    layers = (_bars if bars else _lines)(inputs, chart, found)
    columns = min(across, MOST_COLUMNS) if across > 1 else 2
    # Networks of other depths have other places; each panel has all of its own.
    return panels(layers, drawn, "panel", names, columns, own_x=chart.over != STEP)


def _lines(inputs: Inputs, chart: Chart, found: pd.DataFrame) -> list[alt.Chart]:
    arms = inputs.arms
    base = _base(inputs, chart)
    value = base.transform_filter("datum.kind === 'value'")
    low, mean = _y(chart, found, "low"), _y(chart, found, "mean")
    dash = arm_dash(inputs, stroke_legend())
    most = max(found.groupby(["arm", "panel"]).size())
    shape = alt.Shape("arm:N", sort=arms, title=None, legend=None, scale=cycle(arms, ARM_SHAPES))
    dots = [value.mark_point(size=45, filled=True, opacity=1).encode(y=mean, shape=shape, tooltip=_tips(chart))]
    return [
        *_rule(base, chart, mean),
        value.mark_area(opacity=0.2).encode(y=low, y2="high:Q"),
        value.mark_line(strokeWidth=2).encode(y=mean, strokeDash=dash, tooltip=_tips(chart)),
        *(dots if most <= MOST_MARKS else []),
    ]


def _bars(inputs: Inputs, chart: Chart, found: pd.DataFrame) -> list[alt.Chart]:
    mean, low = _y(chart, found, "mean"), _y(chart, found, "low")
    base = _base(inputs, chart)
    value = base.transform_filter("datum.kind === 'value'")
    sides = value.transform_calculate(left=f"datum.x - {HALF_BAR}", right=f"datum.x + {HALF_BAR}")
    x = alt.X("left:Q", title=chart.axis or chart.over, axis=_ticks(chart), scale=alt.Scale(nice=False, zero=False))
    stroke = alt.Stroke("arm:N", sort=inputs.arms, scale=cycle(inputs.arms, ARM_COLOURS), legend=None)
    floor = alt.Y2Datum(0)
    full, hollow = (sides.transform_filter(f"datum.hollow === {k}") for k in (0, 1))
    drawn = {"x": x, "x2": "right:Q", "y": mean, "y2": floor, "tooltip": _tips(chart)}
    layers = [
        full.mark_bar(opacity=0.75).encode(**drawn),
        *([hollow.mark_bar(fillOpacity=0, strokeWidth=2, strokeOpacity=1).encode(stroke=stroke, **drawn)]
          if chart.hollow else []),
        value.mark_rule(strokeWidth=1.5, color="#1f2328").encode(y=low, y2="high:Q", color=alt.value("#1f2328")),
    ]  # fmt: skip
    return [*layers, *_rule(base, chart, mean)]


def _base(inputs: Inputs, chart: Chart) -> alt.Chart:
    x = alt.X("x:Q", title=chart.axis or chart.over, axis=_ticks(chart), scale=alt.Scale(nice=False, zero=False))
    legend = stroke_legend() if chart.form == "lines" else None
    return alt.Chart().encode(x=x, color=arm_colour(inputs.arms, legend))


def _ticks(chart: Chart) -> alt.Axis:
    return alt.Axis(tickMinStep=1, grid=chart.form == "lines", labelOverlap="greedy")


def _rule(base: alt.Chart, chart: Chart, mean: alt.Y) -> list[alt.Chart]:
    """The line that values are compared with, from side to side of its panel."""
    if not chart.reference:
        return []
    rule = base.transform_filter("datum.kind === 'reference'").mark_rule(strokeDash=[6, 4], strokeWidth=1.5)
    return [rule.encode(y=mean, x=alt.Undefined, tooltip=tips("arm:N", reference="mean:Q"))]


def _y(chart: Chart, found: pd.DataFrame, column: str) -> alt.Y:
    unit = fmt.metric_axis(chart.value).removeprefix(fmt.metric_name(chart.value))
    title = (chart.words or fmt.metric_name(chart.value)) + unit
    log = chart.log and float(found["low"].min()) > 0
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=chart.form == "bars")
    return alt.Y(f"{column}:Q", title=title, scale=scale, axis=alt.Axis(format="~g") if log else alt.Axis())


def _tips(chart: Chart) -> list[alt.Tooltip]:
    return tips("arm:N", "mean:Q", **{chart.over: "x:Q"}, least="low:Q", greatest="high:Q", seeds="n:Q")

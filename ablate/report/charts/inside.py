"""Charts of the tables of probes and measurements: lines and bars over places, steps or counts."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from ablate.interfaces.chart import STEP, Chart
from ablate.report import format as fmt
from ablate.report.charts.style import INK, AnyChart, arm_colour, arm_dash, cycle, panels, records, stroke_legend, tips
from ablate.report.inputs import Inputs
from ablate.report.inside import Panels
from ablate.report.palette import ARM_COLOURS, ARM_SHAPES

MOST_MARKS = 30  # points of a line that are marked; with more the marks would touch
WIDE = 1e3  # from here on a log axis has powers of ten alone
HALF_BAR = 0.4  # of the distance from one bar to the next


def table_chart(inputs: Inputs, chart: Chart, found: Panels) -> AnyChart:
    """A chart as its plugin declares it."""
    rows = _above_zero(found.rows) if _is_log(chart, found.rows) else found.rows
    layers = (_bars if chart.form == "bars" else _lines)(inputs, chart, rows)
    drawn = records(rows, "value") + records(found.rules, "reference")
    # Networks of other depths have other places; each panel has all of its own.
    return panels(layers, drawn, "panel", found.names, found.across, own_x=chart.over != STEP)


def _is_log(chart: Chart, rows: pd.DataFrame) -> bool:
    return chart.log and chart.form == "lines" and min(rows["low"]) >= 0 and max(rows["mean"]) > 0


def _above_zero(rows: pd.DataFrame) -> pd.DataFrame:
    """What a log axis can show: no means of zero, and bands that end at the smallest value above it."""
    rows = rows[rows["mean"] > 0]
    bottom = min(value for value in [*rows["low"], *rows["mean"]] if value > 0)
    return rows.assign(low=rows["low"].clip(lower=bottom))


def _lines(inputs: Inputs, chart: Chart, found: pd.DataFrame) -> list[alt.Chart]:
    arms = inputs.arms
    marked = max(found.groupby(["arm", "panel"]).size()) <= MOST_MARKS
    # The legend shows what tells arms apart without colour: the marks where there are some, else the dashes.
    legend = alt.Legend(symbolStrokeWidth=0) if marked else stroke_legend()
    base = alt.Chart().encode(x=_x(chart, found, "x"), color=arm_colour(arms, legend))
    value = base.transform_filter("datum.kind === 'value'")
    low, mean = _y(chart, found, "low"), _y(chart, found, "mean")
    shape = alt.Shape("arm:N", sort=arms, title=None, scale=cycle(arms, ARM_SHAPES))
    dots = value.mark_point(size=45, filled=True, opacity=1).encode(y=mean, shape=shape, tooltip=_tips(chart))
    dash = arm_dash(inputs, None if marked else legend)
    return [
        *_rule(inputs, chart, mean),
        value.mark_area(opacity=0.2).encode(y=low, y2="high:Q"),
        value.mark_line(strokeWidth=2).encode(y=mean, strokeDash=dash, tooltip=_tips(chart)),
        *([dots] if marked else []),
    ]


def _bars(inputs: Inputs, chart: Chart, found: pd.DataFrame) -> list[alt.Chart]:
    mean, low = _y(chart, found, "mean"), _y(chart, found, "low")
    value = alt.Chart().encode(color=arm_colour(inputs.arms)).transform_filter("datum.kind === 'value'")
    sides = value.transform_calculate(left=f"datum.x - {HALF_BAR}", right=f"datum.x + {HALF_BAR}")
    full, hollow = (sides.transform_filter(f"datum.hollow === {k}") for k in (0, 1))
    outline = alt.Stroke("arm:N", sort=inputs.arms, scale=cycle(inputs.arms, ARM_COLOURS), legend=None)
    drawn = {"x": _x(chart, found, "left"), "x2": "right:Q", "y": mean, "y2": alt.Y2Datum(0), "tooltip": _tips(chart)}
    outlined = hollow.mark_bar(fillOpacity=0, strokeWidth=2, strokeOpacity=1).encode(stroke=outline, **drawn)
    return [
        full.mark_bar(opacity=0.75).encode(**drawn),
        *([outlined] if chart.hollow else []),
        value.mark_rule(strokeWidth=1.5).encode(x=_x(chart, found, "x"), y=low, y2="high:Q", color=alt.value(INK)),
        *_rule(inputs, chart, mean),
    ]


def _rule(inputs: Inputs, chart: Chart, mean: alt.Y) -> list[alt.Chart]:
    """The line that values are compared with, from side to side of its panel."""
    if not chart.reference:
        return []
    line = alt.Chart().transform_filter("datum.kind === 'reference'").mark_rule(strokeDash=[6, 4], strokeWidth=1.5)
    colour = alt.value(INK) if chart.form == "bars" else arm_colour(inputs.arms)
    return [line.encode(y=mean, color=colour, tooltip=tips("arm:N", reference="mean:Q"))]


def _x(chart: Chart, found: pd.DataFrame, column: str) -> alt.X:
    # Vega has ticks between whole numbers where there are but a few of them, whatever its least step.
    whole = {"format": "d", "labelExpr": "datum.value % 1 ? '' : datum.label", "tickMinStep": 1}
    ticks: dict[str, Any] = whole if bool((found["x"] % 1 == 0).all()) else {}
    axis = alt.Axis(grid=chart.form == "lines", labelOverlap="greedy", **ticks)
    return alt.X(f"{column}:Q", title=chart.axis or chart.over, axis=axis, scale=alt.Scale(nice=False, zero=False))


def _y(chart: Chart, found: pd.DataFrame, column: str) -> alt.Y:
    unit = fmt.metric_axis(chart.value).removeprefix(fmt.metric_name(chart.value))
    title = (chart.words or fmt.metric_name(chart.value)) + unit
    if not _is_log(chart, found):
        return alt.Y(f"{column}:Q", title=title, scale=alt.Scale(zero=chart.form == "bars"))
    look = (
        alt.Axis(format="~e", tickCount=5) if max(found["high"]) > WIDE * min(found["low"]) else alt.Axis(format="~g")
    )
    return alt.Y(f"{column}:Q", title=title, scale=alt.Scale(type="log", nice=False), axis=look)


def _tips(chart: Chart) -> list[alt.Tooltip]:
    return tips("arm:N", "mean:Q", **{chart.over: "x:Q"}, least="low:Q", greatest="high:Q", seeds="n:Q")

"""What charts share: sizes, fonts, scales, the look of an arm, and panels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import pandas as pd

from ablate.analysis.metrics import metric_of
from ablate.report.inputs import Inputs
from ablate.report.palette import ARM_COLOURS, ARM_DASHES

WIDTH = 1040  # of the widest chart, in pixels
INK = "#1f2328"  # of words, and of what belongs to no arm
PANEL_WIDTH = 450  # of a chart that has a single panel: two of them stand side by side

Records = list[dict[str, Any]]
AnyChart = alt.LayerChart | alt.FacetChart | alt.VConcatChart | alt.HConcatChart


def themed(chart: AnyChart) -> AnyChart:
    """Sets the report's fonts and colours on a chart, which has to be a whole one and not a part of another."""
    grey, text = "#8b949e", INK
    # One assignment: each `configure_*` call would copy the chart and all its data.
    chart.config = alt.Config(
        font="Helvetica, Arial, Liberation Sans, sans-serif",
        background="white",
        padding=6,
        axis=alt.AxisConfig(
            labelFontSize=12, titleFontSize=13, titleFontWeight="normal", titlePadding=8, gridColor="#e4e7eb",
            labelColor=text, titleColor=text, domainColor=grey, tickColor=grey,
        ),
        legend=alt.LegendConfig(
            orient="top", labelFontSize=13, labelColor=text, symbolOpacity=1, symbolStrokeWidth=2.5, symbolSize=120,
        ),
        header=alt.HeaderConfig(labelColor=text),
        text=alt.MarkConfig(fontSize=12, color=text),
        view=alt.ViewConfig(stroke="#d0d7de"),
    )  # fmt: skip
    return chart


def value_scale(metric: str, values: Sequence[float], domain: Sequence[float] | None = None) -> alt.Scale:
    """A log scale for a loss that spans a factor of ten or more, else a linear one, over `domain` if it is given."""
    if is_log(metric, values):
        room = 1.15
        return alt.Scale(type="log", domain=[min(values) / room, max(values) * room], nice=False)
    if domain is not None:
        return alt.Scale(domain=list(domain), nice=False)
    return alt.Scale(zero=False)


def is_log(metric: str, values: Iterable[float]) -> bool:
    """Whether the values of a metric are drawn on a log scale."""
    finite = [value for value in values if math.isfinite(value)]
    return metric_of(metric).is_loss and bool(finite) and min(finite) > 0 and max(finite) >= 10 * min(finite)


def framed(inner: Sequence[float], outer: Iterable[float | None], floor: float = -math.inf) -> list[float]:
    """A domain that holds all of `inner`, and of `outer` what lies within the width of `inner` on each side.

    It does not go below `floor` unless `inner` does.
    """
    low, high = (min(inner), max(inner)) if inner else (0.0, 1.0)
    span = (high - low) or abs(high) / 4 or 1.0
    # The interval of two seeds may be a hundred times as wide as all points: shown whole, it would hide them.
    ends = [end for end in outer if end is not None and math.isfinite(end)]
    bottom = max(min([low, *ends]), low - span) - 0.05 * span
    top = min(max([high, *ends]), high + span) + 0.05 * span
    return [max(bottom, floor) if low >= floor else bottom, top]


def arm_colour(arms: list[str], legend: alt.Legend | None = None) -> alt.Color:
    """The colour of each arm, the same in every chart of a study."""
    return alt.Color("arm:N", sort=arms, title=None, scale=cycle(arms, ARM_COLOURS), legend=legend or alt.Legend())


def arm_dash(inputs: Inputs, legend: alt.Legend | None) -> alt.StrokeDash:
    """The dashes of each arm; the line of what the others are compared with is whole."""
    arms = inputs.arms
    ranked = sorted(arms, key=lambda arm: inputs.baseline(arm) is not None)
    looks = [ARM_DASHES[ranked.index(arm) % len(ARM_DASHES)] for arm in arms]
    scale = alt.Scale(domain=arms, range=looks)  # in the order of the colours, else each would have its own legend
    return alt.StrokeDash("arm:N", sort=arms, title=None, legend=legend, scale=scale)


def stroke_legend() -> alt.Legend:
    """A legend of lines, with their colours and dashes."""
    return alt.Legend(symbolType="stroke", symbolSize=400)


def cycle(arms: list[str], looks: Sequence[Any]) -> alt.Scale:
    """A scale that gives the arms the looks in turn, and begins again where there are more arms than looks."""
    return alt.Scale(domain=arms, range=[looks[k % len(looks)] for k in range(len(arms))])


def tips(*fields: str, **titled: str) -> list[alt.Tooltip]:
    """Tooltips for fields with their type ("value:Q"); the keys of `titled` are the titles of theirs."""
    named = [(field.partition(":")[0], field) for field in fields]
    named += [(title.replace("_", " "), field) for title, field in titled.items()]
    forms = {"Q": ".4g"}
    return [alt.Tooltip(field, title=title, format=forms.get(field[-1], "")) for title, field in named]


def records(frame: pd.DataFrame, kind: str) -> Records:
    """Rows as plain dicts of one kind, without the values that are missing."""
    rows = frame.astype(object).to_dict("records")
    return [{str(name): value for name, value in row.items() if pd.notna(value)} | {"kind": kind} for row in rows]


def data(rows: Records) -> alt.InlineData:
    """Rows as the data of a chart."""
    return alt.InlineData(values=rows)


def panels(
    layers: Sequence[alt.Chart], rows: Records, field: str, names: list[str], columns: int, *, own_x: bool = False
) -> AnyChart:
    """The layers once for each value of `field`, side by side; a single chart where there is but one value.

    With `own_x` each has a horizontal axis of its own.
    """
    chart: Any = alt.layer(*layers)
    if len(names) > 1:
        header = alt.Header(title=None, labelFontSize=13, labelFontWeight="bold")
        facet = alt.Facet(f"{field}:N", sort=names, header=header)
        sized = chart.properties(width=(WIDTH - 60) / columns - 24, height=240)
        chart = sized.facet(data=data([]), facet=facet, columns=columns)
        chart = chart.resolve_scale(x="independent") if own_x else chart
    else:
        chart = chart.properties(width=PANEL_WIDTH, height=280)
    chart.data = data(rows)  # set last, since each step above copies the data of the one before
    whole: AnyChart = chart
    return whole

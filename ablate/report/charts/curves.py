"""Learning curves."""

from __future__ import annotations

import altair as alt

from ablate.report import format as fmt
from ablate.report import summary
from ablate.report.charts.style import AnyChart, arm_colour, arm_dash, panels, records, stroke_legend, tips, value_scale
from ablate.report.inputs import Inputs

MOST_DOTS = 20  # with more epochs the single ones are not marked
MOST_TICKS = 10  # up to here every epoch has its tick; left to itself, an axis of two has ticks in between


def learning_curves(inputs: Inputs, metric: str) -> AnyChart:
    """A metric over the epochs: mean and range of the finished seeds, each diverged cell; a panel a grid point."""
    bands, lost = summary.curve_bands(inputs, metric), summary.diverged_curves(inputs, metric)
    bands[["mean", "low", "high"]] *= fmt.factor(metric)
    lost["value"] *= fmt.factor(metric)
    # A mark at the last finite epoch: without it a line that stops reads as training that was cut short.
    ends = lost.groupby(["arm", "cell"], sort=False).tail(1)
    rows = records(bands, "mean") + records(lost, "diverged") + records(ends, "end")
    scale = value_scale(metric, [*bands["low"], *bands["high"], *lost["value"]])
    epochs = sorted({*bands["epoch"], *lost["epoch"]})
    layers = _layers(inputs, fmt.metric_axis(metric), scale, epochs)
    columns = min(len(inputs.factors[inputs.varying[0]]), 4) if inputs.varying else 1
    return panels(layers, rows, "point", inputs.points, columns)


def _layers(inputs: Inputs, title: str, scale: alt.Scale, epochs: list[int]) -> list[alt.Chart]:
    dots = len(epochs) <= MOST_DOTS
    legend = stroke_legend()
    ticks = {"values": epochs} if len(epochs) <= MOST_TICKS else {"tickMinStep": 1}
    x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(format="d", **ticks), scale=alt.Scale(nice=False, zero=False))
    low, mean, value = (alt.Y(f"{field}:Q", title=title, scale=scale) for field in ("low", "mean", "value"))
    base = alt.Chart().encode(x=x, color=arm_colour(inputs.arms, legend))
    done = base.transform_filter("datum.kind === 'mean'")
    gone, end = base.transform_filter("datum.kind === 'diverged'"), base.transform_filter("datum.kind === 'end'")
    about = tips("arm:N", "epoch:Q", "mean:Q", least="low:Q", greatest="high:Q", seeds="n:Q")
    return [
        done.mark_area(opacity=0.2).encode(y=low, y2="high:Q"),
        done.mark_line(strokeWidth=2, point=dots).encode(y=mean, strokeDash=arm_dash(inputs, legend), tooltip=about),
        gone.mark_line(strokeWidth=1).encode(y=value, detail="cell:N"),
        end.mark_text(text="✕", fontSize=15).encode(y=value, tooltip=tips("arm:N", "epoch:Q", diverged_seed="seed:N")),
    ]

"""What came out after the last epoch, against what it cost."""

from __future__ import annotations

import altair as alt

from ablate.analysis.metrics import STATIC, metric_of
from ablate.report import format as fmt
from ablate.report import summary
from ablate.report.charts.outcomes import means_and_scale
from ablate.report.charts.style import INK, AnyChart, Records, arm_colour, cycle, data, tips
from ablate.report.inputs import Inputs
from ablate.report.palette import ARM_SHAPES

WIDTH, HEIGHT = 280, 220  # of a panel, in pixels: three stand side by side
LOG_SPAN = 10  # costs that differ by more than this factor are drawn on a log scale


def metric_by_cost(inputs: Inputs, metric: str) -> alt.HConcatChart:
    """A metric's means with 95 % t intervals against parameters, FLOPs and time; a panel each where it varies.

    Times are means over the same finished seeds as the metric. The points of an arm are joined. Points of the Pareto
    front are ringed, and the front is drawn as a dotted line.
    """
    means, _, scale = means_and_scale(inputs, metric)
    costs = summary.costs(inputs, metric)
    for row in means:
        row.update(costs[row["arm"], row["point"]])
        row["line"] = ", ".join(str(row[name]) for name in inputs.varying if name != inputs.axis)
    names = summary.varying_costs(inputs, metric)
    first = fmt.metric_axis(metric)
    for name in names:
        _mark_front(means, name, metric)
    drawn = [_panel(inputs, means, name, scale, None if k else first) for k, name in enumerate(names)]
    chart = alt.hconcat(*drawn, spacing=28)
    chart.data = data(means)
    return chart


def _mark_front(means: Records, cost: str, metric: str) -> None:
    """Tells the points of the front; none where it is not known which values are better, or there is but one point."""
    rows = [row for row in means if cost in row]
    if not metric_of(metric).has_a_better or len(rows) < 2:
        return
    better = metric_of(metric).higher_is_better
    front = summary.pareto_front([(row[cost], row["value"]) for row in rows], higher_is_better=better)
    for row, on_it in zip(rows, front, strict=True):
        row[f"front_{cost}"] = on_it


def _panel(inputs: Inputs, means: Records, cost: str, scale: alt.Scale, title: str | None) -> AnyChart:
    """One cost; only the first panel names the metric."""
    arms = inputs.arms
    values = [row[cost] for row in means if cost in row]
    log = min(values) > 0 and max(values) > LOG_SPAN * min(values)
    look = alt.Axis(format="~s" if cost in STATIC else "~g", tickCount=5, labelOverlap="greedy")
    reach = alt.Scale(type="log" if log else "linear", nice=False, zero=False, padding=16)
    low, value = (alt.Y(f"{field}:Q", title=title, scale=scale) for field in ("low", "value"))
    x = alt.X(f"{cost}:Q", title=fmt.metric_axis(cost), axis=look, scale=reach)
    base = alt.Chart().encode(x=x, color=arm_colour(arms))
    shape = alt.Shape("arm:N", sort=arms, title=None, scale=cycle(arms, ARM_SHAPES))
    about = tips("arm:N", "point:N", "low:Q", "high:Q", f"{cost}:Q", mean="value:Q", seeds="n:Q")
    lines = [base.mark_line(strokeWidth=1.5, opacity=0.7).encode(y=value, detail="line:N")] if inputs.axis else []
    front = alt.Chart().transform_filter(f"datum.front_{cost}").encode(x=x, y=value)
    layers = [
        front.mark_line(interpolate="step-after", strokeDash=[2, 3], strokeWidth=1.5, color=INK),
        front.mark_point(size=260, color=INK, strokeWidth=1.2, opacity=1),
        base.mark_rule(strokeWidth=2.5, clip=True).encode(y=low, y2="high:Q"),
        *lines,
        base.mark_point(size=90, filled=True, opacity=1).encode(y=value, shape=shape, tooltip=about),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)

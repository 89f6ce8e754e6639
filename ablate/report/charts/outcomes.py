"""What came out after the last epoch, against the grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from ablate.report import format as fmt
from ablate.report import summary
from ablate.report.charts.style import (
    INK,
    AnyChart,
    Records,
    arm_colour,
    cycle,
    framed,
    is_log,
    panels,
    records,
    tips,
    value_scale,
)
from ablate.report.inputs import Inputs
from ablate.report.palette import ARM_SHAPES


def metric_by_factor(inputs: Inputs, metric: str) -> AnyChart:
    """A metric against the first grid factor that varies: means, 95 % t intervals, every seed, and diverged cells.

    A study without a grid has its arms on the axis; further factors that vary make panels. Bounds that gates of claims
    set for the metric are lines.
    """
    axis = inputs.axis
    gates = summary.gate_bounds(inputs, metric)
    means, seeds, scale = means_and_scale(inputs, metric, list(gates.values()))
    rows = means + seeds + _diverged(inputs)
    for row in rows:
        row["panel"] = ", ".join(f"{name} {row[name]}" for name in inputs.varying if name != axis)
        row["at"] = row[axis] if axis else row["arm"]
        # Side by side at a value of the axis; without a grid the arms are the axis itself.
        row["lane"] = _lane(row["arm"] if axis else "", row["kind"])
    names = list(dict.fromkeys(row["panel"] for row in rows))
    rows += [{"kind": "gate", "word": word, "value": at, "panel": name} for name in names for word, at in gates.items()]
    return panels(_layers(inputs, fmt.metric_axis(metric), scale), rows, "panel", names, columns=2)


def means_and_scale(
    inputs: Inputs, metric: str, bounds: Sequence[float] = ()
) -> tuple[Records, Records, alt.Scale]:  # fmt: skip
    """The means with their intervals, the single seeds, and a scale that shows every seed, of a metric as shown.

    The scale shows `bounds`, too.
    """
    means, seeds = _means(inputs, metric), _seeds(inputs, metric)
    values = [*(row["value"] for row in seeds), *bounds]
    if is_log(metric, values):
        _lift(means, min(values) / 2)
    ends = [row.get(end) for row in means for end in ("low", "high")]
    return means, seeds, value_scale(metric, values, framed(values, ends, 0.0))


def _layers(inputs: Inputs, title: str, scale: alt.Scale) -> list[alt.Chart]:
    arms, axis = inputs.arms, inputs.axis
    low, value = (alt.Y(f"{field}:Q", title=title, scale=scale) for field in ("low", "value"))
    shape = alt.Shape("arm:N", sort=arms, title=None, scale=cycle(arms, ARM_SHAPES))
    base = alt.Chart().encode(x=_x(inputs), xOffset=_beside(inputs), color=arm_colour(arms))
    mean, seed = base.transform_filter("datum.kind === 'mean'"), base.transform_filter("datum.kind === 'seed'")
    gone = base.transform_filter("datum.kind === 'diverged'").mark_text(fontWeight="bold")
    about = tips("arm:N", "low:Q", "high:Q", mean="value:Q", seeds="n:Q")
    lines = [mean.mark_line(strokeWidth=1.5, opacity=0.7).encode(y=value)] if axis else []
    gate = alt.Chart().transform_filter("datum.kind === 'gate'").encode(y=value)
    return [
        mean.mark_rule(strokeWidth=2.5, clip=True).encode(y=low, y2="high:Q"),
        *lines,
        seed.mark_point(size=24, opacity=0.7, strokeWidth=1.2).encode(
            y=value, tooltip=tips("arm:N", "seed:N", "value:Q")
        ),
        mean.mark_point(size=110, filled=True, opacity=1).encode(y=value, shape=shape, tooltip=about),
        gone.encode(y=alt.value(-8), text="word:N", tooltip=tips("arm:N", diverged_seeds="seeds:N")),
        gate.mark_rule(strokeDash=[6, 4], strokeWidth=1.2, color=INK),
        gate.mark_text(align="left", dy=-7).encode(x=alt.value(4), text="word:N"),
    ]


def _x(inputs: Inputs) -> alt.X:
    axis = inputs.axis
    order = inputs.factors[axis] if axis else inputs.arms
    look = alt.Axis(labelAngle=0, labelLimit=140, grid=False)
    return alt.X("at:N", sort=order, scale=alt.Scale(domain=order), title=axis or "arm", axis=look)


def _beside(inputs: Inputs) -> alt.XOffset:
    """Places arms side by side at a grid value, and the seeds of an arm beside its mean."""
    lanes = [_lane(arm, kind) for arm in (inputs.arms if inputs.axis else [""]) for kind in ("mean", "seed")]
    return alt.XOffset("lane:N", sort=lanes, scale=alt.Scale(domain=lanes, paddingOuter=1))


def _lane(arm: str, kind: str) -> str:
    return f"{arm}#{'mean' if kind == 'mean' else 'seed'}"


def _means(inputs: Inputs, metric: str) -> Records:
    means = summary.means(inputs, metric).rename(columns={"mean": "value"})
    means[["value", "low", "high"]] *= fmt.factor(metric)
    return records(means, "mean")


def _seeds(inputs: Inputs, metric: str) -> Records:
    cells = inputs.frame[["arm", *inputs.factors, "seed", metric]].rename(columns={metric: "value"})
    cells["value"] *= fmt.factor(metric)
    return records(cells[cells["value"].map(math.isfinite)], "seed")


def _diverged(inputs: Inputs) -> Records:
    rows = []
    for place, cells in inputs.cells("diverged").groupby(["arm", *inputs.factors], sort=False):
        where = dict(zip(["arm", *inputs.factors], place, strict=True))
        seeds = ", ".join(str(seed) for seed in cells["seed"])
        rows.append({**where, "word": f"{len(cells)} ✕", "seeds": seeds, "kind": "diverged"})
    return rows


def _lift(means: Records, bottom: float) -> None:
    """Ends an interval that reaches zero just below the frame of a log scale, where it is cut."""
    for row in means:
        if "low" in row:
            row["low"] = max(row["low"], bottom)

"""The forest plot: each claim's effect with its interval, its seeds, and the margin."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from ablate.analysis.metrics import RELATIVE
from ablate.analysis.verdict import Verdict
from ablate.report import format as fmt
from ablate.report.charts.style import AnyChart, Records, data, framed, tips
from ablate.report.inputs import Inputs
from ablate.report.palette import VERDICT_COLOURS, VERDICT_SHAPES, VERDICT_SYMBOLS
from ablate.report.verdict_facts import expected_text

WIDTH, ROW = 560, 56  # of the frame, in pixels
BAND = "#dfe3e8"


def effects(inputs: Inputs) -> alt.VConcatChart:
    """Each claim's effect with its interval, single seeds and margin; a frame for each metric."""
    tested = [(number, verdict) for number, verdict in enumerate(inputs.verdicts, 1) if verdict.is_measured]
    kinds = dict.fromkeys((verdict.metric, verdict.measure) for _, verdict in tested)
    frames = [_frame(kind, [c for c in tested if (c[1].metric, c[1].measure) == kind]) for kind in kinds]
    return alt.vconcat(*frames, spacing=24)


def _frame(kind: tuple[str, str], claims: list[tuple[int, Verdict]]) -> AnyChart:
    metric, measure = kind
    rows = [_row(number, verdict) for number, verdict in claims]
    seeds = [seed for row, (_, verdict) in zip(rows, claims, strict=True) for seed in _seeds(row["claim"], verdict)]
    unit = fmt.difference_unit(measure)
    change = "relative change" if measure == RELATIVE.name else "difference"
    title = f"effect: {change} in {fmt.metric_name(metric)}" + (f" ({unit})" if unit else "")
    # One scale for all layers, by hand: left to itself, Vega-Lite would take in the whole of every interval.
    scale = alt.Scale(domain=_domain(rows, seeds), nice=False)
    names = alt.Axis(labelLimit=400, ticks=False, domain=False)
    y = alt.Y("claim:N", title=None, sort=[row["claim"] for row in rows], axis=names)
    layers = [*_ground(rows, seeds, y, scale, title), *_marks(rows, y, scale), *_words(rows, y)]
    return alt.layer(*layers).properties(width=WIDTH, height=ROW * len(rows))


def _ground(rows: Records, seeds: Records, y: alt.Y, scale: alt.Scale, title: str) -> list[alt.Chart]:
    """Margin, zero, and single seeds."""
    below = alt.X("below:Q", scale=scale, title=title)
    zero = alt.X("zero:Q", scale=scale, title=title)
    value = alt.X("value:Q", scale=scale, title=title)
    dots = alt.Chart(data(seeds)).mark_point(filled=True, size=26, opacity=0.45, color="#333", yOffset=11)
    return [
        alt.Chart(data(rows)).mark_bar(color=BAND, size=34).encode(y=y, x=below, x2="above:Q"),
        alt.Chart(data([{"zero": 0}])).mark_rule(color="#444", strokeDash=[3, 3]).encode(x=zero),
        dots.encode(y=y, x=value, tooltip=tips("seed:N", "value:Q")),
    ]


def _marks(rows: Records, y: alt.Y, scale: alt.Scale) -> list[alt.Chart]:
    """Intervals and means."""
    colour = alt.Color("verdict:N", legend=None, scale=_by_verdict(VERDICT_COLOURS))
    about = tips("claim:N", "verdict:N", "p:Q", effect="figure:N", margin="above:Q")
    shape = alt.Shape("verdict:N", legend=None, scale=_by_verdict(VERDICT_SHAPES))
    base = alt.Chart(data(rows)).encode(y=y, color=colour, tooltip=about)
    ranged, measured = base.transform_filter("isValid(datum.low)"), base.transform_filter("isValid(datum.effect)")
    return [
        ranged.mark_rule(strokeWidth=3, clip=True).encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        measured.mark_point(filled=True, size=130, opacity=1).encode(x=alt.X("effect:Q", scale=scale), shape=shape),
    ]


def _words(rows: Records, y: alt.Y) -> list[alt.Chart]:
    """Verdict and figures, right of the frame."""
    base = alt.Chart(data(rows)).encode(y=y, x=alt.value(WIDTH + 12))
    colour = alt.Color("verdict:N", legend=None, scale=_by_verdict(VERDICT_COLOURS))
    return [
        base.mark_text(align="left", fontWeight="bold", dy=-8).encode(text="word:N", color=colour),
        base.mark_text(align="left", dy=9).encode(text="figure:N"),
    ]


def _by_verdict(looks: dict[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(looks), range=list(looks.values()))


def _row(number: int, verdict: Verdict) -> dict[str, Any]:
    k, word = fmt.factor(verdict.measure), verdict.verdict
    interval = (verdict.effect, verdict.low, verdict.high)
    effect, low, high = (None if value is None else k * value for value in interval)
    figure = f"{fmt.effect(verdict.measure, *interval)}  {fmt.effect_interval(verdict.measure, *interval)}"
    if effect is None:
        perfect = f", {fmt.plural(len(verdict.perfect), 'cell')} of value 0" if verdict.perfect else ""
        figure = f"no finite effect: {fmt.plural(len(verdict.diverged), 'cell')} diverged{perfect}"
    below, above = (0.0 if math.isnan(bound) else bound for bound in verdict.bounds)
    return {
        "claim": f"{number} · {verdict.id.replace('_', ' ')}  (expected {expected_text(verdict)})",
        "verdict": word, "word": f"{VERDICT_SYMBOLS[word]} {word}", "figure": figure, "p": verdict.p,
        "effect": effect, "low": low, "high": high, "below": k * below, "above": k * above,
    }  # fmt: skip


def _seeds(claim: str, verdict: Verdict) -> Records:
    k = fmt.factor(verdict.measure)
    return [{"claim": claim, "seed": s, "value": k * v} for s, v in verdict.values.items() if math.isfinite(v)]


def _domain(rows: Records, seeds: Records) -> list[float]:
    inner = [row[name] for row in rows for name in ("effect", "below", "above") if row[name] is not None]
    outer = [row[name] for row in rows for name in ("low", "high")]
    return framed([0.0, *inner, *(seed["value"] for seed in seeds)], outer)

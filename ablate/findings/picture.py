"""All verdicts at a glance: a row a study, a mark a claim, told apart by shape as well as by colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from ablate.findings.stored import Stored
from ablate.report import format as fmt
from ablate.report.charts.style import AnyChart, data
from ablate.report.figures import Figure
from ablate.report.palette import VERDICT_COLOURS, VERDICT_SHAPES

ROW, STEP = 19, 26  # of a study, and from one mark to the next, in pixels


def overview(studies: Sequence[Stored]) -> Figure:
    """The picture, as a figure that draws itself when it is asked for its SVG."""
    return Figure("RESULTS", "All verdicts at a glance", lambda: _chart(studies))


def counted(studies: Sequence[Stored]) -> dict[str, int]:
    """How many claims have each verdict; every verdict is there."""
    words = [verdict.verdict for study in studies for verdict in study.verdicts]
    return {word: words.count(word) for word in VERDICT_COLOURS}


def _chart(studies: Sequence[Stored]) -> AnyChart:
    rows: list[dict[str, Any]] = [
        {"study": study.name, "claim": place, "verdict": verdict.verdict, "says": verdict.says}
        for study in studies
        for place, verdict in enumerate(study.verdicts, 1)
    ]
    counts = counted(studies)
    words = [word for word in VERDICT_COLOURS if counts[word]]
    labels = [*(f"datum.label == '{word}' ? '{counts[word]} {word}'" for word in words), "datum.label"]
    legend = alt.Legend(
        orient="top", title=None, columns=len(words), symbolSize=130,
        labelExpr=" : ".join(labels),
    )  # fmt: skip
    most = max((len(study.verdicts) for study in studies), default=1)
    names = [study.name for study in studies]
    y = alt.Y("study:N", sort=names, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False, grid=True))
    x = alt.X("claim:Q", title=None, axis=None, scale=alt.Scale(domain=[0.5, most + 0.5], nice=False))
    base = alt.Chart(data(rows)).encode(y=y, x=x)
    colour = alt.Color(
        "verdict:N", legend=legend, scale=alt.Scale(domain=words, range=[VERDICT_COLOURS[word] for word in words])
    )
    shape = alt.Shape(
        "verdict:N", legend=legend, scale=alt.Scale(domain=words, range=[VERDICT_SHAPES[word] for word in words])
    )
    marks = base.mark_point(size=130, filled=True, opacity=1).encode(color=colour, shape=shape, tooltip=["says:N"])
    title = f"{fmt.plural(sum(counts.values()), 'claim')} in {fmt.plural(len(studies), 'study')}, one mark each"
    return alt.layer(marks).properties(width=STEP * most, height=ROW * max(1, len(names)), title=title)

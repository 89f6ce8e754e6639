"""The answer in the terminal: the claims in lines that wrap at any width, the means, the cells without a result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from ablate.report import claims, content, tables
from ablate.report import format as fmt
from ablate.report.blocks import Table
from ablate.report.inputs import Inputs, Outcome, gather
from ablate.report.palette import VERDICT_SYMBOLS, VERDICT_TERMINAL

# What stands in for signs that a console without Unicode cannot print.
_PLAIN = str.maketrans({fmt.MINUS: "-", fmt.ABSENT: "-", "×": "x", "±": "+-", "≈": "~", "✓": "+", "✗": "x", "·": "-"})


def terminal_table(console: Console, study: Mapping[str, Any], frame: pd.DataFrame, verdicts: Iterable[Any]) -> None:
    """Prints verdicts, means by arm and grid point, and the failed and diverged cells.

    Args:
        console: where to.
        study: what was planned, as in study.yaml.
        frame: a row a cell; errors are fractions.
        verdicts: objects with `to_dict()`, or their dicts.
    """
    inputs = gather(study, frame, verdicts=verdicts)
    for outcome in inputs.outcomes:
        _print_claim(console, outcome, width=max(len(other.word) for other in inputs.outcomes))
    for metric in inputs.headline:
        title = f"{fmt.metric_name(metric)}: mean over the finished seeds ± half of its 95 % interval"
        console.print(_text(console, title))
        console.print(_means(console, inputs, metric))
    for line in [content.headline(inputs), *content.warnings(inputs), *_lost(inputs)]:
        console.print(_text(console, line))


def _print_claim(console: Console, outcome: Outcome, width: int) -> None:
    """Verdict, claim and figures on one line where it is wide enough, else on two; below it the words."""
    verdict = _text(console, f"{VERDICT_SYMBOLS[outcome.word]} {outcome.word:<{width}}")
    verdict.stylize(f"bold {VERDICT_TERMINAL[outcome.word]}")
    head, figures = verdict + _text(console, f"  {outcome.id}"), _text(console, _figures(outcome))
    fits = head.cell_len + 2 + figures.cell_len <= console.width
    console.print(head + _text(console, "  ") + figures if fits else head)
    paper = claims.paper(outcome)
    below = [*([] if fits else [figures]), _text(console, outcome.sentence or outcome.says)]
    limits = _text(console, outcome.not_shown)
    for text in (*below, limits, _text(console, f"paper: {paper}" if paper else "")):
        if text:
            console.print(Padding(text, (0, 0, 0, 4), expand=False))
    console.print()


def _figures(outcome: Outcome) -> str:
    """Effect, interval, n and p: "+0.067 [+0.032, +0.103]  n 6  p 0.009 (Holm 0.018)"."""
    if outcome.effect is None:
        return f"no finite effect  n {outcome.n}" if outcome.has_evidence else ""
    size = (outcome.measure, outcome.effect, outcome.low, outcome.high)
    if outcome.test == "exact":
        return f"{fmt.effect(*size, unit=True)}  exact"
    interval = fmt.effect_interval(*size)
    effect = fmt.effect(*size, unit=True) + ("" if interval == fmt.ABSENT else f" {interval}")
    return "  ".join(filter(None, [effect, f"n {outcome.n}", _p(outcome)]))


def _p(outcome: Outcome) -> str:
    """The p that the verdict rests on: for or against equivalence where no effect is expected, else of an effect."""
    if outcome.expect == "zero" and outcome.p_equivalence is not None:
        if outcome.verdict == "contradicted":
            return f"p (beyond the margin, Holm) {fmt.p_value(outcome.p_holm)}"
        return f"p (equivalence) {fmt.p_value(outcome.p_equivalence)}"
    holm = "" if outcome.p_holm is None else f" (Holm {fmt.p_value(outcome.p_holm)})"
    return "" if outcome.p is None else f"p {fmt.p_value(outcome.p)}{holm}"


def _means(console: Console, inputs: Inputs, metric: str) -> RichTable:
    layouts = tables.means_layouts(inputs, metric)
    plain = next((layout for layout in layouts if _width(layout) <= console.width), layouts[-1])
    table = _grid(console, plain.header, numbers=range(plain.names, len(plain.header)))
    for row in plain.rows:
        table.add_row(*(_text(console, cell) for cell in row))
    return table


def _width(table: Table) -> int:
    """The columns that a table takes in a terminal, where two cells stand three apart."""
    columns = zip(table.header, *table.rows, strict=True)
    return sum(max(map(cell_len, column)) + 3 for column in columns)


def _grid(console: Console, header: list[str], numbers: Iterable[int]) -> RichTable:
    lines = box.SIMPLE_HEAD if _unicode(console) else box.ASCII2
    table = RichTable(box=lines, pad_edge=False)
    right = set(numbers)
    for k, name in enumerate(header):
        table.add_column(_text(console, name), justify="right" if k in right else "left", overflow="fold")
    return table


def _lost(inputs: Inputs) -> list[str]:
    rows = inputs.cells("diverged", "failed").to_dict("records")
    return [f"{row['status']}: {tables.place(row)}: {row['reason'] or 'no reason recorded'}" for row in rows]


def _text(console: Console, text: str) -> Text:
    """Text without markup, in signs that the console can print."""
    return Text(text if _unicode(console) else text.translate(_PLAIN))


def _unicode(console: Console) -> bool:
    return (console.encoding or "").lower().startswith("utf")

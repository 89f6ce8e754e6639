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

from ablate.analysis.peeking import alarms
from ablate.analysis.verdict import EXACT, Verdict
from ablate.report import content, tables, verdict_facts
from ablate.report import format as fmt
from ablate.report.blocks import Table
from ablate.report.inputs import Inputs, gather
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
    for verdict in inputs.verdicts:
        _print_claim(console, verdict, width=max(len(other.verdict) for other in inputs.verdicts))
    for metric in inputs.headline:
        title = f"{fmt.metric_name(metric)}: mean over the finished seeds ± half of its 95 % interval"
        console.print(_text(console, title))
        console.print(_means(console, inputs, metric))
    for line in [content.headline(inputs), *content.warnings(inputs), *_lost(inputs)]:
        console.print(_text(console, line))


def _print_claim(console: Console, verdict: Verdict, width: int) -> None:
    """Verdict, claim and figures on one line where it is wide enough, else on two; below it the words."""
    word = _text(console, f"{VERDICT_SYMBOLS[verdict.verdict]} {verdict.verdict:<{width}}")
    word.stylize(f"bold {VERDICT_TERMINAL[verdict.verdict]}")
    head, figures = word + _text(console, f"  {verdict.id}"), _text(console, _figures(verdict))
    fits = head.cell_len + 2 + figures.cell_len <= console.width
    console.print(head + _text(console, "  ") + figures if fits else head)
    paper = verdict_facts.paper(verdict)
    below = [*([] if fits else [figures]), _text(console, verdict.sentence or verdict.says)]
    for alarm in alarms(verdict):
        below.append(_text(console, alarm))
        below[-1].stylize("yellow")
    limits = _text(console, verdict.not_shown)
    for text in (*below, limits, _text(console, f"paper: {paper}" if paper else "")):
        if text:
            console.print(Padding(text, (0, 0, 0, 4), expand=False))
    console.print()


def _figures(verdict: Verdict) -> str:
    """Effect, interval, n and p: "+0.067 [+0.032, +0.103]  n 6  p 0.009 (Holm 0.018)"."""
    if verdict.effect is None:
        return f"no finite effect  n {verdict.n}" if verdict.is_measured else ""
    size = (verdict.measure, verdict.effect, verdict.low, verdict.high)
    if verdict.test == EXACT:
        return f"{fmt.effect(*size, unit=True)}  exact"
    interval = fmt.effect_interval(*size)
    effect = fmt.effect(*size, unit=True) + ("" if interval == fmt.ABSENT else f" {interval}")
    return "  ".join(filter(None, [effect, f"n {verdict.n}", _p(verdict)]))


def _p(verdict: Verdict) -> str:
    """The p that the verdict rests on: for or against equivalence where no effect is expected, else of an effect."""
    if verdict.expect == "zero" and verdict.p_of_equivalence is not None:
        if verdict.verdict == "contradicted":
            return f"p (beyond the margin, Holm) {fmt.p_value(verdict.p_holm)}"
        return f"p (equivalence) {fmt.p_value(verdict.p_of_equivalence)}"
    holm = "" if verdict.p_holm is None else f" (Holm {fmt.p_value(verdict.p_holm)})"
    return "" if verdict.p is None else f"p {fmt.p_value(verdict.p)}{holm}"


def _means(console: Console, inputs: Inputs, metric: str) -> RichTable:
    layouts = tables.means_layouts(inputs, metric)
    # The widest that fits; a table that is folded in the middle of its numbers cannot be read.
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

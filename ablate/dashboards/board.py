"""What a dashboard shows of a study, whoever draws it: curves by arm, metrics over the grid, and verdicts in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.analysis.metrics import STANDARD, metric_of
from ablate.analysis.verdict import Verdict
from ablate.report import format as fmt
from ablate.report import verdict_facts
from ablate.report.markdown import escape
from ablate.report.palette import ARM_COLOURS, VERDICT_SYMBOLS
from ablate.run.results import columns_of, load_history, load_study, stored_verdicts
from ablate.study.record import CellRecord, StudyRecord
from ablate.system.reading import BrokenFile

NO_CURVES = ("epoch", "lr", "seconds")  # columns of a history that are no metric
FINAL = "test/error"  # shown at the end besides what the claims are about


@dataclass(frozen=True)
class Board:
    """What is shown of a study.

    Attributes:
        study: the name of its folder, by which its runs are tagged.
        title: its name.
        question: that it asks.
        source: where its claims come from.
        command: that runs it again.
        cells: how many it has: a panel that shows fewer runs would leave some out in silence.
        arms: each with its colour.
        factors: that vary, with their values.
        points: of the grid; one that is empty where nothing varies.
        curves: metrics that are drawn over the epochs.
        finals: metrics that are drawn as they ended.
        claims: each verdict as Markdown.
        broken: histories that are not whole and so were left out, a line each.
    """

    study: str
    title: str
    question: str
    source: str
    command: str
    cells: int
    arms: dict[str, str]
    factors: dict[str, list[Any]]
    points: list[dict[str, Any]]
    curves: list[str]
    finals: list[str]
    claims: list[str]
    broken: list[str]

    @property
    def numeric(self) -> list[str]:
        """The factors whose values are numbers, against which a metric can be drawn."""
        return [name for name, values in self.factors.items() if all(map(_is_number, values))]


def board_of(folder: Path) -> Board:
    """The board of a stored study; what it has not measured or judged yet is left out.

    Args:
        folder: `runs/NAME`.

    Raises:
        InputError: no study there, or a file of it cannot be read.
    """
    record = load_study(folder)
    cells = list({cell.id: cell for cell in record.cells}.values())
    verdicts = _verdicts(folder, record)
    arms = dict.fromkeys(cell.arm for cell in cells)
    colours = {arm: ARM_COLOURS[place % len(ARM_COLOURS)] for place, arm in enumerate(arms)}
    factors = _factors(record, cells)
    history = load_history(folder)
    no_metrics = {*NO_CURVES, *(name for cell in cells for name in columns_of(cell))}
    return Board(
        study=folder.absolute().name, title=record.name, question=record.question, source=record.source,
        command=record.command, cells=len(cells), arms=colours, factors=factors, points=_points(cells, factors),
        curves=[str(name) for name in history.columns if name not in no_metrics] or list(STANDARD),
        finals=list(dict.fromkeys([FINAL, *(verdict.metric for verdict in verdicts)])),
        claims=[markdown_of(verdict) for verdict in verdicts], broken=history.attrs["broken"],
    )  # fmt: skip


def markdown_of(verdict: Verdict) -> str:
    """A claim in words: what it says, the verdict with its sentence, effect, interval, n, and what the paper has."""
    effect = fmt.effect(verdict.measure, verdict.effect, verdict.low, verdict.high, unit=True)
    figures = [f"effect {effect}", verdict_facts.interval(verdict)] if verdict.effect is not None else []
    paper = verdict_facts.paper(verdict)
    head = f"**{VERDICT_SYMBOLS[verdict.verdict]} {verdict.verdict}: {escape(verdict.says or verdict.id)}**"
    parts = [head, escape(verdict.sentence), escape(", ".join([*figures, f"n {verdict.n}"]))]
    return "\n\n".join([part for part in parts if part] + ([f"Paper: {escape(paper)}"] if paper else []))


def title_of(metric: str) -> str:
    """A metric in words, and what its numbers are."""
    known = metric_of(metric)
    return f"{known.words} (a fraction)" if known.is_error else known.words


def point_of(point: Mapping[str, Any]) -> str:
    """A place of the grid in words."""
    return ", ".join(f"{name} {fmt.label(value)}" for name, value in point.items())


def _verdicts(folder: Path, record: StudyRecord) -> list[Verdict]:
    """As they were stored; of a study that nobody has judged its claims."""
    stored = stored_verdicts(folder)
    try:
        return [Verdict.from_dict(plain) for plain in (record.claims if stored is None else stored)]
    except (AttributeError, TypeError, ValueError) as error:
        raise BrokenFile(f"{folder / 'verdicts.json'} is not whole; report {folder} makes it anew") from error


def _factors(record: StudyRecord, cells: Iterable[CellRecord]) -> dict[str, list[Any]]:
    """The factors that take several values, those of the grid in its order."""
    found: dict[str, list[Any]] = {name: [] for name in (*record.grid, *record.zip)}
    for cell in cells:
        for name, value in cell.factors.items():
            if value not in found.setdefault(name, []):
                found[name].append(value)
    return {name: values for name, values in found.items() if len(values) > 1}


def _points(cells: Iterable[CellRecord], factors: Mapping[str, Any]) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = []
    for cell in cells:
        point = {name: cell.factors[name] for name in factors if name in cell.factors}
        if point not in points:
            points.append(point)
    return points


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

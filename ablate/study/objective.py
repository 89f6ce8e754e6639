"""The number that a sweep is to make small or large: a metric, as the mean over the cells of each of its jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.analysis import parse_selector
from ablate.analysis.claims import refuse_unrecorded
from ablate.analysis.selectors import ANY
from ablate.errors import InputError, unknown
from ablate.study.cells import Cell

FORM = "write it as a metric, such as test/loss, or as {metric: test/loss, cells: 'pre@depth=110'}"
FIELDS = ("metric", "cells")


@dataclass(frozen=True)
class Objective:
    """What `study.objective` asks for.

    Attributes:
        metric: that is averaged.
        cells: over which, as a selector.
    """

    metric: str
    cells: str = ANY

    def of(self, cells: Sequence[Cell]) -> list[Cell]:
        """Those of these cells that it speaks of."""
        selector = parse_selector(self.cells)
        return [cell for cell in cells if selector.matches(cell.arm, cell.factors)]


def as_objective(asked: Any) -> Objective:
    """`study.objective` as it was written.

    Raises:
        InputError: it has another form.
    """
    given = asked if isinstance(asked, Mapping) else {"metric": asked}
    for name in given:
        if name not in FIELDS:
            raise unknown("field of study.objective", name, FIELDS)
    for name, value in given.items():
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"study.objective: {name} is {value}; {FORM}")
    if "metric" not in given:
        raise InputError(f"study.objective has no metric; {FORM}")
    parse_selector(given.get("cells", ANY))
    return Objective(**given)


def check_objective(
    objective: Objective,
    cells: Sequence[Cell],
    recorded: Callable[[Sequence[Cell]], set[str]],
    would_record: Mapping[str, str],
) -> None:
    """Refuse an objective that no cell records. One whose cells were taken away by what was typed is no error here.

    Args:
        objective: of the study.
        cells: of the study.
        recorded: the metrics that some of these cells record.
        would_record: what would record others, by the first part of their names.

    Raises:
        InputError: it is one; says what is recorded.
    """
    spoken_of = objective.of(cells) or cells
    refuse_unrecorded("metric of study.objective", objective.metric, recorded(spoken_of), would_record)


def refuse_empty_objective(objective: Objective, cells: Sequence[Cell]) -> None:
    """Refuse an objective without cells, where a sweeper waits for its value.

    Raises:
        InputError: it speaks of no cell of the study.
    """
    if not objective.of(cells):
        known = sorted({f"{cell.arm}@{cell.point}" if cell.point else cell.arm for cell in cells})
        raise unknown("cells of study.objective", objective.cells, known)

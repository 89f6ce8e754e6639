"""How far a cell of a study is: whether it is finished, and what it lacks of what the study asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.measure.asked import Asked, Lacking
from ablate.run.store import Found, Store
from ablate.study.cells import Cell
from ablate.study.plan import Study


@dataclass(frozen=True)
class Standing:
    """How far a cell is.

    Attributes:
        found: its result, in the study or elsewhere in the store; None where it has none.
        lacking: what that lacks.
    """

    found: Found | None
    lacking: Lacking

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing to do."""
        return self.found is not None and not self.lacking

    @property
    def is_measured(self) -> bool:
        """Whether what it lacks can be had from the weights that it kept."""
        return self.found is not None and bool(self.lacking) and not self.lacking.needs_training


def standing_of(study: Study, store: Store, cell: Cell, *, others: bool = False) -> Standing:
    """How far a cell of a study is.

    Args:
        study: as planned.
        store: of it.
        cell: of the study.
        others: measurements count that need the networks of other arms.

    Raises:
        InputError: a result file of the store is broken.
    """
    asked = Asked.of(cell.config, study.keep)
    asked = asked if others else asked.alone()
    found = store.find(cell, cell.code if study.rerun == "stale" else None, asked)
    return Standing(found, Lacking() if found is None else asked.lacking(found.folder, found.result))


def told(standings: Mapping[str, Standing]) -> list[str]:
    """A line for those that are trained again, and one for those that are measured: nothing of it in silence.

    Args:
        standings: of cells that something is done for, by ID.
    """
    again = [one.lacking for one in standings.values() if one.found is not None and one.lacking.needs_training]
    measured = [one.lacking for one in standings.values() if one.is_measured]
    lines = []
    if again:
        lines.append(f"{_cells(again)} trained again: {_reasons([str(one) for one in again])}")
    if measured:
        names = [name for one in measured for name in one.measurements]
        lines.append(f"{_cells(measured)} measured on the weights kept: {', '.join(dict.fromkeys(names))}")
    return lines


def other_code(study: Study, store: Store) -> list[str]:
    """A line for each probe and measurement whose columns were made by other code than today's, and stay as they are.

    Raises:
        InputError: a result file of the store is broken.
    """
    counts: Counter[str] = Counter()
    for cell in study.once:
        if asked := Asked.of(cell.config, study.keep):
            found = store.find(cell, None, asked)
            counts.update(asked.by_other_code(found.result) if found else ())
    return [
        f"{name}: {'1 cell has' if count == 1 else f'{count} cells have'} it from other code than today's; "
        "rerun=stale has it anew"
        for name, count in counts.items()
    ]


def _cells(ones: Sequence[object]) -> str:
    return "1 finished cell is" if len(ones) == 1 else f"{len(ones)} finished cells are"


def _reasons(texts: Sequence[str]) -> str:
    counts = Counter(texts)
    return "; ".join(text if len(counts) == 1 else f"{text} ({count})" for text, count in counts.items())

"""Which cells of a study are trained when: all at once, or look by look until its claims are decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from ablate.run.results import load_results
from ablate.run.store import Store
from ablate.study.cells import Cell
from ablate.study.plan import Study

if TYPE_CHECKING:
    from ablate.analysis import Verdict


def first_cells(study: Study, store: Store) -> list[Cell]:
    """The cells to begin with: of the first look, and those that an earlier run of the study has ended already."""
    if not study.seeds.looks:
        return study.cells
    first = set(study.seeds.first)
    return [cell for cell in study.cells if cell.seed in first or (store.cell(cell.id) / "result.json").exists()]


def next_cells(study: Study, store: Store, cells: Sequence[Cell], console: Console) -> list[Cell]:
    """These cells with those of the next look that some open claim speaks of; the same ones where none is left.

    A claim that is decided needs no more seeds, and a cell that no open claim names can change no verdict.
    """
    if not study.seeds.looks:
        return list(cells)
    from ablate.analysis import judge  # behind pandas and scipy, which a study with one look does without here

    verdicts = judge(load_results(store.folder), study.claims, looks=study.seeds.looks, grid=study.grid)
    # With the arm: a cell that two arms share stands in the study once for each.
    places = {(cell.id, cell.arm) for cell in cells}
    for claim, verdict in zip(study.claims, verdicts, strict=True):
        if verdict.open and verdict.look is not None:
            following = next(look for look in study.seeds.looks if look > verdict.look)
            places |= {(cell.id, cell.arm) for cell in study.cells_of(study.seeds.up_to(following), [claim])}
    # In the study's order, in which its table and its report have them.
    more = [cell for cell in study.cells if (cell.id, cell.arm) in places]
    if len(more) > len(cells):
        console.print(_told(verdicts, len(more) - len(cells)), highlight=False)
    return more


def _told(verdicts: Sequence[Verdict], more: int) -> str:
    waiting = [verdict for verdict in verdicts if verdict.open]
    seen = max(verdict.look or 0 for verdict in waiting)
    names = ", ".join(verdict.id for verdict in waiting)
    decided = len(verdicts) - len(waiting)
    return f"after {seen} seeds {decided} of {len(verdicts)} claims are decided; {more} more cells for {names}"

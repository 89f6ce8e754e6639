"""From a study that leaves options to measurement (`trainer=auto`) to one whose cells are frozen whole."""

from __future__ import annotations

from dataclasses import replace

from ablate.run.store import Store
from ablate.study import conflicts
from ablate.study.cells import cell_of
from ablate.study.plan import Study
from ablate.tuning import choose, with_choice


def settled(study: Study) -> Study:
    """The study with values in the place of each `auto`, the same ones in all cells, and what was picked in `chosen`.

    Raises:
        InputError: nothing can be measured here, or two arms that differed in nothing else have become the same.
    """
    choice = choose([cell.config for cell in study.once], Store(study.runs, study.folder).folder)
    if not choice:
        return study
    cells = [cell_of(cell.arm, cell.factors, with_choice(cell.config, choice)) for cell in study.cells]
    conflicts.refuse_twins(cells, study.arms)
    return replace(study, cells=cells, chosen=choice)

"""From a study that leaves options to measurement (`trainer=auto`) to one whose cells are frozen whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ablate.cell.callbacks import build_callbacks
from ablate.errors import InputError
from ablate.measure.asked import check_looking_on
from ablate.run.store import Store
from ablate.study import conflicts
from ablate.study.cells import cell_of
from ablate.study.plan import Study
from ablate.training.numerics import AUTO
from ablate.tuning import choose, with_choice


def settled(study: Study) -> Study:
    """The study with values in the place of each `auto`, the same ones in all cells, and what was picked in `chosen`.

    Raises:
        InputError: nothing can be measured here, or two arms that differed in nothing else have become the same.
    """
    configs = [cell.config for cell in study.once]
    choice = choose(configs, Store(study.runs, study.folder).folder, eager=any(map(looks_into_steps, configs)))
    if not choice:
        return study
    cells = [cell_of(cell.arm, cell.factors, with_choice(cell.config, choice)) for cell in study.cells]
    conflicts.refuse_twins(cells, study.arms)
    return replace(study, cells=cells, chosen=choice)


def looks_into_steps(config: Mapping[str, Any]) -> bool:
    """Whether a cell leaves it open how steps are compiled, and has a probe or a callback that cannot bear it."""
    if config["trainer"]["compile"] != AUTO:
        return False
    eager, compiled = ({**config, "trainer": {**config["trainer"], "compile": way}} for way in ("none", "inductor"))
    for check in (check_looking_on, build_callbacks):
        check(eager)  # what is wrong with it anyway is said
        try:
            check(compiled)
        except InputError:
            return True
    return False

"""Cells per hour by slots: of one-core slots side by side, over one of them, and over cells with all threads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from ablate import registry
from ablate.bench.figure import Figure, at_least, interleaved, seconds
from ablate.bench.setting import Setting, digits_cells
from ablate.interfaces.engine import CellPlace, Job, Listener
from ablate.run.scheduling import run_jobs
from ablate.run.store import RESULT, Store
from ablate.study.plan import Cell
from ablate.system.quotas import cores

BOUND = 1.9  # for two slots
SERIAL_BOUND = 1.6  # over cells one after the other, with as many threads as PyTorch takes by default
CELLS = 6
EPOCHS = 4  # cells of about a second: the start of each is a small part of it
CELLS_PER_GPU = 4


class Quiet(Listener):
    """Shows nothing; a cell that fails ends the bench."""

    def failed(self, job: Job, reason: str) -> None:
        """The figure would be wrong."""
        raise RuntimeError(f"{job.id} failed: {reason}")

    def again(self, job: Job, reason: str) -> None:
        """The figure would be wrong."""
        raise RuntimeError(f"{job.id} ended early: {reason}")


def cells_per_hour(setting: Setting) -> Iterator[Figure]:
    """Of ResNet-20 on digits: of one slot with one thread, of as many as there are cores, and the ratio.

    On a CPU also over cells one after the other that have all cores. On a GPU the slots are cells that share it.
    """
    cells = digits_cells(20, 1 if setting.smallest else EPOCHS, 2 if setting.smallest else CELLS)
    more = cores() if setting.device == "cpu" else CELLS_PER_GPU

    def rate(slots: int, threads: int = 1) -> float:
        return len(cells) / _run(cells, slots, threads) * 3600

    several, one, ratios = interleaved(lambda: rate(more), lambda: rate(1), setting.pairs)
    yield Figure("ResNet-20, digits, one slot", "cells/h", one)
    yield Figure(f"ResNet-20, digits, {more} slots", "cells/h", several)
    yield at_least("the second over the first", "x", ratios, BOUND * more / 2 if setting.device == "cpu" else 2.0)
    if setting.device == "cpu" and more > 1:
        _, serial, ratios = interleaved(lambda: rate(more), lambda: rate(1, threads=more), setting.pairs)
        yield Figure(f"ResNet-20, digits, one cell at a time with {more} threads", "cells/h", serial)
        yield at_least(f"{more} slots over that", "x", ratios, SERIAL_BOUND * more / 2)


def _run(cells: list[Cell], slots: int, threads: int) -> float:
    engine = registry.build("engine", {"name": "local", "slots": slots})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), "bench")
        store.prepare()
        places = [CellPlace(cell.id, store.freeze(cell), store.lock_file(cell.id)) for cell in cells]
        jobs = [Job((place,), 1.0, threads) for place in places]
        return seconds(lambda: run_jobs(engine, jobs, Quiet(), lambda job: (job.folder / RESULT).exists()))

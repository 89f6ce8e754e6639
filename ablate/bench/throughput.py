"""Cells per hour by slots: of one-core slots side by side, over one of them, and over cells with all threads."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ablate import registry
from ablate.bench.figure import Figure, Measured, at_least, interleaved, seconds
from ablate.bench.machine import slots_share_cores
from ablate.bench.setting import Setting, digits_cells
from ablate.errors import AblateError
from ablate.interfaces.engine import CellPlace, Job, Listener
from ablate.run.scheduling import run_jobs
from ablate.run.store import RESULT, Store
from ablate.run.stored_result import read_result
from ablate.study.plan import Cell
from ablate.system.quotas import cores

BOUND = 1.9  # for two slots with a core each
SERIAL_BOUND = 1.6  # over cells one after the other, with as many threads as PyTorch takes by default
GPU_BOUND = 2.0
EPOCHS = 4  # of the first trial
CELLS_PER_GPU = 4


class Quiet(Listener):
    """Shows nothing; a cell that fails ends the bench."""

    def failed(self, job: Job, reason: str) -> None:
        """The figure would be wrong."""
        raise AblateError(f"bench: {job.id} failed: {reason}")

    def again(self, job: Job, reason: str) -> None:
        """The figure would be wrong."""
        raise AblateError(f"bench: {job.id} ended early: {reason}")


def cells_per_hour(setting: Setting) -> Measured:
    """Of ResNet-20 on digits: of one slot with one thread, of as many as there are cores, and the ratio.

    On a CPU also over cells one after the other that have all cores. On a GPU the slots are cells that share it. Each
    slot trains one cell at a time: a rate is of cells, and one slot needs no more of them than one of several.
    """
    on_cpu = setting.device == "cpu"
    more = cores() if on_cpu else CELLS_PER_GPU
    epochs = setting.count(_trained, 1 if setting.smallest else EPOCHS)
    cells = digits_cells(20, epochs, more)

    def rate(slots: int, threads: int = 1) -> float:
        return slots / _run(cells[:slots], threads)[0] * 3600

    bound = _bound(BOUND, more) if on_cpu else GPU_BOUND
    for pairs in interleaved(lambda: rate(more), lambda: rate(1), setting.pairs):
        yield [
            Figure("ResNet-20, digits, one slot", "cells/h", pairs.theirs, pairs.of),
            Figure(f"ResNet-20, digits, {more} slots", "cells/h", pairs.ours, pairs.of),
            at_least("the second over the first", "x", pairs.ratios, pairs.of, bound),
        ]
    if on_cpu and more > 1:
        name, bound = f"ResNet-20, digits, one cell at a time with {more} threads", _bound(SERIAL_BOUND, more)
        for pairs in interleaved(lambda: rate(more), lambda: rate(1, threads=more), setting.pairs):
            yield [
                Figure(name, "cells/h", pairs.theirs, pairs.of),
                at_least(f"{more} slots over that", "x", pairs.ratios, pairs.of, bound),
            ]


def _bound(of_two: float, slots: int) -> float | None:
    """In proportion to the slots; none where they share cores: what a second thread of a core adds is the CPU's."""
    return None if slots_share_cores() else of_two * slots / 2


def _trained(epochs: int) -> float:
    """Seconds that a cell trains, without its start."""
    return _run(digits_cells(20, epochs, 1), 1)[1]


def _run(cells: list[Cell], threads: int) -> tuple[float, float]:
    """Seconds of all these cells side by side, and of the longest training among them."""
    engine = registry.build("engine", {"name": "local", "slots": len(cells)})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), "bench")
        store.prepare()
        places = [CellPlace(cell.id, store.freeze(cell), store.lock_file(cell.id)) for cell in cells]
        jobs = [Job((place,), 1.0, threads) for place in places]
        taken = seconds(lambda: run_jobs(engine, jobs, Quiet(), lambda job: (job.folder / RESULT).exists()))
        trained = [read_result(place.folder / RESULT)["metrics"]["seconds"] for place in places]
    return taken, max(trained)

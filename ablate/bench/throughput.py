"""Cells per hour of one-core slots side by side, over the same cells one after the other with default threads."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ablate import registry
from ablate.bench.figure import Figure, at_least, ratios, seconds
from ablate.interfaces.run import Job, Report
from ablate.processes import cores
from ablate.store import Store
from ablate.study import Cell

BOUND = 1.6


class Quiet(Report):
    """Counts nothing and shows nothing; a cell that fails ends the bench."""

    def started(self, job: Job) -> None:
        """Nothing to tell."""

    def ended(self, job: Job) -> None:
        """Nothing to tell."""

    def failed(self, job: Job, reason: str) -> None:
        """The figure would be wrong."""
        raise RuntimeError(f"{job.id} failed: {reason}")

    def again(self, job: Job, reason: str) -> None:
        """The figure would be wrong."""
        raise RuntimeError(f"{job.id} ended early: {reason}")

    def is_done(self, job: Job) -> bool:
        """Whether the cell's result is there."""
        return (job.folder / "result.json").exists()

    def tick(self) -> None:
        """Nothing to draw."""


def cells_per_hour(cells: list[Cell], pairs: int) -> Figure:
    """The ratio of rates; serial cells get as many threads as there are cores, as PyTorch does by default."""
    values = ratios(lambda: _run(cells, slots=1, threads=cores()), lambda: _run(cells, slots=2, threads=1), pairs)
    return at_least("cells per hour of two one-core slots over serial cells", "x", values, BOUND)


def _run(cells: list[Cell], slots: int, threads: int) -> float:
    engine = registry.build("engine", {"name": "local", "slots": slots, "threads": threads})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), "bench")
        store.prepare()
        jobs = [Job(cell.id, store.freeze(cell), store.lock_file(cell.id), 1.0) for cell in cells]
        return seconds(lambda: engine.run(jobs, Quiet()))

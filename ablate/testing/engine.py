"""What an engine must do."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, cast

import pytest

from ablate import registry
from ablate.interfaces.engine import CellPlace, Engine, Job, Listener, Slot
from ablate.run.process import is_taken
from ablate.run.scheduling import run_jobs
from ablate.run.store import Store
from ablate.study.plan import plan_study
from ablate.testing._base import Conformance

TINY = ("depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500")
BROKEN = """
import os
from ablate import Augment, InputError, register

@register('augment', 'broken')
class Broken(Augment):
    def draw(self, samples, generator):
        {draw}
    def apply(self, images, choices):
        return images
"""


class Recorder(Listener):
    """Writes down what an engine tells.

    Attributes:
        told: what was told of which cell, in order: "started", "again", "ended" or "failed", and the cell's ID.
        reasons: what was said of the processes that ended without a result.
        ticks: how often the engine gave the display its turn.
    """

    def __init__(self, on_tick: Callable[[], None] = lambda: None) -> None:
        self.told: list[tuple[str, str]] = []
        self.reasons: list[str] = []
        self.ticks = 0
        self.on_tick = on_tick

    def started(self, job: Job) -> None:
        self.told.append(("started", job.id))

    def ended(self, job: Job) -> None:
        self.told.append(("ended", job.id))

    def failed(self, job: Job, reason: str) -> None:
        self.told.append(("failed", job.id))
        self.reasons.append(reason)

    def again(self, job: Job, reason: str) -> None:
        self.told.append(("again", job.id))
        self.reasons.append(reason)

    def tick(self) -> None:
        self.ticks += 1
        self.on_tick()

    def whats(self, job: Job) -> list[str]:
        """What was told of one cell."""
        return [what for what, which in self.told if which == job.id]


class EngineConformance(Conformance):
    """Tests of an engine, with cells of about a second.

    Attributes:
        tries: how often the engine, with `options`, starts a cell whose process ends without a result.
    """

    kind = "engine"
    tries: ClassVar[int] = 2

    @pytest.fixture(autouse=True)
    def _workshop(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A working directory of the test's own, whose plugins are forgotten behind it."""
        monkeypatch.chdir(tmp_path)
        with registry.isolated():
            yield

    def make(self) -> Engine:
        """The engine."""
        return cast(Engine, registry.build(self.kind, self.node))

    def run(self, *jobs: Job) -> Recorder:
        """Let the engine run cells; gives what it told."""
        report = Recorder()
        run_jobs(self.make(), jobs, report, has_result)
        return report

    def test_every_cell_is_trained_and_ends_once(self) -> None:
        jobs = [job_of(f"seed={seed}") for seed in range(3)]
        report = self.run(*jobs)
        assert {job.id: report.whats(job) for job in jobs} == {job.id: ["started", "ended"] for job in jobs}
        assert all(map(has_result, jobs)), "the engine says that a cell has ended which has no result"
        assert report.ticks > 0, "the display follows the clock by tick()"

    def test_a_cell_that_is_done_is_not_run(self) -> None:
        job = job_of()
        (job.folder / "result.json").write_text("{}")
        assert self.run(job).whats(job) == ["ended"]
        assert {file.name for file in job.folder.iterdir()} == {"cell.yaml", "result.json"}

    def test_no_cells_are_no_work(self) -> None:
        assert self.run().told == []

    def test_a_cell_whose_process_dies_is_tried_again_and_fails_once(self) -> None:
        bad, good = broken_job("os._exit(7)"), job_of()
        report = self.run(bad, good)
        assert report.whats(bad) == ["started", "again"] * (self.tries - 1) + ["started", "failed"]
        assert report.whats(good) == ["started", "ended"]
        assert len(report.reasons) == self.tries
        assert all(reason and "\n" not in reason for reason in report.reasons)

    def test_a_cell_whose_input_is_wrong_is_not_tried_again(self) -> None:
        bad = broken_job("raise InputError('there are no such pictures')")
        report = self.run(bad)
        assert report.whats(bad) == ["started", "failed"]
        (reason,) = report.reasons
        assert "there are no such pictures" in reason
        assert "\n" not in reason

    def test_a_plugin_that_ends_the_process_is_no_ending_of_the_cell(self) -> None:
        bad = broken_job("raise SystemExit(75)")  # the code of a cell that another study trains, which waits for it
        report = self.run(bad)
        assert report.whats(bad) == ["started", "again"] * (self.tries - 1) + ["started", "failed"]
        assert all("broken.py line" in reason for reason in report.reasons)

    def test_an_interrupt_stops_what_runs(self) -> None:
        jobs = [job_of("trainer.epochs=2000", f"seed={seed}") for seed in range(2)]

        def interrupt() -> None:
            if any((job.folder / "history.csv").exists() for job in jobs):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_jobs(self.make(), jobs, Recorder(interrupt), has_result)
        assert [job.id for job in jobs if is_taken(job)] == [], "these are still being trained"

    def test_telling_its_slots_starts_nothing(self, tmp_path: Path) -> None:
        before = multiprocessing.active_children()
        slots = self.make().slots(5)
        assert len(slots) <= 5
        assert all(isinstance(slot, Slot) and slot.device and slot.cores >= 1 for slot in slots)
        assert multiprocessing.active_children() == before
        assert list(tmp_path.iterdir()) == []


def job_of(*overrides: str) -> Job:
    """A cell of the smallest network, ready to be run, in the store of the working directory."""
    typed = {text.partition("=")[0]: text for text in (*TINY, *overrides)}  # the last word wins
    (cell,) = plan_study(list(typed.values())).cells
    store = Store("runs", "conformance")
    store.prepare()
    return Job((CellPlace(cell.id, store.freeze(cell), store.lock_file(cell.id)),), cost=1.0)


def broken_job(draw: str) -> Job:
    """A cell with an augmentation of the user's own, of which `draw` is what happens in each epoch."""
    plugins = Path("plugins")
    plugins.mkdir()
    (plugins / "broken.py").write_text(BROKEN.format(draw=draw))
    return job_of("augment=broken")


def has_result(job: Job) -> bool:
    """Whether the cell is finished."""
    return bool((job.folder / "result.json").exists())

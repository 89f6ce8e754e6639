"""Cells with a plugin of a test's own, trained by the local engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ablate import Job, registry
from ablate.config.compose import prepare
from ablate.run import scheduling
from ablate.run.scheduling import run_jobs
from ablate.study.plan import plan_study
from ablate.testing.engine import Recorder, has_result
from tests.cells import TINY, job_of, last_wins

PLUGIN = """import ctypes, os, posix, signal, subprocess, sys, threading, time
from pathlib import Path
from ablate import Augment, InputError, register

@register('augment', 'mine')
class Mine(Augment):
    def draw(self, samples, generator):
        {draw}
    def apply(self, images, choices):
        return images
"""
LINE = 8  # of `draw`'s body


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Job]]]:
    """A folder with an augmentation of one's own, of which `draw` is what happens in each epoch.

    Gives a job that uses it, and a healthy one.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scheduling, "POLL_SECONDS", 0.02)
    (tmp_path / "plugins").mkdir()

    def make(draw: str, *overrides: str) -> list[Job]:
        (tmp_path / "plugins" / "mine.py").write_text(PLUGIN.format(draw=draw.replace("\n", "\n        ")))
        typed = [*TINY, "trainer.epochs=1", "data.batch_size=500", *overrides]
        cells = [plan_study(last_wins(*typed, *more)).cells[0] for more in (["augment=mine"], [])]
        return [job_of(tmp_path / "runs", cell, cost=cost) for cell, cost in zip(cells, (2.0, 1.0), strict=True)]

    with registry.isolated():
        yield make


@pytest.fixture
def run() -> Callable[..., Recorder]:
    """Let the local engine run jobs; gives what was told."""

    def run(*jobs: Job, report: Recorder | None = None, **options: Any) -> Recorder:
        report = report or Recorder()
        prepare()
        engine = registry.build("engine", {"name": "local", "slots": 1, "retries": 0, **options})
        run_jobs(engine, jobs, report, has_result)
        return report

    return run

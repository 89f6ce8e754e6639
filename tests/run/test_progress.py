"""One display for the whole study."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from ablate.interfaces.engine import CellPlace, Job
from ablate.run import progress
from ablate.run.progress import StudyProgress


def job(name: str, cost: float = 1.0) -> Job:
    return Job((CellPlace(name, Path(name), Path(name)),), cost)


JOBS = [job("long", 3.0), job("short"), job("other")]


class Clock:
    now = 0.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    return clock


Started = Callable[..., tuple[StudyProgress, io.StringIO]]


@pytest.fixture
def start() -> Started:
    def start(*, terminal: bool = True, done: int = 2) -> tuple[StudyProgress, io.StringIO]:
        file = io.StringIO()
        console = Console(file=file, force_terminal=terminal, width=120, color_system=None)
        cost = sum(job.cost for job in JOBS)
        return StudyProgress(console, done + len(JOBS), done, cost), file

    return start


def shown(progress: StudyProgress) -> str:
    """The display's line as it stands."""
    progress.tick()
    return progress._bar.tasks[0].description


def test_it_counts_cells(start: Started, clock: Clock) -> None:
    display, _ = start()
    assert shown(display).startswith("2 of 5 cells done · 0 running · time left: known after the first cell")
    long, short, other = JOBS
    display.started(long)
    display.started(short)
    assert shown(display).startswith("2 of 5 cells done · 2 running")
    display.ended(short)
    assert shown(display).startswith("3 of 5 cells done · 1 running")
    display.again(long, "killed by signal 9")
    assert shown(display).startswith("3 of 5 cells done · 0 running")
    display.started(long)
    display.failed(long, "killed by signal 9")
    assert "3 of 5 cells done · 0 running · [red]1 failed[/]" in shown(display)
    display.started(other)
    display.ended(other)
    assert shown(display).startswith("4 of 5 cells done · 0 running")


def test_a_cell_that_another_study_ends_was_never_running_here(start: Started, clock: Clock) -> None:
    display, _ = start()
    long, _, other = JOBS
    display.started(long)
    display.ended(other)
    assert shown(display).startswith("3 of 5 cells done · 1 running")


def test_the_time_left_follows_the_cost_of_what_is_done(start: Started, clock: Clock) -> None:
    display, _ = start()
    long, short, other = JOBS
    clock.now = 5.0  # imports, which come but once
    for one in (long, short):
        display.started(one)
    clock.now = 65.0
    display.ended(long)
    assert shown(display).endswith("40 s left"), "three fifths of the cost took a minute"
    clock.now = 305.0
    assert shown(display).endswith("3 min 20 s left")
    display.ended(other)
    assert shown(display).endswith("1 min 40 s left"), "what another study did leaves the sum, and counts for no speed"
    display.ended(short)
    assert shown(display).endswith(" 0 s left")


def test_a_cell_that_failed_is_no_time_left(start: Started, clock: Clock) -> None:
    display, _ = start()
    long, short, _ = JOBS
    for one in (long, short):
        display.started(one)
    display.failed(long, "no memory")
    clock.now = 60.0
    display.ended(short)
    assert shown(display).endswith("1 min 00 s left"), "one cell of two took a minute"


def test_hours_are_said_as_hours(start: Started, clock: Clock) -> None:
    display, _ = start()
    display.started(JOBS[1])
    clock.now = 3600.0
    display.ended(JOBS[1])
    assert shown(display).endswith("4 h 00 min left")


def test_all_cells_of_a_job_count(start: Started, clock: Clock) -> None:
    display, _ = start()
    two = [Job(tuple(CellPlace(f"{name}{n}", Path(name), Path(name)) for n in range(2)), 1.0) for name in "ab"]
    for one in two:
        display.started(one)
    display.ended(two[0])
    display.failed(two[1], "no memory")
    assert "4 of 5 cells done · 0 running · [red]2 failed[/]" in shown(display)


def run_through(display: StudyProgress) -> None:
    with display:
        for one in JOBS:
            display.started(one)
            display.tick()
            display.ended(one)
            display.tick()


def test_a_terminal_shows_it_and_is_clean_afterwards(start: Started) -> None:
    display, file = start()
    run_through(display)
    assert "5 of 5 cells done" in file.getvalue()
    assert file.getvalue().endswith("\x1b[2K"), "the line is erased"


def test_nothing_is_drawn_where_there_is_no_terminal(start: Started) -> None:
    display, file = start(terminal=False)
    run_through(display)
    assert file.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_cell_that_is_started_again_says_why(start: Started, terminal: bool) -> None:
    """Also where nothing is drawn: a crash should not pass in silence."""
    display, file = start(terminal=terminal)
    display.started(JOBS[0])
    display.again(JOBS[0], "killed by signal 9 in attempt 1; its log ends: [/usr/lib] [red] no memory")
    text = "long: killed by signal 9 in attempt 1; its log ends: [/usr/lib] [red] no memory; it will be started again\n"
    assert text in file.getvalue()

"""Studies that are told to wandb, in the test's own process and without training, and what it has made of them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from wandb.util import get_core_path

from ablate import registry
from ablate.run.following import Followers
from ablate.testing.tracker import VERDICT, Study
from tests.wandb_server import Run

Step = Callable[[], object]


@contextmanager
def told(
    study: Study, asked: Sequence[str] | None = None, console: Console | None = None, **options: Any
) -> Iterator[Followers]:
    """What tells wandb of a run of a study."""
    tracker = registry.build("tracker", {"name": "wandb", **options})
    with Followers({"wandb": tracker}, study.folder, console or Console(file=io.StringIO())) as followers:
        followers.begin(study.record, asked)
        yield followers


def follow(
    study: Study, *, asked: Sequence[str] | None = None, midway: Step | None = None, stop: bool = False, **options: Any
) -> str:
    """Let a run of a study train its unfinished cells and tell wandb; what the user is told.

    Args:
        study: that is run.
        asked: the cells that the command is about.
        midway: done when the first cell has two rows, which were told.
        stop: the run is interrupted then.
        options: of the tracker.
    """
    said = io.StringIO()
    with told(study, asked, Console(file=said, width=500), **options) as followers:
        for cell in study.unfinished:
            followers.started(study.job(cell))
            study.train(cell, rows=2)
            followers.tick()
            wait_for(followers)
            if midway:
                midway()
                midway = None
            if stop:
                break
            study.train(cell, rows=3)
            study.end(cell)
            followers.ended(study.job(cell))
        else:
            followers.judged([VERDICT])
    return said.getvalue()


def wait_for(followers: Followers) -> None:
    """Until all that was told by now has been handed over, or the tracker has stopped."""
    for one in followers._all:
        while one._thread.is_alive() and not one._queue.empty():
            one._thread.join(0.01)


def finished(name: str = "study", title: str = "") -> Study:
    """A study that has ended, and was told to nobody."""
    study = Study(name, title)
    for cell in study.unfinished:
        study.train(cell, rows=3)
        study.end(cell)
    return study


def history(folder: Path) -> list[dict[str, float]]:
    """The rows of a cell's `history.csv`."""
    with (folder / "history.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def plain(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of wandb without what it adds of its own."""
    return [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]


def is_whole(run: Run, folder: Path) -> bool:
    """Whether a run has the rows of a cell, each of them once."""
    rows = history(folder)
    steps = [row["_step"] for row in run.rows]
    return plain(run.rows) == rows and steps == [row["epoch"] for row in rows] and run.streamed == len(rows)


def offline_runs(folder: Path) -> list[Path]:
    """The files of the offline runs below a folder."""
    return sorted(folder.rglob("offline-run-*/*.wandb"))


def wandb(*arguments: str | Path) -> str:
    """What a command of wandb's own prints."""
    command = Path(sys.executable).with_name("wandb")
    done = subprocess.run([command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return done.stdout


def read_back(file: Path) -> list[dict[str, Any]]:
    """The records of an offline run, by wandb's own reader."""
    # As `wandb leet inspect --json FILE`, without the second that the command takes to start.
    command = [get_core_path(), "leet", "inspect", "--no-observability", "--json", "--run-file", file]
    done = subprocess.run([*command, file.parents[1]], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows_of(file: Path) -> list[dict[str, Any]]:
    """The history of an offline run."""
    return [record["history"]["item"] for record in read_back(file) if record["type"] == "history"]


def exit_code_of(file: Path) -> int:
    """What an offline run ended with."""
    (code,) = [record["exit"].get("exit_code", 0) for record in read_back(file) if record["type"] == "exit"]
    return int(code)

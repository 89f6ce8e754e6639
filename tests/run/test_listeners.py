"""Who is told how the jobs of a study go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ablate.interfaces.engine import CellPlace, Job, Listener
from ablate.run.execution import Failures
from ablate.run.listeners import Several

TOLD = [("started",), ("ended",), ("failed", "no memory"), ("again", "killed"), ("tick",)]


def job_in(folder: Path, *names: str) -> Job:
    return Job(tuple(CellPlace(name, folder / name, folder / f"{name}.lock") for name in names), 1.0)


def test_a_failure_is_kept_here_and_in_the_folder_of_each_cell_of_the_job(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    failures = Failures()
    failures.started(job_in(tmp_path, "a", "b"))
    failures.failed(job_in(tmp_path, "a", "b"), "no memory")
    failures.again(job_in(tmp_path, "c"), "killed by signal 9")
    failures.ended(job_in(tmp_path, "c"))
    assert failures.reasons == {"a": "no memory", "b": "no memory"}
    assert {path.parent.name: json.loads(path.read_text()) for path in tmp_path.rglob("failure.json")} == {
        "a": {"reason": "no memory"},
        "b": {"reason": "no memory"},
    }


class Recorder(Listener):
    def __init__(self, name: str, told: list[Any]) -> None:
        self.name, self.told = name, told

    def started(self, job: Job) -> None:
        self.told.append((self.name, "started", job.id))

    def ended(self, job: Job) -> None:
        self.told.append((self.name, "ended", job.id))

    def failed(self, job: Job, reason: str) -> None:
        self.told.append((self.name, "failed", job.id, reason))

    def again(self, job: Job, reason: str) -> None:
        self.told.append((self.name, "again", job.id, reason))

    def note(self, text: str) -> None:
        self.told.append((self.name, "note", text))

    def tick(self) -> None:
        self.told.append((self.name, "tick"))


@pytest.mark.parametrize("what", TOLD, ids=lambda what: what[0])
def test_several_listeners_are_told_in_their_order(what: tuple[str, ...], tmp_path: Path) -> None:
    told: list[Any] = []
    several = Several([Recorder("one", told), Recorder("other", told)])
    name, *reason = what
    about = [] if name == "tick" else [job_in(tmp_path, "a")]
    getattr(several, name)(*about, *reason)
    ids = [job.id for job in about]
    assert told == [("one", name, *ids, *reason), ("other", name, *ids, *reason)]


def test_a_note_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Any] = []
    Several([Recorder("one", told), Recorder("last", told)]).note("two of three fit")
    assert told == [("last", "note", "two of three fit")]
    Several([Recorder("one", told), Listener()]).note("two of three fit")
    assert capsys.readouterr() == ("", "two of three fit\n")

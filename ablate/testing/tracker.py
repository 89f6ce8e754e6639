"""What a tracker must do."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from ablate import registry
from ablate.interfaces.engine import CellPlace, Job
from ablate.interfaces.tracker import Tracker
from ablate.run.following import Followers
from ablate.run.position import PLACE
from ablate.study.record import CellRecord, StudyRecord
from ablate.system.files import make_folder, write_json, write_text, write_yaml
from ablate.testing._base import Conformance

HOSTILE = "a \"study\" of <b>blocks</b>, {x} and 'y' → 🙂"
ROWS = [f"{epoch},0.1,{1 / epoch},0.5,{1.5 / epoch},0.6,0.25" for epoch in (1, 2, 3)]
HEAD = "epoch,lr,train/loss,train/error,test/loss,test/error,seconds"
VERDICT = {"id": "claim", "verdict": "supported", "effect": 0.5, "n": 6, "metric": "test/loss"}


class TrackerConformance(Conformance):
    """Tests of a tracker, told of a study of two cells that was written by hand."""

    kind = "tracker"

    @pytest.fixture(autouse=True)
    def _workshop(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A working directory of the test's own."""
        monkeypatch.chdir(tmp_path)
        with registry.isolated():
            yield

    def make(self) -> Tracker:
        """The tracker, as each run of a study has it anew."""
        return cast(Tracker, registry.build(self.kind, self.node))

    def mirrored(self, folder: Path) -> Any:
        """What the tracker has made of a study by now; by default the files that it has added to the study's folder.

        Override it where it keeps them elsewhere, as on a server.
        """
        files, of_store = _files(folder), _files_of_store(folder)
        return {
            name: content for name, content in files.items() if name not in of_store and Path(name).parts[0] != PLACE
        }

    def follow(self, study: Study, *, until: str = "end") -> str:
        """Let a run of a study tell the tracker all that there is; what it says of a tracker that does not keep up.

        Args:
            study: that is told of.
            until: `rows`: the run is interrupted while the first cell trains.
        """
        said = io.StringIO()
        with Followers({self.name: self.make()}, study.folder, Console(file=said, width=300)) as followers:
            followers.begin(study.record)
            for cell in study.unfinished:
                followers.started(study.job(cell))
                study.train(cell, rows=2)
                followers.tick()
                if until == "rows":
                    break
                study.train(cell, rows=3)
                study.end(cell)
                followers.ended(study.job(cell))
            else:
                followers.judged([VERDICT])
        return said.getvalue() if followers.stopped else ""

    def test_building_it_reaches_out_to_nothing(self, tmp_path: Path) -> None:
        self.make()
        assert list(tmp_path.iterdir()) == []

    def test_a_study_is_told_without_an_error(self) -> None:
        study = Study("study")
        assert self.follow(study) == ""
        assert self.mirrored(study.folder), "there is nothing of it anywhere"

    def test_a_study_that_is_run_again_adds_nothing(self) -> None:
        study = Study("study")
        self.follow(study)
        before = self.mirrored(study.folder)
        assert self.follow(study) == ""
        assert self.mirrored(study.folder) == before

    def test_a_run_that_was_interrupted_goes_on(self) -> None:
        study = Study("study")
        assert self.follow(study, until="rows") == ""
        assert self.follow(study) == ""
        after = self.mirrored(study.folder)
        assert self.follow(study) == ""
        assert self.mirrored(study.folder) == after

    def test_failures_and_further_tries_are_told(self) -> None:
        study, said = Study("study"), io.StringIO()
        with Followers({self.name: self.make()}, study.folder, Console(file=said, width=300)) as followers:
            followers.begin(study.record)
            followers.started(study.job("one"))
            followers.again(study.job("one"), "killed by signal 9")
            followers.started(study.job("one"))
            followers.failed(study.job("one"), "no memory")
        assert not followers.stopped, said.getvalue()

    def test_names_are_text_whatever_is_in_them(self) -> None:
        study = Study("study", HOSTILE)
        assert self.follow(study) == ""

    def test_the_stores_files_stay_as_they_are(self) -> None:
        study, untouched = Study("study", "title"), Study("untouched", "title")
        self.follow(study)
        for cell in untouched.unfinished:
            untouched.train(cell, rows=3)
            untouched.end(cell)
        assert _files_of_store(study.folder) == _files_of_store(untouched.folder)


class Study:
    """A study of two cells in the working directory, whose files are written by hand."""

    def __init__(self, name: str, title: str = "") -> None:
        self.folder = make_folder(Path("runs", name).absolute())
        cells = [
            CellRecord(cell, title or cell, {"depth": 20}, seed, "code") for seed, cell in enumerate(("one", "two"))
        ]
        self.record = StudyRecord(title or name, cells, [], question=title, command="python -m ablate")
        write_yaml(self.folder / "study.yaml", self.record.to_dict())

    @property
    def unfinished(self) -> list[str]:
        """The cells without a result."""
        return [cell.id for cell in self.record.cells if not (self.place(cell.id) / "result.json").exists()]

    def place(self, cell: str) -> Path:
        """The folder of a cell."""
        return self.folder / "cells" / cell

    def job(self, cell: str) -> Job:
        """That trains a cell."""
        return Job((CellPlace(cell, self.place(cell), self.folder / f"{cell}.lock"),), 1.0)

    def train(self, cell: str, rows: int) -> None:
        """Write so many rows of its history."""
        make_folder(self.place(cell))
        write_yaml(self.place(cell) / "cell.yaml", {"id": cell, "code": "code", "config": {"seed": 0, "depth": 20}})
        write_text(self.place(cell) / "history.csv", "\n".join([HEAD, *ROWS[:rows]]) + "\n")

    def end(self, cell: str) -> None:
        """Write its result."""
        metrics = {"train/loss": 1 / 3, "train/error": 0.4, "test/loss": 0.5, "test/error": 0.6, "probe/empty": None}
        metrics |= {"params": 10, "flops": 20, "seconds": 0.75}
        about = {"status": "done", "reason": "", "code": "code", "finished": "2026-01-01T00:00:00+00:00"}
        write_json(self.place(cell) / "result.json", {"id": cell, "metrics": metrics, **about})


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _files_of_store(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in _files(folder).items() if Path(name).parts[0] in ("cells", "study.yaml")}

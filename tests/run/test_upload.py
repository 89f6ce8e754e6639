"""`upload`: a stored study told to trackers, each thing once, whatever it ran with and however far it came."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablate import FollowedCell, FollowedStudy, register, registry
from ablate.__main__ import main
from ablate.config.compose import prepare
from ablate.errors import NotMirrored
from ablate.run.upload import upload_study
from ablate.system.files import make_folder, write_json, write_yaml
from ablate.system.locks import locked
from ablate.system.paths import PACKAGE
from ablate.testing.tracker import VERDICT, Study
from tests.run.test_following import Failing, Noting, known

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

pytestmark = pytest.mark.usefixtures("here")
CELL = [("row", 1.0), ("row", 2.0), ("row", 3.0), ("ended", "done")]


@pytest.fixture
def noting(here: Path) -> Iterator[Noting]:
    with registry.isolated():
        known(tracker := Noting())
        yield tracker


def finished(name: str = "study") -> Study:
    """A study of two cells that has ended, with a verdict, and was told to nobody."""
    study = Study(name)
    for cell in study.unfinished:
        study.train(cell, rows=3)
        study.end(cell)
    write_json(study.folder / "verdicts.json", {"study": name, "claims": [VERDICT]})
    return study


def upload(study: Study, *options: str) -> str:
    text = io.StringIO()
    upload_study(study.folder, options or ("tracker=noting",), Console(file=text, width=300))
    return text.getvalue()


def of(noting: Noting, arm: str) -> list[Any]:
    return [(one[0], *one[2:]) for one in noting.told if arm in one[1:2]]


def test_a_study_that_ran_without_a_tracker_is_told_once(noting: Noting) -> None:
    study = finished()
    assert upload(study) == "noting was told of study: 2 cells, 6 rows, the plan, the verdicts\n"
    assert of(noting, "one") == of(noting, "two") == CELL
    assert noting.told[0] == ("begin", "study", True)
    assert noting.told[-2:] == [("judged", 1), ("close",)]
    noting.told.clear()
    assert upload(study) == "nothing to upload: noting was told all of study before\n"
    assert noting.told == []


def test_what_came_since_is_told_and_nothing_else(noting: Noting) -> None:
    study = Study("study")
    study.train("one", rows=3)
    study.end("one")
    study.train("two", rows=2)
    said = upload(study)
    assert "noting was told of study: 2 cells, 5 rows, the plan\n" in said
    assert "of study 1 of 2 cells have no result: 1 not trained to the end\n" in said
    assert "study has no verdicts yet: report study judges it\n" in said
    assert of(noting, "two") == [("started",), ("row", 1.0), ("row", 2.0)]
    noting.told.clear()
    assert "nothing to upload" in upload(study)
    assert noting.told == []
    study.train("two", rows=3)
    study.end("two")
    assert "noting was told of study: 1 cell, 1 row\n" in upload(study)
    assert [one for one in noting.told if one[0] not in ("begin", "close")] == [
        ("row", "two", 3.0), ("ended", "two", "done"),
    ]  # fmt: skip


def test_a_cell_that_failed_is_told_with_its_reason_once_for_each_reason(noting: Noting) -> None:
    study = finished()
    (study.place("two") / "result.json").unlink()
    write_json(study.place("two") / "failure.json", {"reason": "no memory"})
    assert "1 of 2 cells have no result: 1 failed\n" in upload(study)
    assert of(noting, "two") == [("row", 1.0), ("row", 2.0), ("row", 3.0), ("failed", "no memory")]
    noting.told.clear()
    assert "nothing to upload" in upload(study)
    assert noting.told == []
    write_json(study.place("two") / "failure.json", {"reason": "killed"})
    upload(study)
    assert of(noting, "two") == [("failed", "killed")]


def test_a_cell_that_another_process_trains_is_told_as_far_as_it_is(noting: Noting) -> None:
    study = finished()
    (study.place("two") / "result.json").unlink()
    write_json(study.place("two") / "failure.json", {"reason": "of an earlier try"})
    with locked(make_folder(study.folder.parent / ".locks") / "two.lock", 0):
        assert "1 of 2 cells have no result: 1 trained at this moment\n" in upload(study)
    assert of(noting, "two") == [("started",), *CELL[:3]]


def test_a_tracker_that_another_process_tells_is_left_alone(noting: Noting) -> None:
    study = finished()
    with locked(make_folder(study.folder / "trackers") / "noting.lock", 0), pytest.raises(NotMirrored, match="noting"):
        upload(study)
    assert noting.told == []
    assert "2 cells" in upload(study)


def test_what_a_tracker_could_not_take_is_told_the_next_time_and_the_others_lose_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with registry.isolated():
        known(failing := Failing("ended"), other := Noting())
        study = finished()
        both = ["upload", "runs/study", "tracker=[noting,noting1]"]
        assert main(both) == 1
        out, err = capsys.readouterr()
        assert "tracker noting stops: ValueError: the server is gone; " in out
        assert "noting1 was told of study: 2 cells, 6 rows, the plan, the verdicts\n" in out
        assert err == "ablate: noting: not all of study was told; the same command tells the rest\n"
        assert of(other, "two") == CELL
        failing.moment = ""
        assert main(both) == 0
        assert "nothing to upload: noting1" in capsys.readouterr().out
        for arm in ("one", "two"):
            assert of(failing, arm) == CELL
        assert "nothing to upload" in upload(study, "tracker=noting")


def test_what_was_not_taken_is_not_counted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with registry.isolated():
        known(Failing("row"))
        finished()
        assert main(["upload", "runs/study", "tracker=noting"]) == 1
    assert "noting was told of study: the plan\n" in capsys.readouterr().out


def test_each_place_that_a_tracker_mirrors_to_is_told(here: Path) -> None:
    study = finished()
    for file in ("events.jsonl", "mine.jsonl"):
        options = ("tracker=jsonl", f"tracker.jsonl.file={file}")
        assert "2 cells, 6 rows" in upload(study, *options)
        before = (study.folder / file).read_bytes()
        assert "nothing to upload" in upload(study, *options)
        assert (study.folder / file).read_bytes() == before
    events = [json.loads(line)["event"] for line in before.splitlines()]
    assert events == ["study", *["epoch"] * 3, "ended", *["epoch"] * 3, "ended", "verdicts"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("cells/two/history.csv", "is told no rows of a cell: "),
        ("cells/two/result.json", "of study 1 of 2 cells have no result: 1 with a file that is not whole\n"),
        ("verdicts.json", "study has no verdicts yet"),
    ],
)
def test_a_file_that_is_not_whole_costs_nothing_else(name: str, line: str, noting: Noting) -> None:
    study = finished()
    (study.folder / name).write_text("epoch,lr\n{,\n")
    assert line in upload(study)
    assert of(noting, "one") == CELL


Refused = Callable[..., str]


def test_wrong_input_is_one_line_with_the_nearest_name(refused: Refused, noting: Noting) -> None:
    finished()
    assert refused("upload", "runs/studi", "tracker=jsonl").startswith(
        "no study in runs/studi; did you mean runs/study?"
    )
    assert "no study in tracker=jsonl" in refused("upload", "tracker=jsonl")
    assert "unknown tracker 'jsnl'; did you mean 'jsonl'?" in refused("upload", "study", "tracker=jsnl")
    assert "name a tracker, such as tracker=jsonl" in refused("upload", "study")
    assert "name a tracker" in refused("upload", "study", "tracker=none")
    assert "did you mean 'tracker'?; known: jsonl" in refused("upload", "study", "traker=jsonl")
    assert "'depth=8': this takes tracker=NAME" in refused("upload", "study", "tracker=jsonl", "depth=8")
    assert "did you mean 'tracker.jsonl.file'?" in refused("upload", "study", "tracker=jsonl", "tracker.jsonl.fil=a")
    assert "cannot read 'jsonl'" in refused("upload", "study", "jsonl")
    assert not Path("runs/study/trackers").exists()


def test_a_tracker_is_told_of_a_study_in_the_order_in_which_it_was_planned(noting: Noting) -> None:
    study = finished()
    order: list[str] = []

    class Ordered(Noting):
        def ended(self, study: FollowedStudy, cell: FollowedCell, result: Any) -> None:
            order.append(cell.id)

    @register("tracker", "ordered")
    def make() -> Ordered:
        """One of the test's own."""
        return Ordered()

    upload(study, "tracker=ordered")
    assert order == ["one", "two"]


SLOW = '''
import time
from ablate import Tracker, register


@register("tracker", "slow")
class Slow(Tracker):
    """Takes its time, and writes each epoch to a file."""

    def begin(self, study, *, anew):
        self.file = study.folder / "slow.txt"
        self.file.touch()

    def rows(self, study, cell, rows):
        time.sleep(0.5)
        with self.file.open("a") as file:
            file.writelines(f"{cell.id} {row['epoch']:g}\\n" for row in rows)

    def close(self):
        with self.file.open("a") as file:
            file.write("closed\\n")
'''


@pytest.mark.slow
def test_an_upload_that_is_interrupted_goes_on_the_next_time(here: Path) -> None:
    Path("plugins").mkdir()
    Path("plugins/slow.py").write_text(SLOW)
    study = Study("study")
    cells = [f"c{number}" for number in range(8)]
    record = study.record.with_cells([replace(study.record.cells[0], id=cell) for cell in cells])
    write_yaml(study.folder / "study.yaml", record.to_dict())
    for cell in cells:
        study.train(cell, rows=3)
        study.end(cell)
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "ablate", "upload", "study", "tracker=slow"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True)
    told = study.folder / "slow.txt"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (told.exists() and told.read_text().count("\n") >= 3):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    lines = told.read_text().splitlines()
    assert lines[-1] == "closed"
    assert len(lines) < 25, "what waits is left to the next time"
    subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=True, capture_output=True)
    rows = [line for line in told.read_text().splitlines() if line != "closed"]
    assert sorted(rows) == sorted(f"{cell} {epoch}" for cell in cells for epoch in (1, 2, 3))

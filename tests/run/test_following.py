"""Trackers: told everything once, from the store, and unable to stop or lose a cell."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablate import FollowedCell, FollowedStudy, InputError, Tracker, load_results, register, registry
from ablate.config.compose import prepare
from ablate.run import following
from ablate.run.execution import run_study
from ablate.study.plan import plan_study
from ablate.testing.tracker import Study
from tests.run.in_process import register_engine

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

TINY = ("depth=8", "width=0.25", "trainer.epochs=2", "data.batch_size=256", "engine=here")
ARMS = ("+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=orders", "study.seeds=1")
Told = list[tuple[Any, ...]]


class Noting(Tracker):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: Told = []

    def note(self, *what: Any) -> None:
        self.told.append(what)

    def begin(self, study: FollowedStudy, *, anew: bool) -> None:
        self.note("begin", study.name, anew)

    def started(self, study: FollowedStudy, cell: FollowedCell) -> None:
        self.note("started", cell.arm)

    def rows(self, study: FollowedStudy, cell: FollowedCell, rows: Sequence[Mapping[str, float]]) -> None:
        for row in rows:
            self.note("row", cell.arm, row["epoch"])

    def ended(self, study: FollowedStudy, cell: FollowedCell, result: Mapping[str, Any]) -> None:
        self.note("ended", cell.arm, result["status"])

    def failed(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:
        self.note("failed", cell.arm, reason)

    def again(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:
        self.note("again", cell.arm, reason)

    def judged(self, study: FollowedStudy, verdicts: Sequence[Mapping[str, Any]]) -> None:
        self.note("judged", len(verdicts))

    def close(self) -> None:
        self.note("close")


CELL = [("row", 1.0), ("row", 2.0), ("ended", "done")]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        register_engine()
        yield


def known(*trackers: Tracker) -> None:
    """Make `tracker=noting`, `tracker=noting1`, ... known: each run of a study gets the same object."""
    for number, tracker in enumerate(trackers):

        @register("tracker", f"noting{number or ''}")
        def make(tracker: Tracker = tracker) -> Tracker:
            """One of the test's own."""
            return tracker


def run(*typed: str) -> str:
    text = io.StringIO()
    run_study(plan_study([*TINY, *typed]), Console(file=text, width=300))
    return text.getvalue()


def of_arm(told: Told, arm: str) -> Told:
    return [(one[0], *one[2:]) for one in told if arm in one[1:2]]


def test_a_tracker_is_told_everything_once_also_of_a_study_run_again() -> None:
    known(tracker := Noting())
    run(*ARMS, "tracker=noting")
    assert tracker.told[0] == ("begin", "orders", True)
    assert tracker.told[-2:] == [("judged", 0), ("close",)]
    for arm in ("post", "pre"):
        assert of_arm(tracker.told, arm) == [("started",), *CELL]
    tracker.told.clear()
    run(*ARMS, "tracker=noting")
    assert tracker.told == []


def test_one_that_comes_later_is_told_what_was_there_before() -> None:
    run(*ARMS)
    known(tracker := Noting())
    run(*ARMS, "tracker=noting")
    for arm in ("post", "pre"):
        assert of_arm(tracker.told, arm) == CELL
    tracker.told.clear()
    run(*ARMS[:-1], "study.seeds=2", "tracker=noting")
    assert of_arm(tracker.told, "post") == [("started",), *CELL], "only what is new"


def test_a_measurement_that_is_added_is_told() -> None:
    known(tracker := Noting())
    run("study.keep=weights", "tracker=noting")
    tracker.told.clear()
    run("study.keep=weights", "tracker=noting", "measurements=[calibration]")
    assert [one[0] for one in tracker.told] == ["begin", "started", "ended", "close"]


class Failing(Noting):
    """Fails at one moment."""

    def __init__(self, moment: str, error: type[BaseException] = ValueError) -> None:
        super().__init__()
        self.moment, self.error = moment, error

    def note(self, *what: Any) -> None:
        if what[0] == self.moment:
            raise self.error("the server\nis gone")
        super().note(*what)


@pytest.mark.parametrize("moment", ["begin", "started", "row", "ended", "judged", "close"])
def test_one_that_fails_is_said_once_and_costs_no_cell_and_the_others_nothing(moment: str) -> None:
    known(failing := Failing(moment), other := Noting())
    said = run(*ARMS, "tracker=[noting,noting1]")
    assert said.count("tracker noting stops: ValueError: the server is gone") == 1
    assert set(load_results("runs/orders")["status"]) == {"done"}
    assert of_arm(other.told, "pre") == [("started",), *CELL]
    assert ("judged", 0) in other.told
    failing.moment = ""
    run(*ARMS, "tracker=[noting,noting1]")
    if moment not in ("begin", "close"):
        told = [one for one in failing.told if one[0] not in ("begin", "close")]
        assert len(told) == len(set(told)), "nothing twice"
    rows = [one for one in of_arm(failing.told, "pre") if one[0] == "row"]
    assert rows == [("row", 1.0), ("row", 2.0)], "the next run tells the rest"


def test_a_failure_and_another_try_are_told() -> None:
    @register("augment", "broken")
    class Broken(registry.lookup("augment", "shift").factory):  # type: ignore[misc]
        """Fails in the second epoch."""

        def draw(self, samples: int, generator: Any) -> Any:
            raise InputError("no such pictures")

    known(tracker := Noting())
    with pytest.raises(Exception, match="1 of 1 cells failed"):
        run("augment=broken", "tracker=noting")
    (cell,) = {one[1] for one in tracker.told if one[0] == "started"}
    (failed,) = [one for one in tracker.told if one[0] == "failed"]
    assert failed[1] == cell
    assert "refused its input" in failed[2]


def test_a_slow_tracker_delays_no_cell_and_is_said_to_be_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PATIENCE_S", 0.1)
    free = threading.Event()

    class Slow(Noting):
        def started(self, study: FollowedStudy, cell: FollowedCell) -> None:
            free.wait(60)

    known(Slow())
    said = run("tracker=noting")
    free.set()
    assert "tracker noting is behind; the next run of the study tells it the rest" in said
    assert set(load_results("runs/single")["status"]) == {"done"}


def test_one_that_is_behind_is_not_told_that_a_cell_starts_which_has_ended() -> None:
    free = threading.Event()

    class Late(Noting):
        def begin(self, study: FollowedStudy, *, anew: bool) -> None:
            free.wait(60)
            super().begin(study, anew=anew)

    known(late := Late())
    study, tracker = Study("study"), registry.build("tracker", {"name": "noting"})
    with following.Followers({"noting": tracker}, study.folder, Console(file=io.StringIO())) as followers:
        followers.begin(study.record)
        followers.started(study.job("one"))
        followers.again(study.job("one"), "killed by signal 9")
        followers.started(study.job("one"))
        study.train("one", rows=2)
        study.end("one")
        followers.ended(study.job("one"))
        followers.started(study.job("one"))  # a measurement on it
        free.set()
    assert of_arm(late.told, "one") == [("row", 1.0), ("row", 2.0), ("ended", "done"), ("started",)]


def test_options_that_make_no_sense_end_before_anything_is_written() -> None:
    with pytest.raises(InputError, match=r"tracker\.jsonl\.file=a/b"):
        run("tracker=jsonl", "tracker.jsonl.file=a/b")
    with pytest.raises(InputError, match="did you mean 'jsonl'"):
        run("tracker=jsnl")
    assert not Path("runs").exists()


def test_a_tracker_is_in_no_id_and_no_arm() -> None:
    plain, tracked = plan_study(TINY), plan_study([*TINY, "tracker=jsonl", "probes=[gradient_norm]"])
    assert [cell.id for cell in plain.cells] == [cell.id for cell in tracked.cells]
    assert [cell.arm for cell in plain.cells] == [cell.arm for cell in tracked.cells]
    with pytest.raises(InputError, match="arm 'pre' sets tracker=jsonl, which is no part of what is compared"):
        plan_study([*TINY, "+study.arms.pre=['order=pre','tracker=jsonl']"])


# The one that is built in


def events(path: Path = Path("runs/orders/events.jsonl")) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_file_of_events_has_each_once_whatever_was_being_written() -> None:
    run(*ARMS, "tracker=jsonl")
    path = Path("runs/orders/events.jsonl")
    found = events()
    assert [event["event"] for event in found] == [
        "study", "started", "epoch", "epoch", "ended", "started", "epoch", "epoch", "ended", "verdicts",
    ]  # fmt: skip
    epochs = [event for event in found if event["event"] == "epoch"]
    frame = load_results("runs/orders").set_index("arm")
    assert all(event["test/loss"] == frame["test/loss"][event["arm"]] for event in epochs if event["epoch"] == 2)

    # Killed after the last row of the first cell was written, before that was noted, in the middle of the next line.
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4]) + lines[4][:20])
    position = Path("runs/orders/trackers/jsonl.json")
    kept = json.loads(position.read_text())
    first = epochs[0]["cell"]
    kept["cells"] = {first: {**kept["cells"][first], "rows": 1, "state": "started", "result": "", "seen": []}}
    del kept["told"]["verdicts"]
    position.write_text(json.dumps(kept))
    run(*ARMS, "tracker=jsonl")
    without = [{key: value for key, value in event.items() if key != "time"} for event in events()]
    expected = [{key: value for key, value in event.items() if key != "time"} for event in found]
    assert without == [
        event for event in expected if (event["event"], event.get("cell")) != ("started", found[5]["cell"])
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"told": {}, "cells": {"a": 3}}', '{"told": 1, "cells": {}}'])
def test_a_position_that_is_not_whole_is_set_aside_and_all_is_told_once_more(content: str) -> None:
    known(noting := Noting())
    run(*ARMS, "tracker=noting")
    before = list(noting.told)
    position = Path("runs/orders/trackers/noting.json")
    position.write_text(content)
    noting.told.clear()
    said = run(*ARMS, "tracker=noting")
    assert "noting.broken.json" in said
    ended = [one for one in before if one[0] == "ended"]
    assert [one for one in noting.told if one[0] == "ended"] == ended
    assert position.with_name("noting.broken.json").read_text() == content


@pytest.mark.slow
def test_a_result_that_is_not_whole_stops_no_tracker_of_single_runs() -> None:
    """That of another run of the same folder, which this command does not train again."""
    known(noting := Noting())
    run("seed=0")
    run("seed=1")
    (broken,) = Path("runs/single/cells").glob("*-s0-*/result.json")
    broken.write_text("{")
    said = run("seed=1", "tracker=noting")
    assert "stops" not in said
    assert [one[0] for one in noting.told].count("ended") == 1

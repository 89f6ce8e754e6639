"""`tracker=wandb`: runs that hold what the store holds, each row once, online and offline."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ablate.plugins.trackers._wandb_names import run_id, shortened, study_tag

from ablate import InputError, registry
from ablate.config.compose import prepare
from ablate.dashboards import names as dashboards
from ablate.system.files import read_json, write_json
from ablate.testing.tracker import HOSTILE, Study
from tests.wandb_server import KEY, WandbServer, wandb_server
from tests.wandb_studies import (
    exit_code_of,
    finished,
    follow,
    is_whole,
    offline_runs,
    plain,
    rows_of,
    told,
)

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

__all__ = ["wandb_server"]
pytestmark = pytest.mark.usefixtures("here")


def test_a_study_is_a_run_for_each_cell_and_one_for_itself(wandb_server: WandbServer) -> None:
    study = Study("study")
    (study.folder / "figures").mkdir()
    (study.folder / "figures" / "effects.svg").write_text("<svg>effects</svg>")
    (study.folder / "report.html").write_text("<html>report</html>")
    said = follow(study)
    assert said == f"tracker wandb shows the study at {wandb_server.url}/somebody/ablate\n"
    assert set(wandb_server.runs) == {"one", "two", "study-study"}
    for seed, cell in enumerate(("one", "two")):
        run = wandb_server.runs[cell]
        assert is_whole(run, study.place(cell))
        assert (run.state, run.exit_code, run.tags) == ("finished", 0, ["study:study"])
        assert (run.given["groupName"], run.given["jobType"], run.given["displayName"]) == ("study", cell, cell)
        about = {"cell": cell, "arm": cell, "factors": {"depth": 20}, "seed": seed, "code": "code", "depth": 20}
        assert run.config == about
        metrics = read_json(study.place(cell) / "result.json")["metrics"]
        assert {key: run.summary.get(key) for key in metrics} == metrics
        assert run.summary["status"] == "done"
        assert {Path(name).suffix for name in run.files} == {".yaml", ".json"}, "no table, no artifact, no code"
    whole = wandb_server.runs["study-study"]
    assert (whole.state, whole.given["groupName"], whole.given["jobType"]) == ("finished", "study", "study")
    assert (whole.summary["verdict/claim"], whole.summary["effect/claim"], whole.summary["n/claim"]) == (
        "supported", 0.5, 6,
    )  # fmt: skip
    pages = {content for name, content in whole.files.items() if name.startswith("media/html/")}
    assert pages == {b"<svg>effects</svg>", b"<html>report</html>"}
    assert wandb_server.unknown == []
    asked = len(wandb_server.requests)
    assert follow(study) == ""
    assert len(wandb_server.requests) == asked, "a second time changes nothing"
    assert [path.name for path in study.folder.iterdir() if "wandb" in path.name] == []


@pytest.mark.slow
def test_rows_have_the_times_at_which_their_epochs_ended(wandb_server: WandbServer) -> None:
    study = finished()
    follow(study)
    end = datetime.fromisoformat(read_json(study.place("one") / "result.json")["finished"]).timestamp()
    times = [row["_timestamp"] for row in wandb_server.runs["one"].rows]
    assert times == [end + 0.5, end + 0.75, end + 1], "the second in which it ended, and as long before as epochs took"


@pytest.mark.slow
@pytest.mark.parametrize(("status", "code"), [("done", 0), ("diverged", 3)])
def test_a_run_ends_as_its_cell_did(status: str, code: int, wandb_server: WandbServer) -> None:
    study = finished()
    path = study.place("one") / "result.json"
    write_json(path, {**read_json(path), "status": status, "reason": "the loss is nan" if code else ""})
    follow(study)
    run = wandb_server.runs["one"]
    assert (run.exit_code, run.summary["status"]) == (code, status)
    assert run.summary.get("reason", "") == ("the loss is nan" if code else "")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_cell_that_failed_says_why_until_it_is_done(mode: str, wandb_server: WandbServer, here: Path) -> None:
    study = Study("study")
    with told(study, mode=mode) as followers:
        followers.started(study.job("one"))
        study.train("one", rows=2)
        followers.failed(study.job("one"), "no <memory>")
        followers.judged([])
    if mode == "online":
        assert [wandb_server.runs[name].exit_code for name in ("one", "study-study")] == [1, 1]
        assert wandb_server.runs["one"].summary["reason"] == "no <memory>"
        assert wandb_server.runs["study-study"].summary["reason"] == "1 of 2 cells failed"
    else:
        assert {file.stem: exit_code_of(file) for file in offline_runs(here)} == {"run-one": 1, "run-study-study": 1}
    study.train("one", rows=3)
    for cell in ("one", "two"):
        study.train(cell, rows=3)
        study.end(cell)
    with told(study, mode=mode) as followers:
        followers.judged([])  # the same verdicts as before: none
    if mode == "online":
        assert {run.exit_code for run in wandb_server.runs.values()} == {0}
        assert wandb_server.runs["one"].summary["reason"] == ""
        assert is_whole(wandb_server.runs["one"], study.place("one"))
    else:
        assert {exit_code_of(file) for file in offline_runs(here)} == {0}
        assert len(offline_runs(here)) == 3


@pytest.mark.slow
def test_a_study_that_is_interrupted_says_so_and_goes_on_without_a_row_twice(wandb_server: WandbServer) -> None:
    study = Study("study")
    follow(study, stop=True)
    run, whole = wandb_server.runs["one"], wandb_server.runs["study-study"]
    assert [one.exit_code for one in (run, whole)] == [255, 255]
    assert [one.summary["status"] for one in (run, whole)] == ["interrupted", "interrupted"]
    assert len(run.rows) == 2
    follow(study)
    assert is_whole(run, study.place("one"))
    assert [one.state for one in wandb_server.runs.values()] == ["finished"] * 3


def test_what_was_told_and_has_not_arrived_is_sent_again(wandb_server: WandbServer) -> None:
    """As after a process that was killed with the last rows in its hands: the server says what it has."""
    study = finished()
    follow(study)
    run = wandb_server.runs["one"]
    run.lines["wandb-history.jsonl"][1:] = []
    run.lines["wandb-summary.json"] = [json.dumps({"_step": 1, "epoch": 1})]
    run.exit_code, run.streamed = None, 1
    record = study.folder / "trackers" / "wandb" / "one.json"
    write_json(record, {**read_json(record), "rows": None})
    follow(study)
    assert is_whole(run, study.place("one"))
    assert run.state == "finished"


@pytest.mark.slow
def test_rows_that_are_not_finite_arrive(wandb_server: WandbServer) -> None:
    study = finished()
    path = study.place("one") / "history.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], "2,0.1,nan,1.0,inf,1.0,0.25", "3,0.1,,,,,0.25"]) + "\n")
    follow(study)
    _, second, third = plain(wandb_server.runs["one"].rows)
    assert math.isnan(second["train/loss"])
    assert second["test/loss"] == math.inf
    assert set(third) == {"epoch", "lr", "seconds"}, "what was not measured in an epoch is left out"


@pytest.mark.slow
def test_a_measurement_that_is_added_is_in_the_same_run(wandb_server: WandbServer) -> None:
    study = finished()
    follow(study)
    with told(study) as followers:  # one that fails
        followers.started(study.job("one"))
        followers.failed(study.job("one"), "no weights")
    assert wandb_server.runs["one"].exit_code == 0
    path = study.place("one") / "result.json"
    result = read_json(path)
    write_json(path, {**result, "metrics": {**result["metrics"], "calibration/ece": 0.125}})
    follow(study)
    run = wandb_server.runs["one"]
    assert is_whole(run, study.place("one"))
    assert (run.summary["calibration/ece"], run.state) == (0.125, "finished")


@pytest.mark.slow
def test_a_cell_that_two_studies_share_is_one_run(wandb_server: WandbServer) -> None:
    first, second = finished("first"), finished("second")
    follow(first)
    follow(second)
    run = wandb_server.runs["one"]
    assert is_whole(run, first.place("one"))
    assert (run.tags, run.given["groupName"]) == (["study:first", "study:second"], "first")
    follow(first)
    assert run.tags == ["study:first", "study:second"]


@pytest.mark.slow
def test_what_other_code_has_trained_anew_is_a_run_of_its_own(wandb_server: WandbServer) -> None:
    study = finished()
    follow(study)
    other = finished("other")
    for one in (study, other):
        path = one.place("one") / "result.json"
        write_json(path, {**read_json(path), "code": "newer"})
    follow(study)
    follow(other)
    assert set(wandb_server.runs) == {"one", "one-2", "two", "study-study", "other-study"}
    assert is_whole(wandb_server.runs["one"], study.place("one"))
    assert is_whole(wandb_server.runs["one-2"], study.place("one"))
    assert wandb_server.runs["one-2"].tags == ["study:study", "study:other"], "another study knows it by its code"


# The environment


@pytest.mark.slow
def test_variables_of_wandb_mean_what_they_mean_and_options_win(
    wandb_server: WandbServer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"PROJECT": "theirs", "ENTITY": "team", "TAGS": "a, b", "NOTES": "a note", "NAME": "no", "RUN_ID": "no"}
    for name, value in given.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    follow(finished("first"))
    run = wandb_server.runs["one"]
    assert (run.project, run.given["entity"], run.given["notes"]) == ("theirs", "team", "a note")
    assert (run.tags, run.given["displayName"]) == (["study:first", "a", "b"], "one")
    study = finished("second")
    follow(study, project="mine", entity="me")
    run = wandb_server.runs["second-study"]
    assert (run.project, run.given["entity"]) == ("mine", "me")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(here / "theirs"))
    assert "is offline: it writes to theirs/wandb" in follow(finished("third"))
    files = offline_runs(here / "theirs" / "wandb")
    assert sum(len(rows_of(file)) for file in files) == 1, "its cells are online already, and the study has one row"


@pytest.mark.slow
def test_disabled_tells_nothing_and_the_next_run_all_of_it(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study("study")
    assert follow(study, mode="disabled") == ""
    assert wandb_server.requests == []
    follow(study)
    assert set(wandb_server.runs) == {"one", "two", "study-study"}


@pytest.mark.parametrize("options", [{"mode": "onlin"}, {"patience_s": 0}, {"project": "a/b"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"onlin|patience_s|no / in"):
        registry.build("tracker", {"name": "wandb", **options})


@pytest.mark.slow
def test_under_a_sweep_a_study_of_one_cell_takes_the_run_of_the_agent(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = finished()
    follow(study, asked=["two"])
    for name, value in {"SWEEP_ID": "sweep1", "RUN_ID": "agents", "PROJECT": "swept", "ENTITY": "somebody"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    follow(study, asked=["two"])  # also one that is in the store already: the sweep waits for its figures
    run = wandb_server.runs["agents"]
    assert is_whole(run, study.place("two"))
    assert (run.given["sweep"], run.project, run.state) == ("sweep1", "swept", "finished")
    assert run.summary["test/error"] == 0.6
    runs = set(wandb_server.runs)
    assert runs == {"one", "two", "study-study", "agents"}
    follow(study, asked=["two"])
    assert set(wandb_server.runs) == runs
    monkeypatch.setenv("WANDB_RUN_ID", "others")
    said = follow(finished("other"), asked=["one", "two"])
    assert said.count("keeps runs of its own: the sweep's is for one cell, and this study has 2") == 1
    assert "others" not in wandb_server.runs
    assert wandb_server.runs["other-study"].given.get("sweep") is None


# Names and secrets


@pytest.mark.slow
def test_hostile_names_arrive_as_text(wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_NOTES", "no UTF-8: \udc80")
    study = Study("study", HOSTILE)
    follow(study)
    run = wandb_server.runs["one"]
    assert run.given["jobType"] == HOSTILE
    assert run.config["arm"] == HOSTILE
    assert run.given["notes"] == r"no UTF-8: \udc80"
    assert wandb_server.runs["study-study"].given["displayName"] == HOSTILE
    long = "../" + "é\n" * 400 + HOSTILE
    study = finished("other", long)
    follow(study)
    assert len(wandb_server.runs["other-study"].given["displayName"]) == 128
    assert wandb_server.runs["other-study"].config["name"] == long


def test_names_that_are_too_long_stay_apart() -> None:
    long = "n" * 300
    assert len(shortened(long, 128)) == 128
    assert shortened(long + "a", 128) != shortened(long + "b", 128)
    assert shortened("a\nb", 128) != shortened("a b", 128) == "a b"
    assert len(study_tag(long)) == 64
    for text in (long, HOSTILE, "a\nb", "plain"):
        assert study_tag(text) == dashboards.study_tag(text), "by which a dashboard finds its runs"
    for text in (long, "a/b", "a b", "🙂", "..", "'", "a:b", "-" * 70):
        name = run_id(text, "-2")
        assert len(name) <= 64
        assert name.isascii()
        assert not set(name) & set(":;,#?/' ")
        assert name.endswith("-2")
    assert run_id("a/b") != run_id("a-b") == "a-b"
    assert len({run_id(long + end) for end in "abc"}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_no_secret_is_in_any_file(
    mode: str, wandb_server: WandbServer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_the_test")
    study = finished()
    said = follow(study, mode=mode)
    held = [path.read_bytes() for path in here.rglob("*") if path.is_file()] + [said.encode()]
    held += [json.dumps(wandb_server.requests).encode()]
    assert len(held) > 10
    for secret in (KEY, "hf_secret_of_the_test"):
        assert not any(secret.encode() in content for content in held)

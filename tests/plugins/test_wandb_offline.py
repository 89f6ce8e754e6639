"""`tracker=wandb` without a network: runs in files, that are sent later, each row once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ablate.config.compose import prepare
from ablate.system.files import read_json, write_json
from ablate.testing.tracker import Study
from tests.wandb_server import WandbServer, settings_in, wandb_server
from tests.wandb_studies import exit_code_of, finished, follow, history, is_whole, offline_runs, plain, rows_of, wandb

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

__all__ = ["wandb_server"]
pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def no_key(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that knows nothing of wandb."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name, value in settings_in(here).items():
        monkeypatch.setenv(name, value)


def test_a_password_in_the_servers_address_is_told_nowhere(
    no_key: None, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://somebody:hunter2@127.0.0.1:1")
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    said = follow(Study("study"))
    assert "http://***@127.0.0.1:1 cannot be reached" in said
    assert "hunter2" not in said
    files = [path for path in (here / "runs").rglob("*") if path.is_file()]
    assert any("trackers" in path.parts for path in files)
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []


@pytest.mark.slow
def test_without_a_key_runs_are_written_and_sent_later_each_row_once(
    no_key: None, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study("study")
    said = follow(study, stop=True)
    assert said.count("\n") == 1
    assert "tracker wandb is offline (no key" in said
    assert "`python -m ablate upload runs/study tracker=wandb` or `wandb sync runs/study/wandb/offline-run-*`" in said
    first = {path.stem: path for path in offline_runs(here)}
    assert set(first) == {"run-one", "run-study-study"}
    assert {exit_code_of(file) for file in first.values()} == {255}
    assert "is offline" in follow(study)
    files = {path.stem: path for path in offline_runs(here)}
    assert set(files) == {"run-one", "run-two", "run-study-study"}, "what was written of it before is replaced"
    for cell in ("one", "two"):
        assert plain(rows_of(files[f"run-{cell}"])) == history(study.place(cell))
        assert exit_code_of(files[f"run-{cell}"]) == 0
    assert list(files["run-one"].parent.rglob("*.log")) == [], "no log of wandb's, nor a link to one"
    before = {path: path.read_bytes() for path in files.values()}
    assert follow(study) == ""
    assert {path: path.read_bytes() for path in offline_runs(here)} == before

    with WandbServer() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        wandb("sync", *(path.parent for path in files.values()))
        assert all(is_whole(server.runs[cell], study.place(cell)) for cell in ("one", "two"))
        path = study.place("one") / "result.json"
        write_json(path, {**read_json(path), "reason": "measured"})
        monkeypatch.delenv("WANDB_BASE_URL")
        follow(study, mode="offline")
        (added,) = set(offline_runs(here)) - set(files.values())
        assert rows_of(added) == [], "only what was not sent"
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        wandb("sync", added.parent)
        run = server.runs["one"]
        assert is_whole(run, study.place("one"))
        assert (run.summary["reason"], run.summary["epoch"]) == ("measured", 3)


@pytest.mark.slow
def test_offline_runs_are_sent_by_the_next_run_that_has_a_network(wandb_server: WandbServer, here: Path) -> None:
    study = finished()
    wandb_server.refuse()
    assert "cannot be reached" in follow(study)
    assert len(offline_runs(here)) == 3
    wandb_server.listen()
    assert "shows the study at" in follow(study)
    assert all(is_whole(wandb_server.runs[cell], study.place(cell)) for cell in ("one", "two"))
    assert offline_runs(here) == [], "else `wandb sync` would send them once more"
    assert follow(study) == ""


@pytest.mark.slow
def test_a_cell_that_two_studies_share_is_one_offline_run(no_key: None, here: Path) -> None:
    first, second = finished("first"), finished("second")
    follow(first)
    follow(second)
    files = [path.stem for path in offline_runs(here)]
    assert sorted(files) == ["run-first-study", "run-one", "run-second-study", "run-two"]
    assert follow(first) == ""

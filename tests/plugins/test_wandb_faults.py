"""What goes wrong with wandb costs no cell and no verdict, is said in one line, and is mended by the next run."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.config.compose import prepare
from ablate.run import following
from ablate.testing.tracker import Study
from tests.wandb_server import WandbServer, wandb_server
from tests.wandb_studies import exit_code_of, finished, follow, history, is_whole, offline_runs, plain, rows_of

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

__all__ = ["wandb_server"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("here"),
    pytest.mark.skipif(shutil.which("ps") is None, reason="looks for processes with ps"),
]

Fault = Callable[[WandbServer], object]


def children(name: str) -> list[int]:
    """The processes below this one whose command has a word in it."""
    found = subprocess.run(["ps", "-wweo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    table = [line.split(None, 2) for line in found.splitlines()[1:]]
    below, grown = {os.getpid()}, True
    while grown:
        more = {int(pid) for pid, parent, _ in table if int(parent) in below} - below
        below, grown = below | more, bool(more)
    return [int(pid) for pid, _, command in table if int(pid) in below and name in command and "defunct" not in command]


def kill(name: str) -> None:
    for process in children(name):
        os.kill(process, signal.SIGKILL)


FAULTS: dict[str, Fault] = {
    "gone": lambda server: server.refuse(),
    "answers 500": lambda server: setattr(server, "fault", 500),
    "answers 404": lambda server: setattr(server, "fault", 404),
    "knows the key no more": lambda server: setattr(server, "key", "other"),
    "slow": lambda server: setattr(server, "delay_s", 5.0),
    "the service is killed": lambda server: kill("wandb-core"),
    "the process is killed": lambda server: kill("_wandb_process"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_mid_study_costs_no_cell_and_the_next_run_mends_it(fault: str, wandb_server: WandbServer) -> None:
    study, key = Study("study"), wandb_server.key
    said = follow(study, midway=lambda: FAULTS[fault](wandb_server), patience_s=2)
    assert study.unfinished == []
    assert said.count("tracker wandb stops: ") == 1
    assert said.count("\n") == 2, "one for where it is shown, one for what is wrong"
    assert "the next run of the study, or upload, tells it the rest" in said
    assert "Traceback" not in said
    if wandb_server._http is None:
        wandb_server.listen()
    wandb_server.fault, wandb_server.delay_s, wandb_server.key = 0, 0.0, key
    assert "stops" not in follow(study)
    for cell in ("one", "two"):
        assert is_whole(wandb_server.runs[cell], study.place(cell))
    assert {run.state for run in wandb_server.runs.values()} == {"finished"}
    assert follow(study) == ""


def test_a_wrong_key_is_said_in_one_line(wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    study = Study("study")
    said = follow(study, patience_s=5)
    assert said.count("\n") == said.count("tracker wandb stops: ") == 1
    assert "401" in said
    assert "f" * 40 not in said
    assert study.unfinished == []


def test_no_network_where_online_was_asked_for_is_a_fault(wandb_server: WandbServer, here: Path) -> None:
    wandb_server.refuse()
    said = follow(Study("study"), mode="online", patience_s=2)
    assert said.count("tracker wandb stops: ") == 1
    assert offline_runs(here) == []


def test_without_a_key_online_asks_nobody(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    said = follow(Study("study"), mode="online", patience_s=5)
    assert said.count("tracker wandb stops: ") == said.count("\n") == 1
    assert capfd.readouterr() == ("", "")


def test_one_that_is_slow_is_said_to_be_behind_and_the_next_run_goes_on(
    wandb_server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PATIENCE_S", 0.5)
    study = Study("study")
    said = follow(study, midway=lambda: setattr(wandb_server, "delay_s", 3.0))
    assert "tracker wandb is behind; the next run of the study tells it the rest" in said
    kill("_wandb_process")  # as at the end of the command
    wandb_server.delay_s = 0.0
    monkeypatch.setattr(following, "PATIENCE_S", 60.0)
    while "another process" in follow(study):
        pass
    assert all(is_whole(wandb_server.runs[cell], study.place(cell)) for cell in ("one", "two"))


def test_a_disk_without_room_is_said_and_no_run_counts_as_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    study = finished()
    monkeypatch.setattr(subprocess, "Popen", limited(subprocess.Popen, 2000))
    said = follow(study)
    assert said.count("tracker wandb stops: ") == 1
    monkeypatch.undo()
    monkeypatch.chdir(here)
    follow(study, mode="offline")
    files = {path.stem: path for path in offline_runs(here)}
    for cell in ("one", "two"):
        assert plain(rows_of(files[f"run-{cell}"])) == history(study.place(cell))
        assert exit_code_of(files[f"run-{cell}"]) == 0


def limited(popen: type[subprocess.Popen[bytes]], size: int) -> Callable[..., subprocess.Popen[bytes]]:
    """Processes that can write no file larger than this many bytes."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return lambda *given, **options: popen(*given, **options, preexec_fn=limit)

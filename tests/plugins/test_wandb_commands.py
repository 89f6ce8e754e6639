"""`tracker=wandb` on the command line: studies that are killed and interrupted, sweeps, and `upload`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args
from wandb.sdk.lib.config_util import save_config_file_from_dict

from ablate import load_results
from tests.run.test_interrupted_studies import Command, has_gone_on, until
from tests.wandb_server import KEY, Run, WandbServer, wandb_server
from tests.wandb_studies import history, is_whole, offline_runs, plain, rows_of

__all__ = ["wandb_server"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["depth=8", "width=0.25", "data.batch_size=1500", "engine.slots=2"]
DIES = '''
import os, signal, sys
from pathlib import Path
from ablate import Course, Probe, StepLook, register

@register("probe", "dies")
class Dies(Probe):
    """Kills the process of the first cell that comes to the tenth step, once."""

    def steps(self, course: Course) -> range:
        return range(10, 11)

    def after_backward(self, look: StepLook) -> None:
        mark = Path(__file__).with_name("died")
        if not mark.exists():
            mark.write_text(str("wandb" in sys.modules))
            os.kill(os.getpid(), signal.SIGKILL)
'''


def ablate(*typed: str) -> str:
    """What a command prints that succeeds."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "ablate", *typed], env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def cells(runs: Path, study: str) -> dict[str, Path]:
    return {path.name: path for path in (runs / study / "cells").iterdir()}


def numbers(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """Without what no two trainings of an epoch share: the last row of a killed process is trained once more."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def has_all(run: Run, cell: Path) -> bool:
    rows = history(cell)
    return numbers(plain(run.rows)) == numbers(rows) and run.streamed == len(rows)


@pytest.fixture
def commands(here: Path) -> Iterator[list[Command]]:
    started: list[Command] = []
    yield started
    for command in started:
        for pid in command.processes():
            os.kill(pid, signal.SIGKILL)
        command.process.communicate()


def test_a_study_that_is_killed_and_interrupted_has_each_row_once(
    wandb_server: WandbServer, commands: list[Command], here: Path
) -> None:
    arguments = ["trainer.epochs=200", "study.seeds=2", "tracker=wandb"]
    runs, server = here / "runs", wandb_server

    def stop(signal: int) -> None:
        commands.append(Command(here, *arguments))
        done = [len(history(path)) for path in cells(runs, "single").values()] if runs.exists() else [0, 0]
        until(has_gone_on(runs, done))
        until(lambda: len(server.runs) >= 2)
        os.kill(commands[-1].process.pid, signal)
        commands[-1].ended()
        until(lambda: commands[-1].processes() == [])

    stop(signal.SIGKILL)  # with rows in the hands of wandb, which sends them every 15 s
    assert {run.state for run in server.runs.values()} == {"running"}, "wandb shows it as crashed after some minutes"
    for number in (signal.SIGINT, signal.SIGTERM):
        stop(number)
        assert {run.exit_code for run in server.runs.values()} == {255}
        assert {run.summary["status"] for run in server.runs.values()} == {"interrupted"}
    ablate(*SMALL, *arguments)
    found = cells(runs, "single")
    assert set(server.runs) == {*found, "single-study"}
    assert all(has_all(server.runs[name], path) for name, path in found.items())
    assert {run.exit_code for run in server.runs.values()} == {0}
    asked = len(server.requests)
    assert "wandb" not in ablate(*SMALL, *arguments)
    assert len(server.requests) == asked


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_cell_that_was_killed_and_resumed_has_each_row_once(mode: str, wandb_server: WandbServer, here: Path) -> None:
    (here / "plugins").mkdir()
    (here / "plugins" / "dies.py").write_text(DIES)
    ablate(*SMALL, "trainer.epochs=12", "probes=[dies]", "tracker=wandb", f"tracker.wandb.mode={mode}")
    assert (here / "plugins" / "died").read_text() == "False", "a cell knows nothing of wandb"
    ((name, path),) = cells(here / "runs", "single").items()
    if mode == "online":
        assert has_all(wandb_server.runs[name], path)
        assert wandb_server.runs[name].state == "finished"
    else:
        (file,) = [file for file in offline_runs(here) if name in file.name]
        assert plain(rows_of(file)) == history(path)


def test_the_flagship_is_a_run_a_cell_and_one_a_study(wandb_server: WandbServer, here: Path) -> None:
    typed = ["+exp=preact_vs_postact", "scale=tiny", "tracker=wandb"]
    plain_said = ablate(*typed)
    assert plain_said.count("wandb") == 1
    found = cells(here / "runs", "preact_vs_postact-tiny")
    assert set(wandb_server.runs) == {*found, "preact_vs_postact-tiny-study"}
    assert all(is_whole(wandb_server.runs[name], path) for name, path in found.items())
    frame = load_results(here / "runs" / "preact_vs_postact-tiny").set_index("cell")
    for name in found:
        assert wandb_server.runs[name].summary["test/error"] == frame["test/error"][name]
        assert wandb_server.runs[name].given["jobType"] == frame["arm"][name]
    whole = wandb_server.runs["preact_vs_postact-tiny-study"]
    assert sum(name.startswith("media/html/") for name in whole.files) == 2
    assert KEY.encode() not in b"".join(path.read_bytes() for path in here.rglob("*") if path.is_file())


def test_upload_of_a_study_that_ran_without_is_the_same_once(wandb_server: WandbServer, here: Path) -> None:
    ablate(*SMALL, "trainer.epochs=3", "study.seeds=2")
    said = ablate("upload", "runs/single", "tracker=wandb")
    assert "wandb was told of single: 2 cells, 6 rows" in said
    assert all(is_whole(wandb_server.runs[name], path) for name, path in cells(here / "runs", "single").items())
    asked = len(wandb_server.requests)
    assert "nothing to upload" in ablate("upload", "runs/single", "tracker=wandb")
    assert len(wandb_server.requests) == asked


def test_a_study_that_ran_offline_is_uploaded(wandb_server: WandbServer, here: Path) -> None:
    ablate(*SMALL, "trainer.epochs=3", "tracker=wandb", "tracker.wandb.mode=offline")
    assert len(offline_runs(here)) == 2
    said = ablate("upload", "runs/single", "tracker=wandb")
    assert "wandb was told of single: 1 cell, 3 rows" in said
    assert all(is_whole(wandb_server.runs[name], path) for name, path in cells(here / "runs", "single").items())
    assert offline_runs(here) == []
    assert "nothing to upload" in ablate("upload", "runs/single", "tracker=wandb")


def test_every_job_of_a_sweep_arrives_once_under_its_study(wandb_server: WandbServer, here: Path) -> None:
    ablate("-m", *SMALL, "trainer.epochs=2", "order=post,pre", "seed=0,1", "tracker=wandb")
    found = cells(here / "runs", "single")
    assert len(found) == 4
    assert set(wandb_server.runs) == {*found, "single-study"}
    assert all(is_whole(wandb_server.runs[name], path) for name, path in found.items())
    assert {run.given["groupName"] for run in wandb_server.runs.values()} == {"single"}


def test_under_the_agent_of_a_sweep_each_command_takes_its_run(
    wandb_server: WandbServer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SWEEP_ID": "sweep", "PROJECT": "swept", "ENTITY": "somebody"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    for run, order in {"a": "post", "b": "pre", "c": "post"}.items():
        args = {"order": {"value": order}, "width": {"value": 0.25}, "trainer.epochs": {"value": 2}}
        save_config_file_from_dict("wandb/sweep/params.yaml", args)
        monkeypatch.setenv("WANDB_RUN_ID", run)
        monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", "wandb/sweep/params.yaml")
        # What the agent puts in the place of `${args_no_hyphens}`.
        typed = create_sweep_command_args({"args": args})["args_no_hyphens"]
        ablate("depth=8", "data.batch_size=1500", "tracker=wandb", *typed)
    assert set(wandb_server.runs) == {"a", "b", "c"}
    assert {run.given["sweep"] for run in wandb_server.runs.values()} == {"sweep"}
    errors = {name: run.summary["test/error"] for name, run in wandb_server.runs.items()}
    assert errors["a"] == errors["c"] != errors["b"]
    assert [run.config["order"] for run in wandb_server.runs.values()] == ["post", "pre", "post"]
    assert [len(run.rows) for run in wandb_server.runs.values()] == [2, 2, 2]

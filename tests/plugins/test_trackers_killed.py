"""MLflow and TensorBoard, followed from the command line: killed, interrupted, swept over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.mirrors import assert_boards, assert_runs, boards, client, runs

if find_spec("sqlalchemy") is None or find_spec("tensorboard") is None:
    pytest.skip("needs the extras `mlflow` and `tensorboard`", allow_module_level=True)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
BOTH = ("depth=8", "width=0.25", "data.batch_size=256", "tracker=[mlflow,tensorboard]")
STUDY = (
    *BOTH, "trainer.epochs=8", "study.name=orders", "study.seeds=2", "engine.slots=2",
    "+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']",
)  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in list(os.environ):
        if name.startswith("MLFLOW_"):
            monkeypatch.delenv(name)


def start(*typed: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ablate", *typed]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(*typed: str, code: int = 0) -> str:
    process = start(*typed)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == code, said
    return said


def wait_for_rows(count: int, process: subprocess.Popen[str]) -> None:
    """Until so many epochs are in the store."""
    while process.poll() is None:
        paths = Path("runs/orders/cells").glob("*/history.csv")
        if sum(len(path.read_text().splitlines()) - 1 for path in paths) >= count:
            return
        time.sleep(0.02)


def assert_whole() -> None:
    found = assert_runs()
    assert len(found) == 5
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert_boards()


def everything() -> dict[str, bytes]:
    folders = (Path("runs/orders/tensorboard"), Path("runs/mlartifacts"))
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in (*files, Path("runs/mlflow.db"))}


def contents(found: dict[str, Any]) -> dict[str, Any]:
    """All of each run but the digest of the study's files, among which are those that each command writes anew."""
    for run in found.values():
        run.data.tags.pop("ablate.files", None)
    return {name: run.to_dictionary() for name, run in found.items()}


@pytest.mark.parametrize("epochs", [1, 14, 31])
def test_a_process_that_is_killed_leaves_nothing_twice(epochs: int) -> None:
    process = start(*STUDY)
    wait_for_rows(epochs, process)
    process.kill()
    process.communicate()
    run(*STUDY)
    assert_whole()
    before = everything()
    run(*STUDY)
    assert everything() == before


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_study_that_is_interrupted_says_so_and_goes_on(sent: signal.Signals) -> None:
    process = start(*STUDY)
    wait_for_rows(6, process)
    process.send_signal(sent)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    of = client()
    (experiment,) = (one for one in of.search_experiments() if one.name == "ablate")
    found = of.search_runs([experiment.experiment_id])
    assert {run.info.status for run in found} <= {"KILLED", "FINISHED"}
    assert next(run for run in found if run.info.run_name == "orders").info.status == "KILLED"
    run(*STUDY)
    assert_whole()


def test_each_job_of_a_sweep_arrives_under_its_study_once() -> None:
    run(*BOTH, "-m", "trainer.epochs=2", "order=post,pre", "seed=0,1")
    (name,) = (path.parent.name for path in Path("runs").glob("*/study.yaml"))
    found = assert_runs(name)
    assert len(found) == 5
    assert {one.info.status for one in found.values()} == {"FINISHED"}
    assert_boards(name)
    before, told = {path: path.read_bytes() for path in Path("runs").glob("*/tensorboard/*/*/*")}, contents(found)
    run(*BOTH, "-m", "trainer.epochs=2", "order=post,pre", "seed=0,1")
    assert {path: path.read_bytes() for path in before} == before
    assert contents(runs()) == told


def test_a_study_that_ran_without_them_is_uploaded_once() -> None:
    run(*STUDY[:-3], *STUDY[-2:], "tracker=none")
    for _ in range(2):
        said = run("upload", "runs/orders", "tracker=[mlflow,tensorboard]")
    assert "nothing to upload" in said
    assert_runs()
    assert_boards()
    assert len(boards()) == 5

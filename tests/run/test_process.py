"""The process of one cell: what it leaves, and how it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ablate.interfaces.engine import Ending, Job, Slot
from ablate.run import process as worker
from ablate.run.keeping import STOPPED
from ablate.run.logs import log_tail
from ablate.run.process import attempt, is_taken, work
from ablate.run.results import read_result
from ablate.run.store import Store
from ablate.run.takeover import take_over
from ablate.system.processes import preloaded_context
from tests.cells import job_of, tiny_cell

HERE = Slot("cpu", 1)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return job_of(tmp_path, tiny_cell("trainer.epochs=1", "data.batch_size=500"))


def started(job: Job) -> BaseProcess:
    process = preloaded_context().Process(target=work, args=(job, HERE, os.getcwd()), daemon=True)  # type: ignore[attr-defined]
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    process.join(60)
    return process.exitcode


def until(condition: Callable[[], bool]) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def test_a_cell_is_trained_and_its_log_holds_nothing_but_when_and_where(job: Job) -> None:
    assert ended(started(job)) == Ending.DONE
    assert read_result(job.folder / "result.json")["status"] == "done"
    (line,) = (job.folder / "log.txt").read_text().splitlines()
    assert line.endswith("on cpu, 1 threads")


@pytest.fixture
def long_job(tmp_path: Path) -> Job:
    return job_of(tmp_path, tiny_cell("trainer.epochs=2000", "data.batch_size=500"))


def test_a_stopped_cell_leaves_no_half_files_and_a_free_lock(long_job: Job) -> None:
    process = started(long_job)
    until((long_job.folder / "last.ckpt").exists)
    assert is_taken(long_job)
    process.terminate()
    assert ended(process) == STOPPED
    assert {path.name for path in long_job.folder.iterdir()} == {"cell.yaml", "history.csv", "last.ckpt", "log.txt"}
    assert "Traceback" not in (long_job.folder / "log.txt").read_text()
    assert not is_taken(long_job)


def test_an_interrupt_of_the_terminal_is_the_studys_affair(job: Job) -> None:
    process = started(job)
    until((job.folder / "log.txt").exists)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    assert ended(process) == Ending.DONE


def test_a_killed_cell_frees_its_lock_and_the_next_process_tidies_up(long_job: Job) -> None:
    process = started(long_job)
    until((long_job.folder / "last.ckpt").exists)
    process.kill()
    assert ended(process) == -signal.SIGKILL
    until(lambda: not is_taken(long_job))
    (long_job.folder / ".last.ckpt.0a1b2c3d.tmp").touch()
    again = started(long_job)
    until(lambda: not list(long_job.folder.glob(".*.0a1b2c3d.tmp")))
    again.kill()
    ended(again)


def study_that_dies(job: Job, answer: Any) -> None:
    process = started(job)
    answer.send(process.pid)
    until((job.folder / "last.ckpt").exists)
    os.kill(os.getpid(), signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_cell_ends_with_its_study(long_job: Job) -> None:
    here, there = multiprocessing.Pipe()
    study = preloaded_context().Process(target=study_that_dies, args=(long_job, there))  # type: ignore[attr-defined]
    study.start()
    pid = here.recv()
    assert ended(study) == -signal.SIGKILL
    until(lambda: not is_alive(pid))
    until(lambda: not is_taken(long_job))


def test_a_cell_that_another_process_trains_is_left_alone(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOCK_PATIENCE_S", 0.05)
    with FileLock(job.cells[0].lock):
        assert attempt(job, HERE) == Ending.BUSY
    assert not (job.folder / "history.csv").exists()


def test_somebody_who_only_looks_whether_a_cell_is_free_does_not_stop_it(job: Job) -> None:
    lock = FileLock(job.cells[0].lock)
    lock.acquire()
    process = started(job)
    until((job.folder / "log.txt").exists)
    lock.release()
    assert ended(process) == Ending.DONE


def test_a_cell_that_another_study_has_ended_meanwhile_is_taken_over(tmp_path: Path) -> None:
    cell = tiny_cell("trainer.epochs=1", "data.batch_size=500")
    theirs, mine = job_of(tmp_path, cell, "theirs"), job_of(tmp_path, cell, "mine")
    assert attempt(theirs, HERE) == Ending.DONE
    assert attempt(mine, HERE) == Ending.DONE
    assert not (mine.folder / "history.csv").exists(), "it is not trained once more"
    store = Store(tmp_path, "mine")
    take_over(store, [cell], same_code=True)
    assert read_result(mine.folder / "result.json")["reused_from"] == "theirs"


def test_an_error_is_in_the_log(job: Job, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path, device: str, cores: int) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("ablate.cell.run.run_cell", broken)
    assert attempt(job, HERE) == Ending.FAILED
    assert "Traceback" in (error := capsys.readouterr().err)
    assert error.endswith("RuntimeError: out of memory\n")


def test_wrong_input_is_one_line_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_of(tmp_path, tiny_cell("data=cifar10", f"data.root={tmp_path}"))
    assert attempt(job, HERE) == Ending.REFUSED
    error = capsys.readouterr().err
    assert error.startswith(f"CIFAR-10 is not in {tmp_path}/cifar-10-batches-py")
    assert error.count("\n") == 1


def test_what_a_process_writes_at_its_start_is_known_as_that(job: Job) -> None:
    assert ended(started(job)) == Ending.DONE
    assert log_tail(job.folder) == "nothing printed"

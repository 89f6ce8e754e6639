"""Studies that are killed, interrupted, or run side by side, as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from ablate import load_results
from ablate.run.results import load_history

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["depth=8", "width=0.25", "data.batch_size=1500", "engine.slots=2"]


class Command:
    """`python -m ablate` in a session of its own, so that what it leaves behind can be found."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ablate", *SMALL, *arguments],
            cwd=folder, env={**os.environ, "PYTHONPATH": path}, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def ended(self) -> tuple[int, str]:
        """Exit code and stderr."""
        _, error = self.process.communicate(timeout=300)
        return self.process.returncode, error

    def interrupt(self) -> None:
        """As Ctrl-C does: to every process of the terminal."""
        os.killpg(self.process.pid, signal.SIGINT)

    def processes(self) -> list[int]:
        return [pid for pid in pids() if session_of(pid) == self.process.pid]


def pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def session_of(pid: int) -> int | None:
    """None for a process that has gone, or that only waits for its parent to look."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[3])


def until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    commands: list[Command] = []

    def start(*arguments: str) -> Command:
        commands.append(Command(tmp_path, *arguments))
        return commands[-1]

    yield start
    for command in commands:
        for pid in command.processes():
            os.kill(pid, signal.SIGKILL)
        command.process.communicate()


def history(runs: Path, study: str = "single") -> pd.DataFrame:
    try:
        return load_history(runs / study)
    except Exception:  # not there yet
        return pd.DataFrame()


def epochs(runs: Path) -> list[int]:
    """How many epochs each of two cells has behind it."""
    frame = history(runs)
    return [0, 0] if frame.empty else frame["cell"].value_counts().reindex(frame["cell"].unique()).tolist()


def has_gone_on(runs: Path, since: list[int]) -> Callable[[], bool]:
    def check() -> bool:
        now = epochs(runs)
        return len(now) == 2 and min(a - b for a, b in zip(now, since, strict=True)) >= 3

    return check


def test_a_study_that_is_killed_interrupted_and_stopped_loses_at_most_the_epoch_in_progress(
    run: Callable[..., Command], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    arguments = ["trainer.epochs=150", "study.seeds=2"]
    done = [0, 0]
    lived: list[pd.DataFrame] = []

    def stop(send: Callable[[Command], None]) -> tuple[int, str]:
        nonlocal done
        command = run(*arguments)
        until(has_gone_on(runs, done))
        send(command)
        ended = command.ended()
        until(lambda: command.processes() == [])
        lived.append(history(runs))
        done = epochs(runs)
        return ended

    code, _ = stop(lambda command: command.process.kill())
    assert code == -signal.SIGKILL
    for send in (Command.interrupt, lambda command: command.process.terminate()):
        assert stop(send) == (130, "ablate: interrupted; the same command goes on from here\n")
        assert not list(runs.rglob("*.tmp"))
    assert max(done) < 150, "there was something left to do"

    assert run(*arguments).ended() == (0, "")
    assert load_results(runs / "single")["status"].tolist() == ["done", "done"]
    whole = history(runs).set_index(["cell", "epoch"])
    assert len(whole) == 300
    for earlier in lived:
        # The time that an epoch took is never the same twice: these were not trained again. The checkpoint is written
        # behind the history, so that the last row of a process that was killed may be one that no checkpoint has.
        rows = earlier.set_index(["cell", "epoch"])
        rows = rows.groupby("cell").head(-1)
        assert rows["seconds"].equals(whole["seconds"].loc[rows.index])


def test_an_interrupt_while_the_imports_still_go_on_is_one_line(run: Callable[..., Command], tmp_path: Path) -> None:
    command = run("trainer.epochs=150")
    until((tmp_path / "runs/single/study.yaml").exists)
    until(lambda: len(command.processes()) >= 3)  # the command, the server of processes, and what tracks resources
    command.interrupt()
    assert command.ended() == (130, "ablate: interrupted; the same command goes on from here\n")
    until(lambda: command.processes() == [])


def test_two_studies_at_once_train_each_cell_once(run: Callable[..., Command], tmp_path: Path) -> None:
    seeds = {"one": [0, 1, 2], "other": [1, 2, 3]}
    commands = [run("trainer.epochs=8", f"study.name={name}", f"study.seeds={seeds[name]}") for name in seeds]
    for command in commands:
        assert command.ended() == (0, "")
    one, other = (load_results(tmp_path / "runs" / name).set_index("seed") for name in seeds)
    assert one["status"].tolist() == other["status"].tolist() == ["done"] * 3
    for seed in (1, 2):
        homes = {one["reused_from"][seed], other["reused_from"][seed]}
        assert homes in ({"", "one"}, {"", "other"}), "one of the two has trained it, and the other has that result"
        assert one["train/loss"][seed] == other["train/loss"][seed]

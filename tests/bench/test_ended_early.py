"""A bench that is interrupted tells what it has measured, and does not say that it goes on from there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from ablate.system.process_tree import descendants

ROOT = Path(__file__).resolve().parents[2]
LINE = "ablate: interrupted; the same command starts over\n"


def bench(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "ablate", "bench", "--smallest", "--pairs", "1000", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def until(stream: IO[str] | None, wanted: str) -> None:
    """Read lines up to one with this text."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if wanted in line:
            return
    raise AssertionError(f"{wanted!r} was not printed: {lines}")


@pytest.mark.slow
def test_a_bench_that_is_interrupted_prints_its_figures(tmp_path: Path) -> None:
    process = bench(tmp_path, "--only", "overhead-digits-20")
    until(process.stdout, "2 of 1000: training time over a bare PyTorch loop, ResNet-20, digits: ")
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, LINE)
    assert "ended in overhead-digits-20; figures with fewer repetitions than asked for are held to nothing\n" in out
    table = out[out.index("figure ") :]
    assert " of 1000" in table
    assert "at most 1.03\n" in "".join(f"{line.rstrip()}\n" for line in table.splitlines()), "and held to nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "send"),
    [
        ("overhead-digits-20", signal.SIGTERM),
        ("data-path", signal.SIGINT),
        ("ceiling", signal.SIGTERM),
        ("cells-per-hour", signal.SIGINT),
        ("speedup", signal.SIGINT),
    ],
)
def test_one_json_object_has_the_pairs_that_are_done(part: str, send: signal.Signals, tmp_path: Path) -> None:
    process = bench(tmp_path, "--only", part, "--json")
    until(process.stderr, "1 of 1000: ")
    time.sleep(1.0)  # somewhere in the next pair
    children = descendants(process.pid)
    process.send_signal(send)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.endswith(LINE)
    assert "Traceback" not in error
    told = json.loads(out)
    assert told["ended_in"] == part
    assert told["figures"]
    for figure in told["figures"]:
        assert (figure["repetitions"], figure["finished"], figure["meets"]) == (1000, False, None)
        assert 1 <= len(figure["values"]) < 1000
    assert eventually(lambda: not [one for one in children if Path(f"/proc/{one}").exists()]), "nothing trains on"


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pairs", "0"], "--pairs 0: must be at least 1"),
        (["--pairs", "-3"], "--pairs -3: must be at least 1"),
        (["--pairs", "1000000000"], "--pairs 1000000000: must be at least 1 and at most 1000"),
        (["--pairs", "many"], "invalid int value: 'many'"),
        (["--fit-seconds", "-1"], "--fit-seconds -1: must be at least 0 and at most 3600"),
        (["--fit-seconds", "nan"], "--fit-seconds nan: must be at least 0 and at most 3600"),
        (["--fit-seconds", "inf"], "--fit-seconds inf: must be at least 0 and at most 3600"),
        (["--fit-seconds", "1e9"], "--fit-seconds 1e+09: must be at least 0 and at most 3600"),
        (["--fit-seconds", "long"], "invalid float value: 'long'"),
        (["--only", "nope"], "unknown part of the bench 'nope'; known: ceiling, "),
        (["speedup"], "unrecognized arguments: speedup"),
    ],
)
def test_options_that_mean_nothing_get_one_line(
    arguments: list[str], said: str, refused: Callable[..., str], here: Path
) -> None:
    assert said in refused("bench", *arguments)

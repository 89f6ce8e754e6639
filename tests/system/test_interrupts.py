"""Ctrl-C and SIGTERM: 130 and one line, whenever they come and however often."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablate.cli.commands import VERBS
from ablate.system.interrupts import STARTS_OVER

ROOT = Path(__file__).resolve().parents[2]
LINE = "ablate: interrupted; the same command goes on from here\n"
ANEW = "ablate: interrupted; the same command starts over\n"
# The program as `python -m ablate` runs it; it says when it begins, and `dispatch` can be another one.
PROGRAM = """
import contextlib, os, signal, sys, time
import ablate.cli.commands
from ablate.system.interrupts import in_order
from ablate.__main__ import cli

def interrupt(number=signal.SIGINT):
    os.kill(os.getpid(), number)

{dispatch}
sys.argv = ["ablate", *sys.argv[1:]]
cli()
"""


def started(program: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        "interrupt()",
        "interrupt(signal.SIGTERM)",
        # CPython remembers a KeyboardInterrupt that leaves `exec`, and would end the process by the signal.
        "exec('interrupt()', globals())",
        # An import that is cut short: libraries raise an error of their own.
        "\n    try: interrupt()\n    except KeyboardInterrupt: raise ImportError('half')",
        "\n    try: interrupt()\n    except KeyboardInterrupt: raise ablate.InputError('plugin x does not import')",
        # A second and third one while the first is being answered.
        "\n    try: interrupt()\n    finally: interrupt(); interrupt()",
        "\n    try: interrupt()\n    finally: interrupt(signal.SIGTERM)",
        # One that a library swallows, and another: the process can be stopped all the same.
        "\n    try: interrupt()\n    except KeyboardInterrupt: pass\n    interrupt()",
    ],
)
@pytest.mark.parametrize("context", ["in_order", "contextlib.nullcontext"])
def test_an_interrupt_ends_with_its_code_and_one_line(body: str, context: str, tmp_path: Path) -> None:
    dispatch = f"""
def body(): {body}

def dispatch(arguments):
    with {context}(): body()

ablate.cli.commands.dispatch = dispatch
"""
    out, error = (process := started(PROGRAM.format(dispatch=dispatch), tmp_path)).communicate(timeout=60)
    assert (process.returncode, out, error) == (130, "", LINE)


@pytest.mark.parametrize("context", ["in_order", "contextlib.nullcontext"])
@pytest.mark.parametrize(("verb", "line"), [("bench", ANEW), ("measure", LINE), ("upload", LINE), ("results", LINE)])
def test_only_what_keeps_its_work_says_that_it_goes_on(verb: str, line: str, context: str, tmp_path: Path) -> None:
    dispatch = f"""
def dispatch(arguments):
    with {context}(): interrupt()

ablate.cli.commands.dispatch = dispatch
"""
    out, error = (process := started(PROGRAM.format(dispatch=dispatch), tmp_path, verb)).communicate(timeout=60)
    assert (process.returncode, out, error) == (130, "", line)
    assert {*STARTS_OVER, "measure", "upload", "results"} == set(VERBS), "each verb is one of the two kinds"


def test_where_ctrl_c_is_ignored_from_outside_it_stays_ignored(tmp_path: Path) -> None:
    program = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)" + PROGRAM.format(
        dispatch="def dispatch(arguments): interrupt(); print('went on')\nablate.cli.commands.dispatch = dispatch"
    )
    out, error = (process := started(program, tmp_path)).communicate(timeout=60)
    assert (process.returncode, out, error) == (0, "went on\n", "")


def test_what_has_to_be_left_tidy_is(tmp_path: Path) -> None:
    dispatch = """
def dispatch(arguments):
    with in_order():
        try: interrupt()
        finally: print('tidied')

ablate.cli.commands.dispatch = dispatch
"""
    out, error = (process := started(PROGRAM.format(dispatch=dispatch), tmp_path)).communicate(timeout=60)
    assert (process.returncode, out, error) == (130, "tidied\n", LINE)


def test_what_was_printed_before_is_not_lost(tmp_path: Path) -> None:
    dispatch = "def dispatch(arguments): print('before'); interrupt()\nablate.cli.commands.dispatch = dispatch"
    out, error = (process := started(PROGRAM.format(dispatch=dispatch), tmp_path)).communicate(timeout=60)
    assert (process.returncode, out, error) == (130, "before\n", LINE)


def test_errors_that_no_interrupt_caused_keep_their_code(tmp_path: Path) -> None:
    dispatch = "def dispatch(arguments): raise ablate.InputError('no')\nablate.cli.commands.dispatch = dispatch"
    out, error = (process := started(PROGRAM.format(dispatch=dispatch), tmp_path)).communicate(timeout=60)
    assert (process.returncode, out, error) == (2, "", "ablate: no\n")


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("after", [0.02, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.5])
def test_a_study_is_interrupted_at_any_time_of_its_start(after: float, times: int, tmp_path: Path) -> None:
    ready = "print('ready', flush=True)"
    process = started(PROGRAM.format(dispatch=ready), tmp_path, "depth=8", "trainer.epochs=1000")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for _ in range(times):
        time.sleep(after / times)
        process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, LINE)

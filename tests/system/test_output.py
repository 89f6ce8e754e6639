"""Standard output that takes no more: a command ends quietly, or with one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [["--version"], ["list", "order"], ["--help"], ["plan", "--help"], ["-sc", "install=bash"]]


def command(arguments: list[str], unbuffered: str, stdout: int | IO[str]) -> tuple[int, str]:
    """Exit code and stderr of a command, whose output waits until it is written or does not."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "ablate", *arguments]
    done = subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("arguments", "unbuffered"), [*((one, "") for one in COMMANDS), (COMMANDS[1], "1")], ids=str)
def test_a_closed_pipe_ends_a_command_as_it_ends_others(arguments: list[str], unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert command(arguments, unbuffered, writer) == (141, "")
    finally:
        os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is not here")
@pytest.mark.parametrize(("arguments", "unbuffered"), [*((one, "") for one in COMMANDS), (COMMANDS[1], "1")], ids=str)
def test_a_full_disk_behind_the_output_is_one_line(arguments: list[str], unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        code, line = command(arguments, unbuffered, full)
    assert (code, line) == (2, "ablate: cannot write to standard output: No space left on device\n")


def test_who_closes_the_output_wants_none(tmp_path: Path) -> None:
    script = 'exec "$0" -m ablate --version >&- 2>"$1"'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = tmp_path / "stderr"
    done = subprocess.run(["sh", "-c", script, sys.executable, str(said)], env=environment, check=False)
    assert (done.returncode, said.read_text()) == (0, "")

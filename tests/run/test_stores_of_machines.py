"""Stores on disks that are full or turn read-only, and stores of several users; real ones, as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = ["depth=8", "width=0.25", "trainer.epochs=1"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a disk and to be somebody else"),
]


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder; `$ABLATE` is the command."""
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "ABLATE": f"{sys.executable} -m ablate {' '.join(TINY)}"
    }  # fmt: skip
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def with_disk(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The same with a disk of 3 MB in `disk`, which nobody else sees."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare, to mount a disk that nobody else sees")
    (folder / "disk").mkdir()
    done = shell(f"unshare -m sh -c 'mount -t tmpfs -o size=3m tmpfs disk && {{ {script}\n}}'", folder)
    if "permission denied" in done.stderr.lower() and "mount" in done.stderr:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    return done


def test_a_full_disk_is_one_line_and_the_rest_is_done_once_there_is_room(tmp_path: Path) -> None:
    fill = "dd if=/dev/zero of=disk/fill bs=1k count=4000 2>/dev/null"
    again = "rm disk/fill; $ABLATE runs=disk/runs study.seeds=2"
    done = with_disk(f"$ABLATE runs=disk/runs; {fill}; $ABLATE runs=disk/runs seed=1; echo rc $?; {again}", tmp_path)
    assert "Traceback" not in done.stdout + done.stderr
    assert "rc 2" in done.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(": No space left on device\n")
    assert done.returncode == 0


def test_a_disk_that_fills_while_a_cell_trains_is_one_line(tmp_path: Path) -> None:
    fill = "dd if=/dev/zero of=disk/fill bs=1k count=4000"
    begun = "ls disk/runs/single/cells/*/last.ckpt"
    fills = f"(until {begun}; do sleep 0.1; done; {fill}) >/dev/null 2>&1 &"
    done = with_disk(f"{fills} $ABLATE runs=disk/runs trainer.epochs=3000; echo rc $?", tmp_path)
    assert "Traceback" not in done.stdout + done.stderr
    assert "rc 2" in done.stdout
    assert done.stderr.count("No space left on device") == done.stderr.count("\n") == 1


def test_a_disk_that_turns_read_only_is_one_line(tmp_path: Path) -> None:
    done = with_disk("$ABLATE runs=disk/runs; mount -o remount,ro disk; $ABLATE runs=disk/runs seed=1", tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith("Read-only file system; choose another store with runs=FOLDER\n")
    assert done.stderr.count("\n") == 1


def test_a_store_of_several_users(tmp_path: Path) -> None:
    """Root without the right to write everywhere stands for another user: what it runs belongs to root alone."""
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv, to be somebody else")
    other = "setpriv --bounding-set=-dac_override,-dac_read_search,-fowner,-chown"
    done = shell(
        f"""mkdir runs; chmod 1777 runs; chown nobody runs
        $ABLATE study.name=mine; chown -R nobody runs
        {other} $ABLATE study.name=theirs; echo own $?
        {other} $ABLATE study.name=mine seed=1; echo mine $?""",
        tmp_path,
    )
    assert "own 0" in done.stdout, done.stderr
    assert "mine 2" in done.stdout
    line = (
        f"ablate: cannot write to {tmp_path}/runs/mine/cells: Permission denied; choose another store with runs=FOLDER"
    )
    assert done.stderr == f"{line}\n"

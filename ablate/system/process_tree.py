"""A process with all that it has started: what they use, and their end. Through Linux's `/proc`, empty elsewhere."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DECIDES_NUMBERS = False

PROC = Path("/proc")
# From linux/prctl.h.
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# In `/proc/PID/stat`, counted from behind the name: whose child it is, its time and that of those it has waited for.
_PARENT, _TIMES = 1, slice(11, 15)


@dataclass(frozen=True)
class Used:
    """What processes have used since they were started.

    Attributes:
        seconds: of processor time.
        bytes: read and written, from and to files, pipes and sockets.
    """

    seconds: float
    bytes: int


def is_visible() -> bool:
    """Whether the system tells what processes there are and what they use."""
    return (PROC / "self/stat").exists()


def adopt_orphans() -> None:
    """From here on, a process whose parent has ended becomes a child of this one, if it descends from this one.

    So that nothing gets away by starting a process that starts the next one and ends.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """Let this process be killed when the one that has forked it ends, however that comes."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, those that they have started, and so on."""
    children = defaultdict(list)
    for one in _pids():
        if fields := _stat(one):
            children[int(fields[_PARENT])].append(one)
    found, waiting = [], [pid]
    while waiting:
        new = children[waiting.pop()]
        found += new
        waiting += new
    return found


def used_by(pids: Iterable[int]) -> Used:
    """What these processes have used, and those that they have waited for."""
    ticks, moved = 0, 0
    for pid in pids:
        ticks += sum(map(int, _stat(pid)[_TIMES]))
        moved += _moved(pid)
    return Used(ticks / os.sysconf("SC_CLK_TCK"), moved)


def kill_descendants(seconds: float = 5.0) -> None:
    """Kill all that this process has started, and wait for them.

    Args:
        seconds: that are waited for them at most: one that hangs in a call to a dead disk cannot be killed.
    """
    deadline = time.monotonic() + seconds
    # Again and again: what is killed may just have started another one.
    while (left := descendants(os.getpid())) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reap()
        time.sleep(0.002)


def reap() -> dict[int, int]:
    """Take note of children that have ended: pid -> exit code, or minus the number of a signal."""
    ended = {}
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir(PROC) if name.isdigit()]
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    """The fields behind the name, which may hold anything; none for a process that has gone."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _moved(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "io").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.partition(":")[2]) for line in lines if line.startswith(("rchar", "wchar")))

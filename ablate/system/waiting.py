"""Waiting for the answer of a process, and not for one that hangs."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from ablate.system.process_tree import descendants, used_by

DECIDES_NUMBERS = False

POLL_S = 1.0
IDLE_SHARE = 0.01  # of a core: less is what a process uses that waits


class Hangs(Exception):
    """The process has used no processor time for so long."""


def answer_of(process: BaseProcess, told: Connection, idle_s: float) -> Any:
    """What a process sends, however long it takes, as long as it is at work.

    Args:
        process: that will send it.
        told: the end of the pipe to hear it by.
        idle_s: seconds without processor time after which it is taken to hang; where the system does not tell what a
            process uses, it is waited for.

    Raises:
        EOFError: it has ended without an answer.
        Hangs: it did not move for so long.
    """
    used, moved = -1.0, time.monotonic()
    while not told.poll(POLL_S if idle_s > POLL_S else idle_s):
        pid = process.pid or 0
        now = used_by([pid, *descendants(pid)]).seconds
        if now - used > IDLE_SHARE * POLL_S:
            used, moved = now, time.monotonic()
        elif time.monotonic() - moved > idle_s:
            raise Hangs
    return told.recv()

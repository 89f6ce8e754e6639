"""Keeps the other slots busy while one is measured, since a machine whose slots are all taken is slower."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ablate.interfaces.engine import Slot
from ablate.system.quotas import cores

LONGEST_S = 30  # they end by themselves, should this process be killed
LOOP = f"import time; end = time.monotonic() + {LONGEST_S}\nwhile time.monotonic() < end: pass"


@contextmanager
def others_busy(slots: Sequence[Slot], threads: int) -> Iterator[None]:
    """One busy loop for each CPU thread of the slots but the first, as far as there are cores."""
    on_cpu = [slot for slot in slots if slot.device == "cpu"]
    count = min(threads * len(on_cpu[1:]), cores() - 1)
    command = [sys.executable, "-S", "-c", LOOP]
    loops = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(count)]  # Ctrl-C reaches them, too
    try:
        yield
    finally:
        # All are killed before the first is waited for: each that is left disturbs what comes next.
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()

"""How long a cell may stand still, and what is said of one that stood still for longer."""

from __future__ import annotations

import re
import sys
import sysconfig
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ablate.system.heartbeat import Pulse
from ablate.system.process_tree import Used, is_visible

LEAST_S, SLOWEST_STEPS = 600.0, 100  # what a cell is given where nothing is said: the larger of both
# What counts as no processor time and no reading: less than a hundredth of a core, less than this many bytes. Processes
# that wait for each other wake up now and then to look whether the other is still there.
IDLE_SHARE, IDLE_BYTES = 0.01, 2**20
LOOKS = 20  # at what a cell uses, in the time that it is given
LOOK_S = (0.05, 30.0)  # between two of them, at least and at most
LATE_S = 2.0  # that a look may come late on a busy machine
FRAME = re.compile(r'^  File "(.+)", line (\d+) in (.+)$')
CURRENT = "Current thread"  # of a dump of Python's stacks: what the process was doing when it was asked


@dataclass
class Patience:
    """Decides when a cell is cut.

    Args:
        seconds: without progress, after which it is (`engine.cell_timeout`); None: the default rule, by which it must
            have used no processor time in that time, either.

    Attributes:
        cut: why, as the beginning of a line; empty as long as it is not.
    """

    seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    cut: str = ""
    _since: float = field(init=False)
    _looked: float = field(init=False)
    _used: deque[tuple[float, Used]] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        self._since = self._looked = self.clock()

    def limit(self, slowest: float) -> float:
        """Seconds that a cell is given whose slowest step took so long."""
        return max(LEAST_S, SLOWEST_STEPS * slowest) if self.seconds is None else self.seconds

    def interval(self, slowest: float) -> float:
        """Seconds from one look to the next."""
        least, most = LOOK_S
        return min(most, max(least, self.limit(slowest) / LOOKS))

    def is_over(self, pulse: Pulse, used: Callable[[], Used]) -> bool:
        """Look at a cell; whether it is to be cut.

        Args:
            pulse: what it has told.
            used: what its processes have used by now.
        """
        now, limit = self.clock(), self.limit(pulse.slowest)
        if now - self._looked > 2 * self.interval(pulse.slowest) + LATE_S:
            # Nobody looked for so long: this process was stopped itself (Ctrl-Z, a scheduler), and the cell with it.
            self._since = now
            self._used.clear()
        self._looked = now
        self._used.append((now, used()))
        # One that is as old as the limit stays: what was used since then counts.
        while len(self._used) > 1 and now - self._used[1][0] >= limit:
            self._used.popleft()
        still = now - max(pulse.moved, self._since)
        if still < limit or now - self._used[0][0] < limit:
            return False
        seconds, moved = self._used_in_time()
        counts = self.seconds is None or pulse.compiles
        # What cannot be seen may be there.
        if counts and (not is_visible() or seconds >= IDLE_SHARE * limit or moved >= IDLE_BYTES):
            return False
        saw = f"its processes used {seconds:.1f} s of processor time in that time" if is_visible() else "it is cut"
        waits = "; it waits for the processes that read its data" if pulse.waits else ""
        self.cut = f"no step for {still:.0f} s, and {saw}{waits}"
        return True

    def _used_in_time(self) -> tuple[float, int]:
        first, last = self._used[0][1], self._used[-1][1]
        return last.seconds - first.seconds, last.bytes - first.bytes


def stood_in(dump: str) -> str:
    """Where a process stood, by a dump of its stacks: the innermost line of the user's own files, or else of any.

    Args:
        dump: as `faulthandler` writes it.
    """
    _, _, stack = dump.rpartition(CURRENT)
    frames = []
    for line in stack.splitlines()[1:]:
        if not (found := FRAME.match(line)):
            break
        frames.append(found.groups())
    own = [frame for frame in frames if not _is_library(frame[0])]
    named = [f"{function} ({file} line {line})" for file, line, function in (own or frames)[:1]]
    return f"; it stood in {named[0]}" if named else "; it did not say where it stood"


def _is_library(file: str) -> bool:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return file.startswith("<") or any(Path(folder) in Path(file).parents for folder in folders) or sys.prefix in file

"""That a cell still makes progress, told by its processes through a few numbers in memory that they share.

A number is written in a fraction of a microsecond, without a lock and without waiting for who reads it: training takes
as long as without. Who watches (`ablate.run.keeping`) sits on the same machine, whatever engine has started the cell.
"""

from __future__ import annotations

import mmap
import time

DECIDES_NUMBERS = False

# Places of the numbers; the times are those of `time.monotonic`, which is one clock for all processes of a machine.
_STEP, _SLOWEST, _READ, _COMPILING, _WAITING, _BY_PIPE, _CODE = range(7)
_COUNT = 8


class Pulse:
    """What a cell's processes have told, for who watches them."""

    def __init__(self) -> None:
        # Anonymous shared memory: those that are forked from here on write to the same page; no file stays behind.
        self._page = memoryview(mmap.mmap(-1, 8 * _COUNT)).cast("d")
        self._page[_STEP] = time.monotonic()

    def told_here(self) -> None:
        """From here on, this process and those forked from it tell this one."""
        global _page  # noqa: PLW0603 - a process trains one cell at a time
        _page = self._page

    @property
    def moved(self) -> float:
        """When there was progress last: a step, a batch that was measured, an image that was read."""
        return max(self._page[_STEP], self._page[_READ])

    @property
    def slowest(self) -> float:
        """Seconds of the slowest step so far, without what compiled it."""
        return self._page[_SLOWEST]

    @property
    def compiles(self) -> bool:
        """Whether a step is being compiled."""
        return bool(self._page[_COMPILING])

    @property
    def waits(self) -> bool:
        """Whether training waits for the processes that read its data."""
        return bool(self._page[_WAITING])

    @property
    def reads_by_pipe(self) -> bool:
        """Whether some of those found no shared memory for what they had read."""
        return bool(self._page[_BY_PIPE])

    @property
    def code(self) -> int | None:
        """The exit code that the cell's process has told before it ended; None where it has told none."""
        return int(self._page[_CODE]) - 1 if self._page[_CODE] else None


# Where nobody watches, numbers are told all the same, to nobody: a question less in each step.
_page = memoryview(bytearray(8 * _COUNT)).cast("d")


def step() -> None:
    """A training step has been taken; its time is that since the last progress."""
    now, page = time.monotonic(), _page
    if page[_COMPILING]:
        page[_COMPILING] = 0.0
    elif now - page[_STEP] > page[_SLOWEST]:
        page[_SLOWEST] = now - page[_STEP]
    page[_STEP] = now


def progress() -> None:
    """Something else went on: training begins, a batch has been measured."""
    _page[_STEP] = time.monotonic()


def read() -> None:
    """An image or a batch has been read, here or in a process that reads for the cell."""
    _page[_READ] = time.monotonic()


def compiling() -> None:
    """The step that comes is compiled first."""
    _page[_COMPILING] = 1.0


def waiting(waits: bool) -> None:
    """Training waits for the processes that read its data, or does no more."""
    _page[_WAITING] = waits


def by_pipe() -> None:
    """A process that reads found no shared memory for a batch."""
    _page[_BY_PIPE] = 1.0


def ends_with(code: int) -> None:
    """The cell's process ends with this exit code; told apart from what a plugin may end the process with."""
    _page[_CODE] = code + 1

"""Standard output that takes no more: a closed pipe ends a command quietly, a full disk with one line."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

DECIDES_NUMBERS = False

CLOSED = 128 + 13  # as of a command that the signal of a closed pipe (SIGPIPE) has ended
WRONG = 2


class OutputLost(BaseException):
    """Standard output takes no more. No `Exception`: whoever handles those would print on."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason

    def tell(self) -> int:
        """Say it, unless nobody listens any more, and return the exit code."""
        if self.reason.errno == errno.EPIPE:
            return CLOSED
        with suppress(OSError):
            print(f"ablate: cannot write to standard output: {self.reason.strerror}", file=sys.stderr, flush=True)
        return WRONG


class _Watched:
    """A stream whose errors are told apart from those of all other files and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or raise `OutputLost`."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputLost(error) from error

    def flush(self) -> None:
        """Flush, or raise `OutputLost`."""
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputLost(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def watched_output() -> Iterator[None]:
    """Inside, an error of standard output is `OutputLost`; on leaving without one, all that was printed is written.

    Raises:
        OutputLost: standard output takes no more.
    """
    _open_if_closed()
    stream = sys.stdout
    watched: Any = _Watched(stream)
    sys.stdout = watched
    try:
        try:
            yield
        except SystemExit:  # as --help ends
            watched.flush()
            raise
        watched.flush()
    except OutputLost:
        _discard(stream)
        raise
    finally:
        sys.stdout = stream


def _open_if_closed() -> None:
    """Who starts a command with its output closed wants none; the next file opened must not take its place."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_WRONLY)
            if descriptor != number:
                os.dup2(descriptor, number)
            os.set_inheritable(number, True)  # also for the processes that cells run in
            setattr(sys, name, open(number, "w", encoding="utf-8"))  # noqa: SIM115 - open until the process ends


def _discard(stream: TextIO) -> None:
    """Let what waits to be written go nowhere: Python would try it once more when it ends, and say so."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

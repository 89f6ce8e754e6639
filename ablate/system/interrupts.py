"""Ctrl-C and a scheduler's SIGTERM: whenever they come, and however often, the command ends with 130 and one line."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

DECIDES_NUMBERS = False

INTERRUPTED = 130
LINE = "ablate: interrupted; the same command goes on from here"
ANEW = "ablate: interrupted; the same command starts over"
STARTS_OVER = ("plan", "list", "describe", "report", "dashboard", "bench")  # verbs that keep nothing to go on from
THREADS_S = 3.0  # that are waited for a thread of somebody else's, when all is done

_in_order: list[bool] = []  # one for each `in_order` that is entered


@contextmanager
def in_order() -> Iterator[None]:
    """Inside, the first signal raises KeyboardInterrupt, as there is something to leave tidy: processes, files.

    Outside, as while libraries are imported, it ends the process at once: a KeyboardInterrupt in the middle of compiled
    code can abort the process, or come back as an error of the library's.
    """
    _in_order.append(True)
    try:
        yield
    finally:
        _in_order.pop()


class Interrupts:
    """Handles both signals: inside `in_order` the first raises KeyboardInterrupt, any other ends the process at once.

    Args:
        verb: of the command; empty for a study.

    Attributes:
        seen: a signal has come; whatever exception then ends the command may be a library's answer to it.
    """

    def __init__(self, verb: str = "") -> None:
        self.seen = False
        self._line = ANEW if verb in STARTS_OVER else LINE
        self._told = False

    def listen(self) -> None:
        """Take both signals from here on, until the process ends.

        Who starts a command in the background of a script, or under `nohup`, has Ctrl-C ignored, and so it stays.
        """
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self)
        signal.signal(signal.SIGTERM, self)

    def tell(self) -> None:
        """Print the line, once."""
        if not self._told:
            self._told = True
            print(self._line, file=sys.stderr, flush=True)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if _in_order and not self.seen:
            self.seen = True
            raise KeyboardInterrupt
        with suppress(RuntimeError):  # print may be at work below this handler, and is not re-entrant
            sys.stdout.flush()
        if not self._told:
            self._told = True
            # Not `print`: what was interrupted may itself be in the middle of one.
            os.write(2, f"{self._line}\n".encode())
        os._exit(INTERRUPTED)


def _leave_threads_behind(code: int) -> None:
    """End this process in a moment, where a thread that a plugin has started keeps it from ending by itself.

    Python waits for such a thread before it calls what is registered for the exit; if it comes to that, it ends.
    """
    others = [one for one in threading.enumerate() if one is not threading.main_thread() and not one.daemon]
    if not others:
        return
    ending = threading.Event()
    atexit.register(ending.set)

    def end() -> None:
        if not ending.wait(THREADS_S):
            print(f"ablate: left behind, as it does not end: thread {others[0].name}", file=sys.stderr, flush=True)
            sys.stdout.flush()
            os._exit(code)

    threading.Thread(target=end, daemon=True).start()


def end_process(code: int) -> NoReturn:
    """Exit, and with the code of an interrupted command at once.

    Python ends itself by the signal where the KeyboardInterrupt once passed through text that `exec` ran, as it does in
    the import of a dataclass, even if it was caught behind that. Signals at the exit come too late to change anything.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if code != INTERRUPTED:
        _leave_threads_behind(code)
        sys.exit(code)
    try:
        sys.stdout.flush()
    finally:
        os._exit(code)

"""A cell's log: all that its processes print, up to a size, and its end for the reason of a failure."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from ablate.system.text import REASON, bounded, printable

LOG = "log.txt"
LIMIT, KEPT = 64 * 2**20, 16 * 2**20  # bytes of a log, and of its head and of its end when it has grown beyond that
TAIL = 2**16  # bytes of a log that are looked at for the reason of a failure
TAIL_LINES = 5
START = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d on \S+, \d+ threads")
MARKS = re.compile(r"[\s^~]+")  # what Python draws below a line of a traceback
DROPPED = re.compile(rb"\n\[ablate: ([\d,]+) bytes were dropped here[^]]*\]\n")


class Log:
    """Takes what a cell's processes print; keeps the first and the last of it where it is more than `LIMIT` bytes.

    Args:
        path: of the file, which is appended to: what an earlier attempt said before it was killed is worth reading.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = _opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._size = os.fstat(self._file).st_size

    def fileno(self) -> int:
        """Its descriptor."""
        return self._file

    def write(self, text: bytes) -> None:
        """Append; what the disk does not take is lost, and the cell goes on."""
        with suppress(OSError):
            self._size += os.write(self._file, text)
            if self._size > LIMIT:
                self._drop_middle()

    def _drop_middle(self) -> None:
        end = os.pread(self._file, KEPT, self._size - KEPT)
        dropped = self._size - 2 * KEPT
        if before := DROPPED.match(os.pread(self._file, 200, KEPT)):
            dropped += int(before[1].replace(b",", b"")) - len(before[0])
        note = f"\n[ablate: {dropped:,} bytes were dropped here: a log keeps its first and its last {KEPT:,}]\n"
        os.ftruncate(self._file, KEPT)
        self._size = KEPT + os.write(self._file, note.encode() + end)


def log_tail(folder: Path, lines: int = TAIL_LINES) -> str:
    """The last lines that a cell's last process printed, on one line, for the reason of a failure.

    Args:
        folder: of the cell.
        lines: how many; of a line that is very long the middle is left out.
    """
    try:
        text = _end_of(folder / LOG).decode("utf-8", errors="replace")
    except OSError as error:
        return f"no log ({error.strerror})"
    found = [line.strip() for line in text.splitlines() if not MARKS.fullmatch(line) and line.strip()]
    starts = [place for place, line in enumerate(found) if START.fullmatch(line)]
    # Of the last process only: earlier ones have written to the same file.
    last = (found[starts[-1] + 1 :] if starts else found)[-lines:]
    last = [printable(line) for line in last]
    if sum(map(len, last)) > REASON:
        last = [bounded(line, REASON // len(last)) for line in last]
    return " | ".join(last) or "nothing printed"


def _end_of(path: Path) -> bytes:
    file = _opened(path, os.O_RDONLY)
    try:
        return os.pread(file, TAIL, max(0, os.fstat(file).st_size - TAIL))
    finally:
        os.close(file)


def _opened(path: Path, flags: int) -> int:
    """A regular file; a link or a pipe in its place is no log of ours: it is not followed, and not waited for."""
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK
    if flags & os.O_CREAT and os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        path.unlink()
    file = os.open(path, flags, 0o644)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(0, "it is no regular file")
    return file

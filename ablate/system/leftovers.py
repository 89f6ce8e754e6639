"""What a killed process leaves behind: files under temporary names, which say whose they are."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

DECIDES_NUMBERS = False

TEMPORARY = ".tmp"
OWNED = re.compile(rf"\..*\.([0-9a-f]{{6}})-(\d+)-[0-9a-f]{{4}}{re.escape(TEMPORARY)}")
OTHERS = re.compile(r"\..*\.tmp|\.probe-[0-9a-f]{8}")  # of earlier versions, which did not say whose they were
OLD_S = 86_400.0  # nobody writes one file for a day
LONGEST = 60  # characters of a file's name that its temporary name keeps: a name has at most 255 bytes


def temporary_name(name: str) -> str:
    """A name for a file that will be called `name`, with the process that writes it."""
    return f".{name[:LONGEST]}.{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:4]}{TEMPORARY}"


def remove_leftovers(folder: Path, *, of_anybody: bool = False) -> None:
    """Remove the temporary files in a folder whose process is gone.

    Args:
        folder: where they lie.
        of_anybody: nobody else writes here now: those of any process.
    """
    for entry in _entries(folder):
        if of_anybody or is_left(entry):
            remove_left(entry)


def is_left(entry: os.DirEntry[str]) -> bool:
    """Whether this is a temporary file that nobody writes any more."""
    if match := OWNED.fullmatch(entry.name):
        if match[1] == _machine():
            return not _lives(int(match[2]))
    elif not OTHERS.fullmatch(entry.name):
        return False
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > OLD_S
    except OSError:  # gone by now
        return False


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from [one for one in entries if OTHERS.fullmatch(one.name)]
    except FileNotFoundError:
        return


def remove_left(entry: os.DirEntry[str]) -> None:
    """Remove such a file; it stays where it cannot be (another user's, a disk that is read-only), and does no harm."""
    try:
        os.unlink(entry.path)
    except OSError:
        return


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


@functools.cache
def _machine() -> str:
    """Tells this machine since it was started, and this container: process numbers mean the same only within."""
    marks = [platform.node()]
    for source in (Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")):
        try:
            marks.append(os.readlink(source) if source.is_symlink() else source.read_text(encoding="ascii"))
        except OSError:
            marks.append("")
    return hashlib.sha256(repr(marks).encode()).hexdigest()[:6]

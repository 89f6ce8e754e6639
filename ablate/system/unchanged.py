"""Reading a file once, for as long as it stays as it is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

DECIDES_NUMBERS = False

T = TypeVar("T")
State = tuple[int, ...]


def once_while_unchanged(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """A reader that gives the same value again where the file has not been written since; it is not to be changed."""
    known: dict[Path, tuple[State, T]] = {}

    @functools.wraps(read)
    def reader(path: Path) -> T:
        # Looked at before it is read: what is written in between is then read once more, and not taken for the old.
        state = state_of(path)
        found = known.get(path)
        if found is not None and state and found[0] == state:
            return found[1]
        value = read(path)
        known[path] = state, value
        return value

    return reader


def state_of(path: Path) -> State:
    """What changes whenever a file is written; empty where it cannot be told."""
    try:
        about = path.stat()
    except OSError:
        return ()
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns

"""Files and folders that are made once, however many processes ask for them at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ablate import locked, make_folder


def once(path: Path, make: Callable[[], None]) -> None:
    """Call `make`, which puts `path` into place as a whole, where it is not there; meanwhile others wait.

    Raises:
        InputError: the folder cannot be written to, or what `make` raises.
    """
    if path.exists():
        return
    make_folder(path.parent)
    with locked(path.with_name(f".{path.name}.lock")):
        if not path.exists():
            _sweep(path)
            make()


def _sweep(path: Path) -> None:
    """Remove what processes that were killed have left; the lock says that nobody else is at it."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()

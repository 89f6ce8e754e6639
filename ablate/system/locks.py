"""Locks of the store: held by one process at a time, freed by the system when that process dies."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ablate.errors import InputError
from ablate.system.files import make_lasting_folder

DECIDES_NUMBERS = False


class Busy(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path, patience: float | None = None) -> Iterator[None]:
    """Hold the lock of a file, whose folder is there.

    Args:
        path: of the lock's file, which stays.
        patience: seconds to wait for another holder; None: as long as it takes; 0: not at all.

    Raises:
        Busy: another process still holds it.
        InputError: there are no locks here, and without them two processes would write the same files.
    """
    mode = _mode(path.parent)
    lock = FileLock(path, timeout=-1 if patience is None else patience, mode=mode)
    try:
        lock.acquire()
    except Timeout as error:
        raise Busy(str(path)) from error
    except NotImplementedError as error:  # of filelock, where the system has no such call
        raise InputError(f"cannot lock {path}: the file system has no locks (flock); {OTHER_STORE}") from error
    except OSError as error:
        raise InputError(f"cannot lock {path}: {error.strerror or error}; {OTHER_STORE}") from error
    try:
        yield
    finally:
        lock.release()


def make_locks_folder(folder: Path) -> Path:
    """Make the folder of a store's locks, in which everybody may write who may write into the store.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.is_dir():
        make_lasting_folder(folder)
        # Without the sticky bit: where it is set, the system lets nobody open for writing what somebody else has made.
        wanted = stat.S_IMODE(folder.parent.stat().st_mode) & 0o2777
        if wanted & 0o022:
            folder.chmod(wanted)
    return folder


OTHER_STORE = "choose a store on another file system with runs=FOLDER"


def _mode(folder: Path) -> int:
    """For a lock's file: who may write into its folder may take the lock."""
    try:
        shared = stat.S_IMODE(os.stat(folder).st_mode)
    except OSError:
        shared = 0
    return 0o600 | (0o060 if shared & 0o020 else 0o040) | (0o006 if shared & 0o002 else 0o004)

"""Errors of the machine itself (its disk, its files, its memory), as the one line that a user needs of them."""

from __future__ import annotations

import errno
import os

DECIDES_NUMBERS = False

# What no command can do anything about. Any other error of a file is one of this program, and keeps its traceback.
OF_THE_MACHINE = {
    getattr(errno, name)
    for name in (
        "EACCES", "EDQUOT", "EIO", "EMFILE", "ENAMETOOLONG", "ENFILE", "ENODEV", "ENOLCK", "ENOMEM", "ENOSPC", "ENXIO",
        "EPERM", "EROFS", "ESTALE", "ETIMEDOUT",
    )
    if hasattr(errno, name)
}  # fmt: skip


def in_one_line(error: BaseException) -> str:
    """What to tell of an error that has gone through all of the program; empty where it is not the machine's."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if not isinstance(error, OSError):
        return ""
    if is_folder_gone():
        return "the working folder is gone; change into one that is there"
    if error.errno is None or error.errno not in OF_THE_MACHINE:
        return ""
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    return f"{place}{os.strerror(error.errno)}"


def is_folder_gone() -> bool:
    """Whether somebody has removed the working folder."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False

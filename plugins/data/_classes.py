"""Pictures in folders of their classes: what lies where, and all that listing can know to be wrong with it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from ablate import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".webp", ".tif", ".tiff")
LEFT_BY_WINDOWS = ("thumbs.db", "desktop.ini")  # in folders that somebody has looked into
SHOWN = 5  # names in an error


def classes_in(folder: Path) -> list[str]:
    """The folders of classes, by name; hidden ones, as editors and archives leave them, are none.

    Raises:
        InputError: there are none, pictures lie beside them, or something cannot be read.
    """
    names: list[str] = []
    loose: list[str] = []
    for name, status in _entries(folder):
        if stat.S_ISDIR(status.st_mode):
            names.append(name)
        elif name.lower().endswith(SUFFIXES):
            loose.append(name)
    if loose:
        raise InputError(
            f"{folder} holds pictures outside of folders of classes ({listed(loose)}); sort them into {folder}/CLASS/"
        )
    if not names:
        raise InputError(f"{folder} holds no folders of classes: put the pictures into {folder}/CLASS/")
    return names


def pictures_in(folder: Path) -> list[str]:
    """The pictures of a class, by name; hidden files do not count.

    Raises:
        InputError: there are none, one is empty or a link to nothing, or there is something else.
    """
    entries = [(name, status) for name, status in _entries(folder) if name.lower() not in LEFT_BY_WINDOWS]
    names = [name for name, _ in entries]
    if odd := [name for name in names if not name.lower().endswith(SUFFIXES)]:
        raise InputError(f"{folder} holds what is no picture: {listed(odd)}; pictures end in {', '.join(SUFFIXES)}")
    # Opened as a picture, a named pipe would wait for ever.
    if odd := [name for name, status in entries if not stat.S_ISREG(status.st_mode)]:
        raise InputError(f"{folder} holds what is no file: {listed(odd)}")
    if empty := [name for name, status in entries if not status.st_size]:
        raise InputError(f"{folder} holds empty files: {listed(empty)}; replace or remove them")
    if not names:
        raise InputError(f"{folder} holds no pictures")
    return names


def listed(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """What lies in a folder and is not hidden, by name, with what its links lead to."""
    try:
        with os.scandir(folder) as found:
            entries = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda one: one.name)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}") from error
    for entry in entries:
        try:
            yield entry.name, entry.stat()
        except OSError as error:
            raise InputError(f"{entry.path} {_trouble(error, entry)}") from error


def _trouble(error: OSError, entry: os.DirEntry[str]) -> str:
    if not entry.is_symlink():
        return f"cannot be read: {error.strerror or error}"
    why = (
        "leads in a circle" if error.errno == errno.ELOOP else f"leads to {os.readlink(entry.path)}, which is not here"
    )
    return f"is a link that {why}; remove it or mend it"

"""What a run does with files of its study that are not whole: nothing of it is taken for a result, nothing ends it.

What can be made anew is made anew. A result cannot: it is set aside and its cell is trained again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from ablate.errors import InputError
from ablate.preflight.certificate import load_certificates
from ablate.preflight.certificate.form import FILE as CERTIFICATES
from ablate.preflight.certificate.form import Certificate
from ablate.run.results import load_study
from ablate.run.store import RESULT, Store
from ablate.run.stored_result import read_result
from ablate.study.cells import Cell
from ablate.study.ledger import FILE as LEDGER
from ablate.study.ledger import read_ledger
from ablate.system.files import set_aside
from ablate.system.leftovers import is_left, remove_left
from ablate.system.reading import BrokenFile

STUDY = "study.yaml"
BROKEN = "broken"  # part of the name of what was set aside, such as `result.broken.json`
SHOWN = 3  # names in a line, of what may be hundreds

T = TypeVar("T")


def known_certificates(store: Store) -> list[Certificate]:
    """Those of the last run; none where the file is not whole: they are made anew.

    Raises:
        InputError: the file cannot be read.
    """
    return _whole(lambda: load_certificates(store.folder)) or []


def set_aside_broken(store: Store, cells: Iterable[Cell], console: Console) -> None:
    """Set aside what is not whole, once nothing stands against a run: the study's files, and results of its cells.

    Args:
        store: of the study.
        cells: of the study, each once.
        console: where the user is told, in a line for all results.

    Raises:
        InputError: a file cannot be read or moved.
    """
    files: dict[str, Callable[[], object]] = {
        STUDY: lambda: load_study(store.folder),
        CERTIFICATES: lambda: load_certificates(store.folder),
        LEDGER: lambda: read_ledger(store.folder),
    }
    for name, read in files.items():
        path = store.folder / name
        if os.path.lexists(path) and not _is_whole(read):
            _say(console, f"{path} was not whole and is made anew; what it held is in {set_aside(path, BROKEN).name}")
    broken = [cell.id for cell in cells if _is_broken(store.cell(cell.id) / RESULT)]
    for cell in broken:
        set_aside(store.cell(cell) / RESULT, BROKEN)
    if broken:
        many = "1 cell was" if len(broken) == 1 else f"{len(broken)} cells were"
        aside = f"not whole and is set aside as result.{BROKEN}.json; trained again"
        _say(console, f"the {RESULT} of {many} {aside}: {_listed(broken)}")


def _is_broken(path: Path) -> bool:
    return os.path.lexists(path) and not _is_whole(lambda: read_result(path))


def _is_whole(read: Callable[[], object]) -> bool:
    return _whole(read) is not None


def _whole(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except BrokenFile:
        return None


def _say(console: Console, text: str) -> None:
    console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


def tidy(folder: Path) -> None:
    """Refuse to write into a study's folder that leads elsewhere, and remove what killed processes left in it.

    Both in one walk: a folder may have thousands of cells.

    Raises:
        InputError: the folder, or something in it, is a link: who writes there would write somewhere else.
    """
    for entry in _below(Path(os.path.abspath(folder))):
        if entry.is_symlink():
            raise InputError(
                f"{entry.path} is a link to {os.readlink(entry.path)}: a study writes into its own folder only; put "
                "the file or folder itself there, or remove the link (to move a whole store, set runs=FOLDER)"
            )
        if is_left(entry):
            remove_left(entry)


def _below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The folder and all in it, links not followed."""
    try:
        with os.scandir(folder.parent) as beside:
            yield from [one for one in beside if one.name == folder.name]
    except (FileNotFoundError, NotADirectoryError):  # making the folder says why it cannot be
        return
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                found = list(entries)
        except (FileNotFoundError, NotADirectoryError):  # gone by now, as what another run of the study has cleared
            continue
        for entry in found:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

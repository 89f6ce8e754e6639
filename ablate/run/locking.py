"""When a study's claims are locked, and held against their lock."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from ablate.run.store import RESULT, Store
from ablate.study.lock import FILE, Lock, read_lock, write_lock
from ablate.study.plan import Study
from ablate.system.files import set_aside
from ablate.system.reading import BrokenFile


def lock_study(study: Study, store: Store, finished: int, console: Console) -> None:
    """Write down what a study states, before its first result; after it, what is stated otherwise.

    Claims may be changed freely as long as nothing is known. Single runs, which share a folder, state none.

    Args:
        study: as planned.
        store: of it.
        finished: its cells that have a result, in its own folder or elsewhere in the store.
        console: where the user is told.

    Raises:
        InputError: the lock cannot be read or written.
    """
    if study.open:
        return
    lock, note = _known(store, console)
    # Of all cells in the study's folder: other seeds or arms under the same name do not undo what was seen.
    own = sum(1 for _ in (store.folder / "cells").glob(f"*/{RESULT}"))
    if lock is None or not own:
        reason = note or "its claims were not locked before"
        late = f"{reason}: they were written down when {own} cells had results" if own else ""
        today = replace(Lock.of(study, finished), late=late)
    else:
        today = lock
    today = today.held_against(study)
    if today != lock:
        write_lock(store.folder, today)


def _known(store: Store, console: Console) -> tuple[Lock | None, str]:
    """The lock, and what is wrong with it."""
    try:
        return read_lock(store.folder), ""
    except BrokenFile:
        aside = set_aside(store.folder / FILE, "broken").name
        text = f"{store.folder / FILE} was not whole; what it held is in {aside}"
        console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)
        return None, "its lock was not whole"

"""Which study an argument means: its folder, anything inside of that, or its name alone."""

from __future__ import annotations

import os
from pathlib import Path

from ablate.config.home import at_home
from ablate.config.schema import Settings
from ablate.errors import InputError, nearest

RECORD = "study.yaml"
STORE = Settings.runs  # where studies lie if nothing else is typed


def study_folder(given: Path) -> Path:
    """The folder of the study that an argument names.

    Args:
        given: a study's folder, a path inside of one (a cell, the page), or a study's name.

    Raises:
        InputError: it names none; says which studies there are, and the nearest.
    """
    given = at_home("folder", given)
    starts = [given, STORE / given, *([given.absolute()] if os.path.exists(given) else [])]
    for place in (place for start in starts for place in (start, *start.parents)):
        if _is_study(place):
            return place
    raise _no_study(given)


def _no_study(given: Path) -> InputError:
    if below := studies_in(given):
        names = ", ".join(str(given / name) for name in below)
        return InputError(f"{given} is a store of studies; name one of them: {names}")
    store = given.parent
    known = studies_in(store)
    if not known and len(given.parts) == 1:
        store, known = Path(STORE), studies_in(Path(STORE))
    near = nearest(given.name, known)
    hint = f"; did you mean {store / near}?" if near else ""
    return InputError(f"no study in {given}{hint}; studies in {store}: {', '.join(known) or 'none'}")


def studies_in(store: str | Path) -> list[str]:
    """The names of the studies of a store."""
    try:
        return [path.parent.name for path in sorted(Path(store).glob(f"*/{RECORD}"))]
    except (OSError, ValueError):
        return []


def _is_study(folder: Path) -> bool:
    return os.path.exists(folder / RECORD)  # unlike `Path.exists` also for a name that no file can have

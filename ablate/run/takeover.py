"""Taking over what the store has already: cells of another study, or of this one under an earlier ID."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.measure.asked import MEASUREMENTS, PROBES, WEIGHTS, Asked
from ablate.run.store import RESULT, Found, Store, of_cell
from ablate.run.stored_result import has_result, read_result
from ablate.study.cells import Cell
from ablate.system.files import atomic, make_folder, write_json, write_yaml

SHARED = ("history.csv", WEIGHTS)  # of a finished cell, besides its result
FOLDERS = (PROBES, MEASUREMENTS)


def take_over(
    store: Store, cells: Iterable[Cell], *, same_code: bool, keep: Sequence[str] = (), complete: bool = False
) -> None:
    """Give this study its own copy of each finished cell that only another place of the store has.

    So it is with a cell that it has itself, and that lacks what is asked for besides its metrics. One that would have
    to be trained again for that is left where it is.

    Args:
        store: of the study.
        cells: of the study.
        same_code: only results that today's code made.
        keep: what stays of each cell besides its results (`study.keep`).
        complete: nor one that would have to be measured first.

    Raises:
        InputError: a result file is broken, or the study's folder cannot be written.
    """
    for cell in cells:
        asked = Asked.of(cell.config, keep).alone()
        found = store.find(cell, cell.code if same_code else None, asked)
        if found is None or found.folder == store.cell(cell.id):
            continue
        lacking = asked.lacking(found.folder, found.result)
        if not (lacking if complete else lacking.needs_training):
            _copy(store, cell, found)


def _copy(store: Store, cell: Cell, found: Found) -> None:
    folder = make_folder(store.cell(cell.id))
    sources = [found.folder / name for name in SHARED]
    for name in FOLDERS:
        if (found.folder / name).is_dir():
            make_folder(folder / name)
            sources += sorted((found.folder / name).glob("*.csv"))
    for source in sources:
        if source.is_file():
            with atomic(folder / source.relative_to(found.folder)) as temporary:
                shutil.copyfile(source, temporary)
    code = found.result["code"]
    write_yaml(folder / "cell.yaml", {**of_cell(cell), "code": code, "config": cell.config})
    taken = {**_with_own(folder, found.result), "id": cell.id}
    if found.folder.name != cell.id:
        taken = {"earlier_id": found.folder.name, **taken}
    home = found.folder.parent.parent
    if home != store.folder:
        taken = {"reused_from": home.name, **taken}  # a result taken over twice keeps its first home
    # Last of all: with a result a cell counts as finished, and all that belongs to it has to be there.
    write_json(folder / RESULT, taken)


def _with_own(folder: Path, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what the study's own result of the same code has besides it."""
    if not has_result(folder):
        return dict(result)
    own = read_result(folder / RESULT)  # whole: what is not was set aside before
    if own["code"] != result["code"]:
        return dict(result)
    merged = {key: {**own.get(key, {}), **result.get(key, {})} for key in ("metrics", *FOLDERS)}
    return {**result, **{key: value for key, value in merged.items() if value}}

"""Taking over what the store has already: cells of another study, or of this one under an earlier ID."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from ablate.run.store import RESULT, Found, Store
from ablate.study.cells import Cell
from ablate.system.files import atomic, make_folder, write_json, write_yaml

SHARED = ("history.csv", "weights.safetensors")  # of a finished cell, besides its result
FOLDERS = ("probes", "measurements")


def take_over(store: Store, cells: Iterable[Cell], *, same_code: bool) -> None:
    """Give this study its own copy of each finished cell that only another place of the store has.

    Args:
        store: of the study.
        cells: of the study.
        same_code: only results that today's code made.

    Raises:
        InputError: a result file is broken, or the study's folder cannot be written.
    """
    for cell in cells:
        found = store.find(cell, cell.code if same_code else None)
        if found is not None and found.folder != store.cell(cell.id):
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
    write_yaml(folder / "cell.yaml", {"id": cell.id, "code": code, "contents": cell.contents, "config": cell.config})
    taken = {**found.result, "id": cell.id}
    if found.folder.name != cell.id:
        taken = {"earlier_id": found.folder.name, **taken}
    home = found.folder.parent.parent
    if home != store.folder:
        taken = {"reused_from": home.name, **taken}  # a result taken over twice keeps its first home
    # Last of all: with a result a cell counts as finished, and all that belongs to it has to be there.
    write_json(folder / RESULT, taken)

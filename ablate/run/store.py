"""Cells on disk: `runs/STUDY/cells/ID/`, found again by any study of the same store. Reading never writes.

A cell's folder holds `cell.yaml` (the frozen config), `history.csv`, `log.txt`, `last.ckpt` while it trains, and
`result.json`, written last and in one step: a cell with a result is finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.config.code import manifest
from ablate.errors import InputError
from ablate.measure.asked import MEASUREMENTS, PROBES, WEIGHTS, Asked, with_earlier
from ablate.run.results import cells_in, load_study
from ablate.run.stored_result import has_result, read_result
from ablate.study.record import CellRecord, StudyRecord
from ablate.system.files import make_folder, make_lasting_folder, read_yaml, remove, set_aside, write_json, write_yaml
from ablate.system.leftovers import temporary_name
from ablate.system.locks import locked, make_locks_folder
from ablate.system.reading import BrokenFile

if TYPE_CHECKING:
    from ablate.network.profile import Profile
    from ablate.study.plan import Cell, Study

RESULT = "result.json"
LOCKS = ".locks"  # folder of a store
Nodes = Mapping[str, Mapping[str, Any]]  # name of a plugin -> its config node


@dataclass(frozen=True)
class Found:
    """A finished cell somewhere in the store: its folder, and what its `result.json` holds."""

    folder: Path
    result: dict[str, Any]


class Store:
    """The folder of one study inside the store of all studies.

    Args:
        runs: the store's folder.
        name: of the study's folder.

    Raises:
        InputError: the name cannot be that of a folder in the store.
    """

    def __init__(self, runs: str | Path, name: str) -> None:
        if not name or name.startswith(".") or Path(name).name != name:
            raise InputError(f"study.name={name!r}: must be the name of a folder, without '/' or a leading dot")
        self.runs = Path(runs).absolute()
        self.folder = self.runs / name
        self._manifests: set[str] = set()  # fingerprints of code whose files are written down

    @classmethod
    def of(cls, cell_folder: Path) -> Store:
        """The store and study that a cell's folder belongs to."""
        return cls(cell_folder.parents[2], cell_folder.parents[1].name)

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            InputError: they cannot be written.
        """
        for folder in (self.folder / "cells", self.runs / LOCKS):
            # To make a folder that is there succeeds where nothing may be written into it.
            probe = folder / temporary_name("probe")
            try:
                if folder.is_symlink():
                    raise InputError(f"{folder} is a link, and a store writes into its own folders only; remove it")
                if folder.name == LOCKS:
                    make_locks_folder(folder)
                make_lasting_folder(folder)
                probe.touch(exist_ok=False)
                probe.unlink()
            except OSError as error:
                reason = error.strerror or error
                raise InputError(
                    f"cannot write to {folder}: {reason}; choose another store with runs=FOLDER"
                ) from error

    def cell(self, cell_id: str) -> Path:
        """The folder of a cell in this study."""
        return self.folder / "cells" / cell_id

    def lock_file(self, cell_id: str) -> Path:
        """Locked by the process that trains a cell, in whichever study; the system frees it when that process dies."""
        return self.runs / LOCKS / f"{cell_id}.lock"

    def study_lock(self) -> AbstractContextManager[None]:
        """Held while `study.yaml` is read, merged and written."""
        return locked(self.runs / LOCKS / f"study-{self.folder.name}.lock")

    def freeze(self, cell: Cell, keep: Iterable[str] = (), *, anew: bool = False) -> Path:
        """Write what the process of a cell without a valid result needs to know, and return the cell's folder.

        A result that other code made is set aside and stays beside the new one.

        Args:
            cell: to be trained.
            keep: what stays of it besides its results (`study.keep`).
            anew: a result that today's code made is set aside, too.
        """
        folder = make_folder(self.cell(cell.id))
        path, config = folder / RESULT, cell.config
        if has_result(folder) and (anew or read_result(path)["code"] != cell.code):
            config = with_earlier(config, read_result(path))  # its columns and weights stay, made anew
            keep = dict.fromkeys([*keep, *(["weights"] if (folder / WEIGHTS).exists() else [])])
            # Moved before anything is trained: with it in place, a killed process would leave a cell that looks done.
            set_aside(path, "stale")
            for made in (folder / WEIGHTS, *(folder / PROBES).glob("*.csv"), *(folder / MEASUREMENTS).glob("*.csv")):
                remove(made)
        content = {**of_cell(cell), "config": config}
        write_yaml(folder / "cell.yaml", content | ({"keep": [*keep]} if keep else {}))
        self.keep_manifest(cell)
        return folder

    def freeze_to_measure(self, cell_id: str, measurements: Nodes, arm: str, others: Mapping[str, str]) -> Path:
        """Write what the process needs to know that takes measurements on a finished cell; returns the cell's folder.

        Args:
            cell_id: of the cell.
            measurements: name -> config node.
            arm: of the cell.
            others: the IDs of the cells of other arms at the same point with the same seed, by arm.
        """
        folder = self.cell(cell_id)
        content = read_yaml(folder / "cell.yaml", config=dict)
        known = content["config"].get("measurements") or {}
        content["config"] = {**content["config"], "measurements": {**known, **measurements}}
        asked = {"measure": list(measurements), "arm": arm, "others": dict(others)}
        write_yaml(folder / "cell.yaml", {**content, **asked})
        return folder

    def keep_manifest(self, cell: Cell) -> None:
        """Write down which files decide a cell's numbers, as they are now: its process compares before it trains."""
        if cell.code in self._manifests:
            return  # cells of one code share it, and a file that changed since has made another code
        path = self.folder / "code" / f"{cell.code}.json"
        make_folder(path.parent)
        write_json(path, {"files": manifest(cell.config)})
        self._manifests.add(cell.code)

    def find(self, cell: Cell | CellRecord, code: str | None = None, asked: Asked | None = None) -> Found | None:
        """A finished cell, in this study first, then in the others of the store, then under its earlier IDs.

        Args:
            cell: that is looked for.
            code: the fingerprint of the code that must have made its result; None takes any.
            asked: what it should have besides its metrics: one that has it comes before those that lack some of it.

        Raises:
            InputError: a result file cannot be read.
        """
        lacking: Found | None = None
        for path in self._results(cell):
            try:
                result = read_result(path)
            except BrokenFile:
                continue  # a run sets it aside (`ablate.run.recovery`); others say that the cell has none
            if code in (None, result["code"]):
                found = Found(path.parent, result)
                if not asked or not asked.lacking(path.parent, result):
                    return found
                lacking = lacking or found
        return lacking

    def write_study(
        self, study: Study, cells: Sequence[Cell] | None = None, profiles: Mapping[str, Profile] | None = None
    ) -> StudyRecord:
        """Write `study.yaml`, adding to earlier runs where the study is open, and return what it holds.

        Args:
            study: as planned.
            cells: those that it needs by now; None: all.
            profiles: what is known of the networks of cells, by ID.
        """
        with self.study_lock():
            record = StudyRecord.of(study, study.cells if cells is None else cells, profiles or {})
            # Read inside the lock, too: what was read before it may have been written over by now.
            earlier = load_study(self.folder) if (self.folder / "study.yaml").exists() else None
            if earlier is None and study.open and (left := cells_in(self.folder)):
                earlier = replace(record, cells=left)
            if earlier is not None:
                record = replace(record, cells=_with_static(record.cells, earlier.cells))
            if earlier is not None and study.open:
                # Under the lock: two single runs that end at once would else each drop the other's cell.
                names = {cell.id for cell in record.cells}
                renamed = {name for cell in record.cells for name in cell.earlier} - names
                before = [cell for cell in earlier.cells if cell.id not in renamed]  # else they would count twice
                merged = {cell.id: cell for cell in [*before, *record.cells]}
                record = replace(record.with_cells(merged.values()), chosen=study.chosen or earlier.chosen)
            if earlier is None or record.to_dict() != earlier.to_dict():
                write_yaml(self.folder / "study.yaml", record.to_dict())
        return record

    def _results(self, cell: Cell | CellRecord) -> Iterator[Path]:
        """Lazily: most cells lie in their own study, and a store can hold hundreds of others to look through."""
        for one in (cell.id, *cell.earlier):
            own = self.cell(one) / RESULT
            if own.exists():
                yield own
            # Sorted: which of several copies is taken must not depend on the file system.
            yield from (path for path in sorted(self.runs.glob(f"*/cells/{one}/{RESULT}")) if path != own)


def of_cell(cell: Cell) -> dict[str, Any]:
    """What `cell.yaml` says of a cell, without its config: also where it belongs, should `study.yaml` be lost."""
    place = {"arm": cell.arm, "factors": cell.factors}
    return {"id": cell.id, "code": cell.code, **place, "contents": cell.contents}


def _with_static(cells: Sequence[CellRecord], earlier: Sequence[CellRecord]) -> list[CellRecord]:
    """What an earlier run knew of a cell's network; a run that trains nothing has not looked at it again."""
    known = {cell.id: cell.static for cell in earlier if cell.static}
    return [cell if cell.static or cell.id not in known else replace(cell, static=known[cell.id]) for cell in cells]

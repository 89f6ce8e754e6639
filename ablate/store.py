"""Cells on disk: `runs/STUDY/cells/ID/`, found again by any study of the same store.

A cell's folder holds `cell.yaml` (the frozen config), `history.csv`, `log.txt`, `last.ckpt` while it trains, and
`result.json`, written last and in one step: a cell with a result is finished.
"""

from __future__ import annotations

import math
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ablate.designs.record import study_content
from ablate.errors import InputError, nearest
from ablate.files import atomic, make_folder, read_json, read_yaml, write_json, write_yaml

if TYPE_CHECKING:
    import pandas as pd

    from ablate.costs import Network
    from ablate.study import Cell, Study

SHARED = ("cell.yaml", "history.csv")  # what another study takes over of a finished cell besides its result


class Store:
    """The folder of one study inside the store of all studies.

    Args:
        runs: the store's folder.
        name: of the study.

    Raises:
        InputError: the name cannot be that of a folder in the store.
    """

    def __init__(self, runs: str | Path, name: str) -> None:
        if not name or name.startswith(".") or Path(name).name != name:
            raise InputError(f"study.name={name!r}: must be the name of a folder, without '/' or a leading dot")
        self.runs = Path(runs).absolute()
        self.folder = self.runs / name

    @classmethod
    def of(cls, cell_folder: Path) -> Store:
        """The store and study that a cell's folder belongs to."""
        return cls(cell_folder.parents[2], cell_folder.parents[1].name)

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            InputError: they cannot be written.
        """
        for folder in (self.folder / "cells", self.runs / ".locks"):
            probe = folder / f".probe-{uuid.uuid4().hex[:8]}"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                probe.touch()
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
        return self.runs / ".locks" / f"{cell_id}.lock"

    def study_lock(self) -> FileLock:
        """Held while `study.yaml` is read, merged and written."""
        return FileLock(self.runs / ".locks" / f"study-{self.folder.name}.lock")

    def freeze(self, cell: Cell) -> Path:
        """Write what the process of a cell without a valid result needs to know, and return the cell's folder.

        A result that other code made is set aside and stays beside the new one.
        """
        folder = make_folder(self.cell(cell.id))
        result = folder / "result.json"
        if result.exists() and read_result(result)["code"] != cell.code:
            result.replace(folder / "result.stale.json")
        write_yaml(folder / "cell.yaml", {"id": cell.id, "code": cell.code, "config": cell.config})
        return folder

    def has_result(self, cell_id: str) -> bool:
        """Whether some study of the store has finished this cell."""
        return any(self.runs.glob(f"*/cells/{cell_id}/result.json"))

    def result(self, cell_id: str, code: str | None = None) -> dict[str, Any] | None:
        """A finished cell's result, taken over from another study of the store where only that one has it.

        Args:
            cell_id: of the cell.
            code: the fingerprint of the code that must have made it; None takes any result, this study's own first.

        Raises:
            InputError: a result file is broken.
        """
        for path in self._results(cell_id):
            result = read_result(path)
            if code in (None, result["code"]):
                own = path.parent == self.cell(cell_id)
                return result if own else self._take_over(path.parent, result)
        return None

    def peek(self, cell_id: str, code: str | None = None) -> dict[str, Any] | None:
        """A finished cell's result as `result` gives it, and nothing is written.

        Raises:
            InputError: a result file is broken.
        """
        found = (read_result(path) for path in self._results(cell_id))
        return next((result for result in found if code in (None, result["code"])), None)

    def left_out(self, study: Study) -> str:
        """What the last run of this name had and this one leaves out, in words; empty where that is nothing.

        Raises:
            InputError: `study.yaml` is broken.
        """
        path = self.folder / "study.yaml"
        if study.open or not path.exists():
            return ""
        planned = {cell.id for cell in study.cells}
        left = [cell for cell in load_study(self.folder)["cells"] if cell["id"] not in planned]
        return f"{len(left)} cells of the last run of {study.name} are no part of this one" if left else ""

    def write_study(
        self, study: Study, cells: Sequence[Cell] | None = None, networks: Mapping[str, Network] | None = None
    ) -> dict[str, Any]:
        """Write `study.yaml`, adding to earlier runs where the study is open, and return what it holds.

        Args:
            study: as planned.
            cells: those that it needs by now; None: all.
            networks: what is known of the networks of cells, by ID.
        """
        with self.study_lock():
            content = study_content(study, study.cells if cells is None else cells, networks or {})
            path = self.folder / "study.yaml"
            earlier = load_study(self.folder) if path.exists() else {"cells": []}
            _keep_static(content["cells"], earlier["cells"])
            if study.open and path.exists():
                content["cells"] = _merged(earlier["cells"], content["cells"])
                content["chosen"] = study.chosen or earlier.get("chosen", {})
                content["seeds"] = sorted({cell["seed"] for cell in content["cells"]})
            write_yaml(path, content)
        return content

    def _results(self, cell_id: str) -> Iterator[Path]:
        own = self.cell(cell_id) / "result.json"
        if own.exists():
            yield own
        yield from (path for path in sorted(self.runs.glob(f"*/cells/{cell_id}/result.json")) if path != own)

    def _take_over(self, source: Path, result: Mapping[str, Any]) -> dict[str, Any]:
        folder = make_folder(self.cell(source.name))
        for name in SHARED:
            if (source / name).exists():
                with atomic(folder / name) as temporary:
                    shutil.copyfile(source / name, temporary)
        taken = {"reused_from": source.parent.parent.name, **result}  # a result taken over twice keeps its first home
        write_json(folder / "result.json", taken)
        return taken


def read_result(path: Path) -> dict[str, Any]:
    """The content of a `result.json`.

    Raises:
        InputError: the file is not whole.
    """
    return read_json(path, status=str, metrics=dict, code=str)


def load_study(folder: str | Path) -> dict[str, Any]:
    """The study in a folder, as it was planned.

    Raises:
        InputError: there is none; says which studies stand beside it.
    """
    folder = Path(folder)
    if not (folder / "study.yaml").exists():
        known = [path.parent.name for path in sorted(folder.parent.glob("*/study.yaml"))]
        near = nearest(folder.name, known)
        hint = f"; did you mean {folder.parent / near}?" if near else ""
        raise InputError(f"no study in {folder}{hint}; studies there: {', '.join(known) or 'none'}")
    return read_yaml(folder / "study.yaml", name=str, cells=list, claims=list)


def load_results(folder: str | Path) -> pd.DataFrame:
    """One row a cell of a study: arm, grid values, seed, status, metrics (errors as fractions).

    Args:
        folder: `runs/NAME`.

    Raises:
        InputError: no study there, or a file of it is broken.
    """
    import pandas as pd

    folder = Path(folder)
    study = load_study(folder)
    without = "pending" if study.get("trains", True) else "static"
    return pd.DataFrame([_row(folder / "cells" / cell["id"], cell, without) for cell in study["cells"]])


def load_history(folder: str | Path) -> pd.DataFrame:
    """One row a cell and epoch of a study: arm, grid values, seed, epoch, metrics."""
    import pandas as pd

    folder = Path(folder)
    frames = []
    for cell in load_study(folder)["cells"]:
        path = folder / "cells" / cell["id"] / "history.csv"
        if path.exists():
            frame = _read_history(path)
            for column, value in reversed(_columns(cell).items()):
                frame.insert(0, column, value)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def load_versions(folder: str | Path) -> dict[str, str]:
    """The versions that a study's results were made with, by package; several where they differ."""
    folder = Path(folder)
    found: dict[str, set[str]] = {}
    for cell in load_study(folder)["cells"]:
        path = folder / "cells" / cell["id"] / "result.json"
        if path.exists():
            for package, version in read_result(path).get("versions", {}).items():
                found.setdefault(package, set()).add(version)
    return {package: ", ".join(sorted(versions)) for package, versions in found.items()}


def _read_history(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_csv(path)
    except ValueError as error:  # of which pandas' own errors and those of the encoding are kinds
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not readable CSV ({reason}); delete its folder and run the study again") from error
    if "epoch" not in frame:
        raise InputError(f"{path} has no column epoch; delete its folder and run the study again")
    return frame


def _row(folder: Path, cell: Mapping[str, Any], without: str) -> dict[str, Any]:
    """A cell's row; `without` is its status where it has no result: still to be trained, or never."""
    from ablate.analysis import recorded_metrics  # behind pandas, which only results need

    row = {**_columns(cell), "status": without, "reason": "", "reused_from": "", "stale": False}
    row |= dict.fromkeys(recorded_metrics(), math.nan) | cell.get("static", {})
    if (folder / "result.json").exists():
        result = read_result(folder / "result.json")
        row |= {"status": result["status"], "reason": result.get("reason", "")}
        row |= {"reused_from": result.get("reused_from", ""), "stale": result["code"] != cell.get("code")}
        row |= {name: math.nan if value is None else value for name, value in result["metrics"].items()}
    elif (folder / "failure.json").exists():
        row |= {"status": "failed", "reason": read_json(folder / "failure.json", reason=str)["reason"]}
    return row


def _columns(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A list, such as the places of auxiliary classifiers, stands in a column as text."""
    factors = {name: str(value) if isinstance(value, list | dict) else value for name, value in cell["factors"].items()}
    return {"cell": cell["id"], "arm": cell["arm"], **factors, "seed": cell["seed"]}


def _keep_static(cells: Sequence[dict[str, Any]], earlier: Sequence[Mapping[str, Any]]) -> None:
    """What an earlier run knew of a cell's network; a run that trains nothing has not looked at it again."""
    known = {cell["id"]: cell["static"] for cell in earlier if "static" in cell}
    for cell in cells:
        if cell["id"] in known:
            cell.setdefault("static", known[cell["id"]])


def _merged(earlier: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({cell["id"]: cell for cell in [*earlier, *new]}.values())

"""What the store holds of a study, read as tables; nothing is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.analysis.metrics import recorded_metrics
from ablate.errors import InputError, nearest
from ablate.study.record import CellRecord, StudyRecord
from ablate.system.files import read_json, read_yaml

if TYPE_CHECKING:
    import pandas as pd


def read_result(path: Path) -> dict[str, Any]:
    """The content of a `result.json`.

    Raises:
        InputError: the file is not whole.
    """
    return read_json(path, status=str, metrics=dict, code=str)


def load_study(folder: str | Path) -> StudyRecord:
    """The study in a folder, as it was planned.

    Raises:
        InputError: there is none, and it says which studies stand beside it; or its file is broken.
    """
    folder = Path(folder)
    path = folder / "study.yaml"
    if not path.exists():
        known = [path.parent.name for path in sorted(folder.parent.glob("*/study.yaml"))]
        near = nearest(folder.name, known)
        hint = f"; did you mean {folder.parent / near}?" if near else ""
        raise InputError(f"no study in {folder}{hint}; studies there: {', '.join(known) or 'none'}")
    plain = read_yaml(path, name=str, cells=list, claims=list)
    try:
        return StudyRecord.read(plain)
    except InputError as error:
        raise InputError(f"{path} {error}; delete it and run the study again") from error


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
    without = "pending" if study.trains else "static"
    return pd.DataFrame([_row(folder / "cells" / cell.id, cell, without) for cell in study.cells])


def load_history(folder: str | Path) -> pd.DataFrame:
    """One row a cell and epoch of a study: arm, grid values, seed, epoch, metrics."""
    import pandas as pd

    folder = Path(folder)
    frames = []
    for cell in load_study(folder).cells:
        path = folder / "cells" / cell.id / "history.csv"
        if path.exists():
            frame = _read_history(path)
            for column, value in reversed(columns_of(cell).items()):
                frame.insert(0, column, value)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def load_versions(folder: str | Path) -> dict[str, str]:
    """The versions that a study's results were made with, by package; several where they differ."""
    folder = Path(folder)
    found: dict[str, set[str]] = {}
    for cell in load_study(folder).cells:
        path = folder / "cells" / cell.id / "result.json"
        if path.exists():
            for package, version in read_result(path).get("versions", {}).items():
                found.setdefault(package, set()).add(version)
    return {package: ", ".join(sorted(versions)) for package, versions in found.items()}


def columns_of(cell: CellRecord) -> dict[str, Any]:
    """What tells a cell's rows from those of others; a list, such as the places of auxiliary heads, stands as text."""
    factors = {name: str(value) if isinstance(value, list | dict) else value for name, value in cell.factors.items()}
    return {"cell": cell.id, "arm": cell.arm, **factors, "seed": cell.seed}


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


def _row(folder: Path, cell: CellRecord, without: str) -> dict[str, Any]:
    """A cell's row; `without` is its status where it has no result: still to be trained, or never."""
    row = {**columns_of(cell), "status": without, "reason": "", "reused_from": "", "stale": False}
    row |= dict.fromkeys(recorded_metrics(), math.nan) | cell.static
    if (folder / "result.json").exists():
        result = read_result(folder / "result.json")
        row |= {"status": result["status"], "reason": result.get("reason", "")}
        row |= {"reused_from": result.get("reused_from", ""), "stale": result["code"] != cell.code}
        row |= {name: math.nan if value is None else value for name, value in _metrics(result).items()}
    elif (folder / "failure.json").exists():
        row |= {"status": "failed", "reason": read_json(folder / "failure.json", reason=str)["reason"]}
    return row


def _metrics(result: Mapping[str, Any]) -> dict[str, Any]:
    return dict(result["metrics"])

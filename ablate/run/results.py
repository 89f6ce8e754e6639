"""What the store holds of a study, read as tables; nothing is written."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.analysis.metrics import recorded_metrics
from ablate.errors import InputError, nearest
from ablate.run.stored_result import has_result, read_result
from ablate.study.record import CellRecord, NewerForm, StudyRecord
from ablate.system.files import read_json, read_yaml
from ablate.system.reading import BrokenFile, read_text
from ablate.system.schema import checked
from ablate.system.unchanged import once_while_unchanged

if TYPE_CHECKING:
    import pandas as pd

ANEW = "run the study again, which writes it anew"
FOLDER = "delete the cell's folder and run the study again"


def load_study(folder: str | Path) -> StudyRecord:
    """The study in a folder, as it was planned.

    Raises:
        BrokenFile: its file is not whole; a run of the study makes it anew.
        InputError: there is none, and it says which studies stand beside it; or its file cannot be read.
    """
    folder = Path(folder)
    path = folder / "study.yaml"
    if not path.exists():
        known = [path.parent.name for path in sorted(folder.parent.glob("*/study.yaml"))]
        near = nearest(folder.name, known)
        hint = f"; did you mean {folder.parent / near}?" if near else ""
        raise InputError(f"no study in {folder}{hint}; studies there: {', '.join(known) or 'none'}")
    return _read_study(path)


def known_record(folder: Path) -> StudyRecord | None:
    """The study as it was planned last; None where there is none, or its file is not whole.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return load_study(folder) if (folder / "study.yaml").exists() else None
    except BrokenFile:
        return None


@once_while_unchanged
def _read_study(path: Path) -> StudyRecord:
    plain = read_yaml(path, again=ANEW)
    try:
        return StudyRecord.read(plain)
    except NewerForm as error:  # not broken, and so never to be set aside
        raise InputError(f"cannot read {path}: {error}; bring ablate up to date") from error
    except InputError as error:
        raise BrokenFile(f"{path} is not whole ({error}); {ANEW}") from error


def cells_in(folder: Path) -> list[CellRecord]:
    """The cells of a study's folder, as far as their `cell.yaml` tells where they belong.

    What a study of single runs is put together from where its `study.yaml` is not whole: no command names them all.
    """
    found = []
    for path in sorted((folder / "cells").glob("*/cell.yaml")):
        try:
            plain = read_yaml(path, config=dict)
            cell = checked({**plain, "seed": plain["config"].get("seed")}, CellRecord)
        except (BrokenFile, InputError):  # its command finds its result again, and puts it back into the study
            continue
        if cell.id == path.parent.name:
            found.append(cell)
    return found


def load_results(folder: str | Path) -> pd.DataFrame:
    """One row a cell of a study: arm, grid values, seed, status, metrics (errors as fractions).

    A cell whose `result.json` is not whole has the status `failed` and the reason beside it.

    Args:
        folder: `runs/NAME`.

    Raises:
        InputError: no study there, or a file of it cannot be read.
    """
    import pandas as pd

    folder = Path(folder)
    study = load_study(folder)
    without = "pending" if study.trains else "static"
    return pd.DataFrame([_row(folder / "cells" / cell.id, cell, without) for cell in study.cells])


def load_history(folder: str | Path) -> pd.DataFrame:
    """One row a cell and epoch of a study: arm, grid values, seed, epoch, metrics.

    Histories that are not whole are left out; `frame.attrs["broken"]` tells of each in a line.
    """
    import pandas as pd

    folder = Path(folder)
    parts: list[dict[str, Any]] = []
    broken = []
    for cell in load_study(folder).cells:
        path = folder / "cells" / cell.id / "history.csv"
        if path.exists():
            try:
                rows = read_history(path)
                if not rows and has_result(path.parent):
                    raise BrokenFile(f"{path} is not whole (it has no rows); {FOLDER}")
            except BrokenFile as error:
                broken.append(str(error))
            else:
                parts += [{**columns_of(cell), **row} for row in rows]
    frame = pd.DataFrame(parts)
    if parts:
        frame["epoch"] = frame["epoch"].astype(int)
    frame.attrs["broken"] = broken
    return frame


def stored_verdicts(folder: Path) -> list[dict[str, Any]] | None:
    """As the last report has them; None where there are none. To judge anew would be a look at the results: it counts.

    Args:
        folder: `runs/NAME`.
    """
    try:
        found: list[dict[str, Any]] = read_json(folder / "verdicts.json", claims=list)["claims"]
    except InputError:
        return None
    return found


def load_versions(folder: str | Path) -> dict[str, str]:
    """The versions that a study's results were made with, by package; several where they differ."""
    folder = Path(folder)
    found: dict[str, set[str]] = {}
    for cell in load_study(folder).cells:
        place = folder / "cells" / cell.id
        if has_result(place):
            for package, version in read_result(place / "result.json").get("versions", {}).items():
                found.setdefault(package, set()).add(version)
    return {package: ", ".join(sorted(versions)) for package, versions in found.items()}


def columns_of(cell: CellRecord) -> dict[str, Any]:
    """What tells a cell's rows from those of others; a list, such as the places of auxiliary heads, stands as text."""
    factors = {name: str(value) if isinstance(value, list | dict) else value for name, value in cell.factors.items()}
    return {"cell": cell.id, "arm": cell.arm, **factors, "seed": cell.seed}


def read_history(path: Path) -> list[dict[str, float]]:
    """The whole rows of a cell's `history.csv`; one that is being written comes with the next look.

    Raises:
        BrokenFile: it does not hold what it should.
        InputError: it cannot be read.
    """
    rows: list[dict[str, float]] = []
    with told_broken(path):
        header, texts = whole_rows(path)
        for values in texts:
            rows.append({key: float(value) for key, value in zip(header, values, strict=True) if value})
            if rows[-1].get("epoch") != len(rows):
                raise ValueError(f"row {len(rows)} is not that of epoch {len(rows)}")
    return rows


def whole_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The first line of a cell's table and its whole rows, without one that is being written; inside `told_broken`.

    Raises:
        ValueError: a row has another number of columns than the first line.
        InputError: it cannot be read, or holds no text.
    """
    text = read_text(path)
    reader = csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))
    header = next(reader, [])
    rows = [row for row in reader if row]
    if wrong := next((number for number, row in enumerate(rows, 1) if len(row) != len(header)), None):
        raise ValueError(f"row {wrong} has another number of columns than the first line")
    return header, rows


@contextmanager
def told_broken(path: Path) -> Iterator[None]:
    """What is wrong with a cell's table inside, told as a broken file with what to do."""
    try:
        yield
    except BrokenFile as error:
        raise BrokenFile(f"{error}; {FOLDER}") from error
    except (ValueError, csv.Error) as error:
        raise BrokenFile(f"{path} is not whole ({error}); {FOLDER}") from error


def _row(folder: Path, cell: CellRecord, without: str) -> dict[str, Any]:
    """A cell's row; `without` is its status where it has no result: still to be trained, or never."""
    stream = cell.seed if cell.stream is None else cell.stream
    row = {**columns_of(cell), "stream": stream, "status": without, "reason": "", "reused_from": "", "stale": False}
    row |= dict.fromkeys(recorded_metrics(), math.nan) | cell.static
    try:
        result = read_result(folder / "result.json") if (folder / "result.json").exists() else None
    except BrokenFile as error:
        return {**row, "status": "failed", "reason": str(error)}
    if result is not None:
        row |= {"status": result["status"], "reason": result.get("reason", "")}
        row |= {"reused_from": result.get("reused_from", ""), "stale": result["code"] != cell.code}
        row |= {name: math.nan if value is None else value for name, value in _metrics(result).items()}
    elif (reason := failure_of(folder)) is not None:
        row |= {"status": "failed", "reason": reason}
    return row


def failure_of(folder: Path) -> str | None:
    """Why a cell without a result failed; None where it did not."""
    path = folder / "failure.json"
    if not path.exists():
        return None
    try:
        return str(read_json(path, reason=str)["reason"])
    except BrokenFile:
        return "the reason cannot be read"  # the cell has no result either way, and the next run tries again


def _metrics(result: Mapping[str, Any]) -> dict[str, Any]:
    return dict(result["metrics"])

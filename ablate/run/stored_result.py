"""What a `result.json` must hold: read whole or not at all, since it decides verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ablate.analysis.metrics import DECLARED
from ablate.errors import InputError
from ablate.system.files import read_json
from ablate.system.reading import BrokenFile
from ablate.system.schema import checked
from ablate.system.unchanged import once_while_unchanged

AGAIN = "run the study again, which trains this cell anew"


@dataclass(frozen=True)
class Note:
    """How a probe or a measurement of a cell came about: its options, its code, whether it has a table."""

    options: dict[str, Any]
    code: str
    table: bool


@dataclass(frozen=True)
class Result:
    """The form of a result, as its cell writes it; more keys may come, and these stay."""

    id: str
    status: Literal["done", "diverged"]
    metrics: dict[str, float | None]
    code: str
    reason: str = ""
    reused_from: str = ""
    earlier_id: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    probes: dict[str, Note] = field(default_factory=dict)
    measurements: dict[str, Note] = field(default_factory=dict)
    device: str = ""
    processor: str = ""
    host: str = ""
    finished: str = ""


# A run asks several times what a cell has, of thousands in a large store.
@once_while_unchanged
def read_result(path: Path) -> dict[str, Any]:
    """The content of a cell's `result.json`; not to be changed, since the next reader may get the same one.

    Raises:
        BrokenFile: it is not whole, or is the result of another cell than the one whose folder it lies in.
        InputError: it cannot be read.
    """
    content = read_json(path, again=AGAIN)
    try:
        _check(content, path.parent.name)
    except InputError as error:
        raise BrokenFile(f"{path} is not whole ({error}); {AGAIN}") from error
    return content


def has_result(folder: Path) -> bool:
    """Whether a cell has a result that is whole.

    Raises:
        InputError: the file cannot be read.
    """
    path = folder / "result.json"
    try:
        return path.exists() and bool(read_result(path))
    except BrokenFile:
        return False


def _check(content: Mapping[str, Any], cell: str) -> None:
    result = checked(content, Result)
    if result.id != cell:
        raise InputError(f"it is that of the cell {result.id}")
    for name, value in result.metrics.items():
        if value is not None and not math.isfinite(value):
            raise InputError(f"metrics.{name} is not finite")
    for metric in DECLARED:
        value = result.metrics.get(metric.name)
        # Only a cell that diverged has no values: it has the names.
        wanted = result.status == "done" or (metric.name not in result.metrics and not metric.is_cost)
        if value is None and wanted:
            raise InputError(f"metrics.{metric.name} is missing")
        if value is not None and metric.is_error and not 0 <= value <= 1:
            raise InputError(f"metrics.{metric.name} is {value:g}, and an error is a fraction")

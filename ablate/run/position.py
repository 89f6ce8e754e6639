"""How far a tracker was told of a study, as it is kept in the study's folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.interfaces.tracker import Tracker
from ablate.system.files import read_json
from ablate.system.schema import checked

PLACE = "trackers"  # folder of a study
State = tuple[int, ...]  # size and time of a file; empty where there is none


@dataclass
class Place:
    """How far a tracker was told of a cell.

    Attributes:
        code: that trained it.
        attempt: how often it was begun anew with other code.
        rows: of its history.
        state: what was told last: `started`, `again`, `failed` or `ended`.
        result: a digest of the result that was told, or of the reason for which there is none.
        seen: size and time of the result file that this was.
    """

    code: str = ""
    attempt: int = 0
    rows: int = 0
    state: str = ""
    result: str = ""
    seen: tuple[int, ...] = ()


@dataclass
class Position:
    """What is kept of a tracker.

    Attributes:
        told: digests of what it was told of the study as a whole: `plan`, `verdicts`.
        cells: how far it was told of each.
    """

    told: dict[str, str]
    cells: dict[str, Place]


def position_file(folder: Path, name: str, tracker: Tracker) -> Path:
    """Where it is kept how far a tracker was told of a study: another file for each place that it mirrors to."""
    where = f"-{digest(tracker.where)}" if tracker.where else ""
    return folder / PLACE / f"{name}{where}.json"


def read_position(path: Path) -> Position | None:
    """How far a tracker was told; None where it was told nothing yet.

    Raises:
        InputError: the file is not whole, or cannot be read.
    """
    return checked(read_json(path), Position) if path.exists() else None


def digest(content: Any) -> str:
    """Of plain values: hexadecimal, of 16 characters."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def state_of(path: Path) -> State:
    """Size and time of a file; empty where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    return status.st_size, status.st_mtime_ns

"""What is kept of each run of wandb, beside the position of the tracker: `runs/NAME/trackers/wandb/RUN_ID.json`.

A run of wandb may be shared by studies of a store, and offline runs may or may not have been sent since. How many rows
lie where must be known exactly, since whoever sends them twice has them twice.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ablate import atomic, make_folder

PLACE = Path("trackers", "wandb")
MARK = "ablate.txt"  # in each offline run that is ours to replace


@dataclass
class Record:
    """How far a run is mirrored.

    Attributes:
        id: of the run.
        cell: whose run it is; empty for that of a study.
        code: that trained the cell.
        to: the project that it belongs to, and the server.
        group: of the run.
        studies: whose tags it has.
        rows: of its history that have arrived, or lie in `folder`; None: began online, and how far is not known here.
        folder: of the offline run, from the study's folder; empty where it went online.
        base: the rows that were elsewhere before `folder` was written.
        status: that the run ended with.
    """

    id: str
    cell: str = ""
    code: str = ""
    to: str = ""
    group: str = ""
    studies: list[str] = field(default_factory=list)
    rows: int | None = None
    folder: str = ""
    base: int = 0
    status: str = ""


@dataclass
class Kept:
    """A record of a study."""

    study: Path
    record: Record

    @property
    def folder(self) -> Path | None:
        """Of the offline run, where it is there and has not been sent."""
        if not self.record.folder:
            return None
        folder = Path(os.path.normpath(self.study / self.record.folder))
        return folder if folder.is_dir() and not sent(folder) else None

    @property
    def elsewhere(self) -> int | None:
        """Its rows that lie on the server, once all that was sent has arrived; None: nobody knows."""
        return self.record.base if self.folder and self.record.rows is not None else self.record.rows


def sent(folder: Path) -> bool:
    """Whether `wandb sync` has sent an offline run."""
    return any(folder.glob("*.wandb.synced"))


def records(study: Path, id: str = "*") -> Iterator[Kept]:
    """Those of a study."""
    for path in sorted((study / PLACE).glob(f"{id}.json")):
        try:
            yield Kept(study, Record(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError):
            continue  # not whole, as if it were not there: all of the run is told anew


def in_store(study: Path, to: str, id: str = "*") -> list[Kept]:
    """Those of all studies of a store that belong to a project; the study's own come first."""
    found = sorted(path.parents[1] for path in study.parent.glob(f"*/{PLACE.as_posix()}"))
    studies = [study, *(other for other in found if other != study)]
    return [kept for one in studies for kept in records(one, id) if kept.record.to == to]


def keep(study: Path, record: Record) -> None:
    """Write a record."""
    folder = make_folder(study / PLACE)
    with atomic(folder / f"{record.id}.json") as path:
        path.write_text(json.dumps(asdict(record)), encoding="utf-8")


def remove_replaced(runs: Path, study: Path, keeps: set[Path]) -> None:
    """Remove offline runs of a study that were replaced by others, and not sent, from a folder of wandb's."""
    for mark in runs.glob(f"offline-run-*/{MARK}"):
        ours = mark.read_text(encoding="utf-8") == str(study)
        if ours and mark.parent not in keeps and not sent(mark.parent):
            shutil.rmtree(mark.parent, ignore_errors=True)

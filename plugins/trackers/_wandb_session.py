"""Runs of a study in wandb, opened and ended so that none of their rows is there twice or missing."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ablate import make_folder

from ._wandb_client import Client, Unanswered
from ._wandb_names import NAME, TAG, shortened, study_tag
from ._wandb_records import MARK, Kept, Record, in_store, keep, records, remove_replaced


@dataclass(frozen=True)
class Target:
    """Where runs go.

    Attributes:
        online: or into files of offline runs.
        to: what tells the project from others.
        project: its name.
        entity: that it belongs to; empty for the user's own.
        tags: of the user's, for every run.
        notes: of the user's.
        as_it_is: the agent of a sweep has named run and project.
    """

    online: bool
    to: str
    project: str
    entity: str = ""
    tags: Sequence[str] = ()
    notes: str = ""
    as_it_is: bool = False


@dataclass
class Run:
    """A run that is open.

    Attributes:
        record: of it.
        next: the step that it lacks.
        summary: what it had when it was opened.
        url: where it is seen.
        files: its files, while it is open.
    """

    record: Record
    next: int
    summary: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    files: Path = Path()


class Session:
    """Opens and ends runs of a study.

    A run is written in a temporary folder, and put where `wandb sync` looks for it only when it is whole. There, it
    takes the place of what was written of it before and not sent. One that went online leaves no files: the store has
    all of it.

    Args:
        client: that does it.
        study: the folder of the study.
        target: where runs go.
    """

    def __init__(self, client: Client, study: Path, target: Target) -> None:
        self.client, self.study, self.target = client, study, target
        self.runs = Path(os.path.abspath(os.environ.get("WANDB_DIR") or study)) / "wandb"
        self._partial = self.runs / f".partial-{socket.gethostname()}-{os.getpid()}"

    def open(self, record: Record, *, group: str, kind: str, name: str, config: Mapping[str, Any]) -> Run:
        """Open a run.

        Args:
            record: with its `id`, `cell` and `code`.
            group: of it, where it is new.
            kind: its job type.
            name: that is shown.
            config: of it.

        Raises:
            Unanswered: wandb could not; says why.
        """
        known = in_store(self.study, self.target.to, record.id)
        own = next((kept.record for kept in known if kept.study == self.study), record)
        studies = dict.fromkeys(one for kept in known for one in kept.record.studies)
        record = replace(
            record, to=self.target.to, group=known[0].record.group if known else group,
            studies=list(studies | {self.study.name: None}), base=0 if self.target.online else _elsewhere(known),
        )  # fmt: skip
        if self.target.online:  # from now on only the server knows how much of it has arrived
            keep(self.study, replace(record, rows=None, folder=own.folder))
        answer = self.client.ask(
            "open", id=record.id, own=not self.target.as_it_is, resume=self.target.online, config=config,
            mode="online" if self.target.online else "offline", project=self.target.project,
            entity=self.target.entity, group=shortened(record.group, NAME), job_type=shortened(kind, NAME),
            name=shortened(name, NAME), notes=self.target.notes, timeout_s=self.client.patience_s,
            tags=[*map(study_tag, record.studies), *(shortened(tag, TAG) for tag in self.target.tags)],
        )  # fmt: skip
        step = max(1, answer["step"]) if self.target.online else record.base + 1
        return Run(record, step, answer["summary"], answer["url"], Path(answer["files"]))

    def rows(self, run: Run, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows of its history, of which those that it has are left out; each has a `step`."""
        new = [row for row in rows if row["step"] >= run.next]
        if new:
            self.client.ask("rows", id=run.record.id, rows=new)
            run.next = new[-1]["step"] + 1

    def pages(self, run: Run, values: Mapping[str, Any], pages: Mapping[str, str]) -> None:
        """One row more of its history, with files of HTML or SVG by name."""
        self.client.ask("pages", id=run.record.id, step=run.next, values=values, pages=pages)
        run.next += 1

    def summary(self, run: Run, values: Mapping[str, Any]) -> None:
        """Values of its summary."""
        self.client.ask("summary", id=run.record.id, values=values)

    def finish(self, run: Run, exit_code: int, summary: Mapping[str, Any]) -> None:
        """End a run; returns when all of it has arrived, or lies where it is sent from.

        Args:
            run: that is open.
            exit_code: of what it shows.
            summary: with its `status`.

        Raises:
            Unanswered: not all of it has arrived.
        """
        self.summary(run, summary)
        self.client.ask("finish", id=run.record.id, exit_code=exit_code)
        replaced = [kept.folder for kept in in_store(self.study, self.target.to, run.record.id) if kept.folder]
        done = replace(run.record, rows=run.next - 1, status=summary["status"])
        if not self.target.online:
            done = replace(done, folder=os.path.relpath(self._put(run.files), self.study))
        shutil.rmtree(run.files, ignore_errors=True)
        keep(self.study, done)
        for folder in replaced:
            shutil.rmtree(folder, ignore_errors=True)

    def _put(self, files: Path) -> Path:
        """Put an offline run where it is sent from, in one step; where it lies then."""
        make_folder(self.runs)
        try:
            # Logs are of no use later, and are links; a study's folder holds none.
            shutil.copytree(files, self._partial, ignore=shutil.ignore_patterns("logs", "tmp"))
            (self._partial / MARK).write_text(str(self.study), encoding="utf-8")
            place = _free(self.runs / files.name)
            os.replace(self._partial, place)
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)
        return place

    def tidy(self) -> None:
        """Remove what killed processes left."""
        host = socket.gethostname()
        for folder in self.runs.glob(f".partial-{host}-*"):
            if not _is_alive(int(folder.name.rpartition("-")[2])):
                shutil.rmtree(folder, ignore_errors=True)
        remove_replaced(self.runs, self.study, {kept.folder for kept in records(self.study) if kept.folder})

    def end(self) -> None:
        """End the process, with all that it has not ended."""
        self.client.end()


def _elsewhere(known: Sequence[Kept]) -> int:
    """How many rows of a run are on the server, once all that was sent has arrived."""
    counts = [kept.elsewhere for kept in known]
    if None in counts:
        raise Unanswered(f"run {known[0].record.id} was begun online, and how far it got only the server knows")
    return max((count for count in counts if count is not None), default=0)


def _free(place: Path) -> Path:
    """A place that nothing is at."""
    number, free = 1, place
    while free.exists():
        number, free = number + 1, place.with_name(f"{place.name}-{number}")
    return free


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""A stored study told to trackers, each thing once: also one that ran without them, or has not ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ablate.config.compose import compose
from ablate.config.overrides import parse
from ablate.errors import InputError, NotMirrored, nearest
from ablate.interfaces.engine import CellPlace, Job
from ablate.interfaces.tracker import Tracker
from ablate.preflight.check import trackers_of
from ablate.registry import entries
from ablate.registry.discovery import discover
from ablate.run.following import Followers
from ablate.run.position import Place, Position, position_file, read_position
from ablate.run.process import is_taken
from ablate.run.recovery import tidy
from ablate.run.results import failure_of, load_study, stored_verdicts
from ablate.run.store import RESULT, Store
from ablate.run.stored_result import has_result
from ablate.study.record import StudyRecord
from ablate.study.section import container

GROUP = "tracker"


def upload_study(folder: Path, options: Sequence[str], console: Console) -> None:
    """Tell trackers what the store holds of a study and they were not told: its plan, its cells, its verdicts.

    Nothing is trained, judged or reported. Of a cell without a result they are told the rows that it has, and the
    reason where it failed.

    Args:
        folder: `runs/NAME`.
        options: which trackers, and theirs, such as `tracker=jsonl` and `tracker.jsonl.file=mine.jsonl`.
        console: where the user is told.

    Raises:
        InputError: no such study or tracker, or an option makes no sense.
        NotMirrored: a tracker could not be told everything; the next time it is told the rest.
    """
    trackers = chosen_trackers(options)
    record = load_study(folder)
    folder = folder.absolute()
    tidy(folder)
    unfinished = _unfinished(record, Store(folder.parent, folder.name))
    verdicts = stored_verdicts(folder)
    before = {name: _position(trackers, name, folder) for name in trackers}
    with Followers(trackers, folder, console, patient=True) as followers:
        followers.begin(record)
        for cell, reason in unfinished.reasons.items():
            followers.unfinished(cell, reason)
        if verdicts is not None:
            followers.judged(verdicts)
    for name in trackers:
        known = _without(before[name], followers.lost[name])
        _say(console, _told(name, folder.name, known, _position(trackers, name, folder), followers.stopped))
    if missing := unfinished.in_words(len({cell.id for cell in record.cells})) if record.trains else "":
        _say(console, f"of {folder.name} {missing}")
    if verdicts is None:
        _say(console, f"{folder.name} has no verdicts yet: report {folder.name} judges it")
    if followers.stopped:
        names = " and ".join(followers.stopped)
        raise NotMirrored(f"{names}: not all of {folder.name} was told; the same command tells the rest")


def chosen_trackers(options: Sequence[str]) -> dict[str, Tracker]:
    """The trackers that these overrides choose, by name; nothing is told yet.

    Raises:
        InputError: they choose none, name something else, or an option makes no sense.
    """
    discover()
    known = f"known: {', '.join(entry.name for entry in entries(GROUP))}"
    for option in parse(options):
        first = option.key.split(".")[0]
        if first != GROUP:
            near = f"; did you mean '{GROUP}'?" if nearest(first, [GROUP]) else ""
            raise InputError(f"'{option.text}': this takes tracker=NAME and options of trackers{near}; {known}")
    trackers = trackers_of(container(compose(options))[GROUP])
    if not trackers:
        raise InputError(f"name a tracker, such as tracker=jsonl, or several, such as tracker=[a,b]; {known}")
    return trackers


def _position(trackers: Mapping[str, Tracker], name: str, folder: Path) -> Position:
    """How far a tracker was told of a study by now."""
    try:
        return read_position(position_file(folder, name, trackers[name])) or Position({}, {})
    except InputError:  # of which its own run says a word
        return Position({}, {})


def _without(position: Position, lost: set[str]) -> Position:
    """A position without what had not arrived, and was told again."""
    cells = {cell: place for cell, place in position.cells.items() if cell not in lost}
    return Position({} if Tracker.STUDY in lost else position.told, cells)


@dataclass(frozen=True)
class Unfinished:
    """The cells of a study without a result.

    Attributes:
        reasons: why each failed, by ID; None of those that did not.
        training: how many are being trained at this moment.
        broken: how many have a result that is not whole.
    """

    reasons: dict[str, str | None]
    training: int
    broken: int

    def in_words(self, cells: int) -> str:
        """What the study lacks, of so many cells; empty where all have results."""
        failed = sum(reason is not None for reason in self.reasons.values())
        waiting = len(self.reasons) - failed - self.training - self.broken
        parts = {"trained at this moment": self.training, "failed": failed, "not trained to the end": waiting}
        parts |= {"with a file that is not whole": self.broken}
        found = [f"{count} {what}" for what, count in parts.items() if count]
        return f"{len(self.reasons)} of {cells} cells have no result: {', '.join(found)}" if found else ""


def _unfinished(record: StudyRecord, store: Store) -> Unfinished:
    reasons: dict[str, str | None] = {}
    training = broken = 0
    for cell in dict.fromkeys(one.id for one in record.cells):
        folder = store.cell(cell)
        if has_result(folder):
            continue
        is_training = is_taken(Job((CellPlace(cell, folder, store.lock_file(cell)),), 1.0))
        training += is_training
        broken += not is_training and (folder / RESULT).exists()
        # What a cell that is tried again failed with before is no reason any more.
        reasons[cell] = None if is_training else failure_of(folder)
    return Unfinished(reasons, training, broken)


def _told(tracker: str, study: str, before: Position, after: Position, stopped: Sequence[str]) -> str:
    """What a tracker was told in between."""
    told = {name: place for name, place in after.cells.items() if place.state or place.rows}
    cells = [name for name, place in told.items() if place != before.cells.get(name)]
    rows = sum(_more_rows(before.cells.get(name), after.cells[name]) for name in cells)
    counts = [(len(cells), "cell"), (rows, "row")] if cells else []
    parts = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts]
    parts += [f"the {part}" for part in ("plan", "verdicts") if after.told.get(part) != before.told.get(part)]
    if parts:
        return f"{tracker} was told of {study}: {', '.join(parts)}"
    if tracker in stopped:
        return f"{tracker} was told nothing of {study}"
    return f"nothing to upload: {tracker} was told all of {study} before"


def _more_rows(before: Place | None, after: Place) -> int:
    """Rows that were told in between; all of a cell that was begun anew."""
    return after.rows - (before.rows if before is not None and before.attempt == after.attempt else 0)


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)

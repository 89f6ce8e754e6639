"""One tracker at work: it follows the store in a thread of its own, and is told everything once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from rich.console import Console

from ablate.errors import InputError
from ablate.interfaces.tracker import FollowedCell, FollowedStudy, Tracker
from ablate.run.position import Place, State, digest, position_file, read_position, state_of
from ablate.run.results import read_history
from ablate.run.stored_result import has_result, read_result
from ablate.study.record import CellRecord, StudyRecord
from ablate.system.files import make_folder, set_aside, write_json
from ablate.system.locks import Busy, locked
from ablate.system.reading import BrokenFile

LOOK_S = 1.0  # between two looks for new rows


class Follower:
    """One tracker, its thread, and how far it was told.

    Methods but `put`, `look`, `finish` and `wait` run in the thread.

    Args:
        name: of the tracker.
        tracker: that is told.
        folder: of the study.
        console: where the user is told that it failed.
    """

    def __init__(self, name: str, tracker: Tracker, folder: Path, console: Console) -> None:
        self.name, self.tracker, self.folder, self.console = name, tracker, folder, console
        tracker.say = self._say
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=f"tracker {name}", daemon=True)
        self._over = Event()  # a thread whose `join` was interrupted counts as ended in Python 3.11, and is not
        self.stopped = False  # before it was told everything
        self._hurried = False  # what is in the queue is left to the next run
        self._looking = False  # a look is in the queue already
        self._looked = -math.inf  # when one was put there
        self._begun = False
        self._file = position_file(folder, name, tracker)
        self._study: FollowedStudy | None = None
        self._records: dict[str, CellRecord] = {}
        self._cells: dict[str, Place] = {}
        self._told: dict[str, str] = {}  # digests of the plan and the verdicts
        self.lost: set[str] = set()  # what had not arrived
        self._running: dict[str, State] = {}  # cells that train, with the history file as it was last read
        self._thread.start()

    def put(self, task: Callable[[], None]) -> None:
        """Let the thread do something."""
        self._queue.put(task)

    def look(self) -> None:
        """Let the thread look for new rows, unless it is about to or has just done so: rows go best several at once."""
        now = time.monotonic()
        if not self._looking and now - self._looked >= LOOK_S:
            self._looking, self._looked = True, now
            self.put(self._look)

    def finish(self) -> None:
        """Let the thread end once it has told everything."""
        self._queue.put(None)

    def hurry(self) -> None:
        """Let the thread end with what it is about."""
        self._hurried = True

    def wait(self, seconds: float | None) -> None:
        """Wait for the thread to end, or say that it did not."""
        if not self._over.wait(seconds):
            self.stopped = True
            self._say("is behind; the next run of the study tells it the rest")

    def begin(self, record: StudyRecord, asked: Sequence[str] | None = None) -> None:
        """Take up the study, and tell what its finished cells have that was not told."""
        is_first = self._study is None
        if is_first:
            self._read()
        self._records = {cell.id: cell for cell in record.cells}
        plain = record.to_dict()
        ids = list(self._records)
        study = FollowedStudy(
            record.name, self.folder, plain, [self._cell(cell) for cell in ids], ids if asked is None else asked
        )
        self._study = study
        if is_first:
            self._forget(self.tracker.missing(study))
        now = digest({key: value for key, value in plain.items() if key != "version"})
        if self._told.get("plan") != now:
            self.tracker.begin(study, anew=True)
            self._begun = True
            self._told["plan"] = now
            self._write()
        for cell in self._records:
            if self._hurried:
                return
            if has_result(self.folder / "cells" / cell):  # one that is not whole is told of once it is made anew
                self.catch_up(cell)

    def started(self, cell: str, result: State) -> None:
        """A cell is being trained.

        Args:
            cell: its ID.
            result: the state of its result when it was started.
        """
        if self._is_over(cell, result):
            return
        place = self._place(cell, self._records[cell].code)
        self._running[cell] = ()
        if place.state != "started":
            self._tell(self.tracker.started, cell)
            place.state = "started"
            self._write()

    def ended_without(self, cell: str, state: str, reason: str, result: State) -> None:
        """A cell's process has ended without a result.

        Args:
            cell: its ID.
            state: `again` or `failed`.
            reason: for which it has none.
            result: the state of its result then.
        """
        if self._is_over(cell, result):
            return
        self._tell_rows(cell)
        self._running.pop(cell, None)
        self._tell(self.tracker.failed if state == "failed" else self.tracker.again, cell, reason)
        place = self._place(cell)
        place.state, place.result = state, digest(reason)
        self._write()

    def unfinished(self, cell: str, reason: str | None) -> None:
        """Tell what a cell has that was not told, where nothing of it comes from this process.

        Args:
            cell: without a result.
            reason: for which it failed; None: it waits, or another process trains it.
        """
        place = self._place(cell, self._records[cell].code)
        path, result = self.folder / "cells" / cell / "history.csv", state_of(self._result(cell))
        has_more = path.exists() and len(self._whole_rows(path)) > place.rows
        if reason is not None and (has_more or (place.state, place.result) != ("failed", digest(reason))):
            self.ended_without(cell, "failed", reason, result)
        elif reason is None and has_more:
            self.started(cell, result)
            self._tell_rows(cell)

    def catch_up(self, cell: str) -> None:
        """Tell what a finished cell has that was not told."""
        path = self._result(cell)
        seen, place = state_of(path), self._place(cell)
        if seen == tuple(place.seen):
            return
        result = read_result(path)
        place = self._place(cell, result["code"])
        self._tell_rows(cell)
        self._running.pop(cell, None)
        now = digest(result)
        if place.result != now:
            self._tell(self.tracker.ended, cell, result)
        place.state, place.result, place.seen = "ended", now, seen
        self._write()

    def judged(self, verdicts: Sequence[Mapping[str, Any]]) -> None:
        """Tell the verdicts, where they are others than the last time."""
        now = digest(verdicts)
        if self._told.get("verdicts") != now:
            self._open()
            self.tracker.judged(self._followed, verdicts)
            self._told["verdicts"] = now
            self._write()

    @property
    def _followed(self) -> FollowedStudy:
        assert self._study is not None, "a study begins before anything is told of it"
        return self._study

    def _run(self) -> None:
        try:
            # Two processes that run one study would tell each thing twice.
            with locked(make_folder(self._file.parent) / f"{self._file.stem}.lock", 0):
                self._follow()
        except Busy:
            self.stopped = True
            self._say("is left alone here: another process tells it of this study at this moment")
        except (InputError, OSError) as error:
            self._stop(error)
        finally:
            self._over.set()

    def _follow(self) -> None:
        try:
            while (task := self._queue.get()) is not None and not self._hurried:
                task()
            self.stopped = self._hurried
            if self._begun:
                self.tracker.close()
        except Exception as error:  # whatever it is, it is the tracker's and no cell's
            self._stop(error)
            self._close_failed()

    def _stop(self, error: Exception) -> None:
        self.stopped = True
        text = " ".join(str(error).split())[:300]
        self._say(f"stops: {type(error).__name__}: {text}; the next run of the study, or upload, tells it the rest")

    def _close_failed(self) -> None:
        """Let a tracker that has failed end what it can; it was said already that it has."""
        try:
            self.tracker.close()
        except Exception:
            return

    def _look(self) -> None:
        self._looking = False
        for cell in list(self._running):
            self._tell_rows(cell)

    def _result(self, cell: str) -> Path:
        return self.folder / "cells" / cell / "result.json"

    def _is_over(self, cell: str, result: State) -> bool:
        """Whether the tracker was told of a newer result than there was when what it is told now happened.

        A tracker that is behind is told of all that is finished when it comes to `begin`.
        """
        now = state_of(self._result(cell))
        return now != result and now == tuple(self._place(cell).seen)

    def _tell_rows(self, cell: str) -> None:
        path = self.folder / "cells" / cell / "history.csv"
        seen = state_of(path)
        if not seen or seen == self._running.get(cell):
            return
        place, rows = self._place(cell), self._whole_rows(path)
        if len(rows) > place.rows:
            self._tell(self.tracker.rows, cell, rows[place.rows :])
            place.rows = len(rows)
            self._write()
        if cell in self._running:
            self._running[cell] = seen

    def _whole_rows(self, path: Path) -> list[dict[str, float]]:
        try:
            return read_history(path)
        except BrokenFile as error:  # of one cell: the others are told all the same
            self._say(f"is told no rows of a cell: {error}")
            return []

    def _tell(self, method: Callable[..., None], cell: str, *what: Any) -> None:
        self._open()
        method(self._followed, self._cell(cell), *what)

    def _open(self) -> None:
        if not self._begun:
            self.tracker.begin(self._followed, anew=False)
            self._begun = True

    def _cell(self, cell: str) -> FollowedCell:
        record = self._records[cell]
        folder = self.folder / "cells" / cell
        return FollowedCell(cell, record.arm, record.factors, record.seed, folder, self._place(cell).attempt)

    def _place(self, cell: str, code: str = "") -> Place:
        """How far a cell was told; begun anew where other code has trained it since."""
        place = self._cells.setdefault(cell, Place(code))
        if code and place.code and place.code != code:
            place = self._cells[cell] = Place(code, place.attempt + 1)
        place.code = place.code or code
        return place

    def _forget(self, missing: Collection[str]) -> None:
        """Tell once more what has not arrived."""
        told = {cell for cell, place in self._cells.items() if place.state or place.rows}
        self.lost = {one for one in missing if one in told or (one == Tracker.STUDY and self._told)}
        for one in self.lost - {Tracker.STUDY}:
            self._cells[one] = Place(self._cells[one].code, self._cells[one].attempt)
        if Tracker.STUDY in self.lost:
            self._told = {}

    def _read(self) -> None:
        try:
            kept = read_position(self._file)
        except InputError:
            aside = set_aside(self._file, "broken")
            self._say(f"is told everything once more: {self._file} was not whole, and is {aside.name} by now")
            return
        if kept:
            self._told, self._cells = kept.told, kept.cells

    def _write(self) -> None:
        make_folder(self._file.parent)
        write_json(self._file, {"told": self._told, "cells": {cell: vars(one) for cell, one in self._cells.items()}})

    def _say(self, text: str) -> None:
        self.console.print(f"tracker {self.name} {text}", style="yellow", highlight=False, markup=False, soft_wrap=True)

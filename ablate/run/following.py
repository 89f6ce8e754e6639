"""Trackers at work: each follows the store in a thread of its own, and is told everything once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console

from ablate.interfaces.engine import Job, Listener
from ablate.interfaces.tracker import Tracker
from ablate.run.follower import Follower
from ablate.run.position import State, state_of
from ablate.study.record import StudyRecord
from ablate.system.interrupts import in_order

PATIENCE_S = 60.0  # that the end of a study waits for a tracker that is behind
HURRY_S = 5.0  # the same where the study is interrupted


class Followers(Listener):
    """All trackers of a study; used as a context, so that each is closed however the study ends.

    Args:
        trackers: by name.
        folder: of the study.
        console: where the user is told of one that failed.
        patient: the end waits for a tracker that is behind as long as it takes.
    """

    def __init__(
        self, trackers: Mapping[str, Tracker], folder: Path, console: Console, *, patient: bool = False
    ) -> None:
        self._patient = patient
        self._all = [Follower(name, tracker, folder, console) for name, tracker in trackers.items()]

    def __enter__(self) -> Followers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for one in self._all:
            one.finish()
        seconds = None if self._patient else PATIENCE_S
        with in_order():
            try:
                for one in self._all:
                    one.wait(seconds if kind is None else HURRY_S)
            except KeyboardInterrupt:
                for one in self._all:
                    one.hurry()
                for one in self._all:
                    one.wait(HURRY_S)
                raise

    @property
    def stopped(self) -> list[str]:
        """The names of the trackers that were not told everything, by now."""
        return [one.name for one in self._all if one.stopped]

    @property
    def lost(self) -> dict[str, set[str]]:
        """By tracker, what it was told again since it had not arrived: IDs of cells, `Tracker.STUDY`."""
        return {one.name: one.lost for one in self._all}

    def begin(self, record: StudyRecord, asked: Sequence[str] | None = None) -> None:
        """The study as it is by now, which may have more cells than the last time.

        Args:
            record: of the study.
            asked: the IDs of the cells that this command is about; None: all.
        """
        for one in self._all:
            one.put(lambda one=one: one.begin(record, asked))  # type: ignore[misc]

    def started(self, job: Job) -> None:
        """Its cells are being trained."""
        self._each(job, lambda one, cell, result: one.started(cell, result))

    def ended(self, job: Job) -> None:
        """They have results."""
        self._each(job, lambda one, cell, result: one.catch_up(cell))

    def failed(self, job: Job, reason: str) -> None:
        """They have none."""
        self._each(job, lambda one, cell, result: one.ended_without(cell, "failed", reason, result))

    def again(self, job: Job, reason: str) -> None:
        """They wait for another process."""
        self._each(job, lambda one, cell, result: one.ended_without(cell, "again", reason, result))

    def tick(self) -> None:
        """Time to look for new rows."""
        for one in self._all:
            one.look()

    def unfinished(self, cell: str, reason: str | None) -> None:
        """What a cell without a result has by now (as `Follower.unfinished`)."""
        for one in self._all:
            one.put(lambda one=one: one.unfinished(cell, reason))  # type: ignore[misc]

    def judged(self, verdicts: Sequence[Mapping[str, Any]]) -> None:
        """The study's verdicts."""
        for one in self._all:
            one.put(lambda one=one: one.judged(verdicts))  # type: ignore[misc]

    def _each(self, job: Job, tell: Callable[[Follower, str, State], None]) -> None:
        results = {cell.id: state_of(cell.folder / "result.json") for cell in job.cells}
        for one in self._all:
            for cell, result in results.items():
                one.put(lambda one=one, cell=cell, result=result: tell(one, cell, result))  # type: ignore[misc]

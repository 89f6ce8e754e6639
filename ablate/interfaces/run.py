"""Engines: where the cells of a study run."""

from __future__ import annotations

import abc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """A cell to be trained.

    Attributes:
        id: of the cell.
        folder: the cell's folder, where its frozen config lies and its result will.
        lock: the file that whoever trains the cell holds locked, in whichever study.
        cost: of the cell, in arbitrary units; longer cells should start first.
    """

    id: str
    folder: Path
    lock: Path
    cost: float


@dataclass(frozen=True)
class Slot:
    """Where an engine runs one cell at a time.

    Attributes:
        device: such as `cpu` or `cuda:1`.
        threads: CPU threads of a cell there.
    """

    device: str
    threads: int


class Report(abc.ABC):
    """What an engine tells while it runs."""

    @abc.abstractmethod
    def started(self, job: Job) -> None:
        """A process for this cell has been started."""

    @abc.abstractmethod
    def ended(self, job: Job) -> None:
        """The cell has a result."""

    @abc.abstractmethod
    def failed(self, job: Job, reason: str) -> None:
        """The cell has none and will not be tried again in this run; `reason` is one line."""

    @abc.abstractmethod
    def again(self, job: Job, reason: str) -> None:
        """The cell's process ended without a result, for which `reason` is one line, and the cell waits for another."""

    @abc.abstractmethod
    def is_done(self, job: Job) -> bool:
        """Whether the cell has a result by now, from here or from another study of the store."""

    def note(self, text: str) -> None:
        """Something that the user should know of how the cells run, in one line."""
        print(text, file=sys.stderr)

    @abc.abstractmethod
    def tick(self) -> None:
        """To be called about twice a second, so that a display can follow the clock."""


class Engine(abc.ABC):
    """Where cells run. Built as `Engine(*, options)`."""

    @abc.abstractmethod
    def run(self, jobs: Sequence[Job], report: Report) -> None:
        """Train all cells; returns when each has ended or failed. Stops its processes when interrupted.

        Raises:
            InputError: the engine cannot run here; says what it needs.
        """

    def slots(self, jobs: int) -> list[Slot]:
        """The slots that so many cells would share, for `plan` to estimate the time; starts nothing.

        Returns:
            One entry for each cell that runs at a time; none where the engine cannot know, as with a cluster's queue.
        """
        return []

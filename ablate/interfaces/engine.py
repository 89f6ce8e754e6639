"""Engines: where the cells of a study run. What is done for every cell is in `ablate.run.scheduling`."""

from __future__ import annotations

import abc
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from ablate import registry
from ablate.errors import InputError
from ablate.registry.blame import blaming, blaming_one, named_by
from ablate.system.text import printable


@dataclass(frozen=True)
class CellPlace:
    """Where a cell lies.

    Attributes:
        id: of the cell.
        folder: the cell's folder, where its frozen config lies and its result will.
        lock: the file that whoever trains the cell holds locked, in whichever study.
    """

    id: str
    folder: Path
    lock: Path


@dataclass(frozen=True)
class Job:
    """What one process trains: a cell, or several of one arm.

    Attributes:
        cells: that it trains.
        cost: in arbitrary units; longer jobs should start first.
        threads: CPU threads of the process. Their number changes how sums round, so it is the cells' own
            (`trainer.threads`) and not the engine's.
        after: IDs of the jobs that must have ended before this one starts: its networks start from theirs.
    """

    cells: tuple[CellPlace, ...]
    cost: float
    threads: int = 1
    after: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """That of its first cell."""
        return self.cells[0].id

    @property
    def folder(self) -> Path:
        """That of its first cell, where its log is."""
        return self.cells[0].folder


@dataclass(frozen=True)
class Slot:
    """Where an engine runs one job at a time.

    Attributes:
        device: such as `cpu` or `cuda:1`.
        cores: CPU cores that are its share: besides its threads a cell may have processes that read its data.
    """

    device: str
    cores: int


class Ending(IntEnum):
    """How the process of a job ended, as its exit code (those of sysexits.h).

    Attributes:
        DONE: every cell has a result.
        FAILED: an error; its log says which.
        OUT_OF_MEMORY: of the device.
        BUSY: another process trains a cell of it.
        CUT: it made no progress for so long that it was ended; its log says where it stood.
        REFUSED: the input is wrong, and another try would end the same.
    """

    DONE = 0
    FAILED = 1
    OUT_OF_MEMORY = 71  # EX_OSERR
    BUSY = 75  # EX_TEMPFAIL
    CUT = 124  # as of timeout(1)
    REFUSED = 78  # EX_CONFIG


class Attempt(abc.ABC):
    """A job that an engine has started.

    Attributes:
        notes: what the user should know of how it went, besides how it ended; a line each.
    """

    notes: Sequence[str] = ()

    @abc.abstractmethod
    def ending(self) -> int | None:
        """The exit code (`Ending`, or minus the number of the signal that ended it); None while it runs."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Ask it to end, so that no half-written file stays."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End it, and wait until it has ended."""


class Listener:
    """Is told how the jobs of a study go; execution has several: a display, trackers."""

    def started(self, job: Job) -> None:
        """A process for this job has been started."""

    def ended(self, job: Job) -> None:
        """Its cells have results."""

    def failed(self, job: Job, reason: str) -> None:
        """It has none and will not be tried again in this run; `reason` is one line."""

    def again(self, job: Job, reason: str) -> None:
        """Its process ended without a result, for which `reason` is one line, and it waits for another."""

    def note(self, text: str) -> None:
        """Something that the user should know of how the cells run, in one line."""
        print(printable(text), file=sys.stderr)

    def tick(self) -> None:
        """About twice a second, so that a display can follow the clock."""


class Engine(abc.ABC):
    """Where cells run: it says which slots there are and starts a job in one. Built as `Engine(*, options)`.

    Attributes:
        retries: how often a job whose process ended without a result is started again, unless its input was wrong.
        cell_timeout: seconds without progress after which a cell is cut, whatever its processes do in that time.
            Progress is a training step, a batch that is measured, an image or a batch that is read; while a step is
            compiled, also processor time. None is the default rule: a cell is cut when there was no progress for the
            larger of ten minutes and a hundred times its slowest step, and its processes used no processor time and
            read nothing in that time (less than a hundredth of a core, less than 1 MiB). It counts as an attempt.
    """

    retries: int = 1
    cell_timeout: float | None = None

    @abc.abstractmethod
    def start(self, job: Job, slot: Slot) -> Attempt:
        """Start a process that calls `ablate.work(job, slot, folder, self.cell_timeout)`, on whatever machine.

        `work` exits with the job's `Ending`. It keeps the log, cuts a cell that hangs, and leaves no process behind. An
        engine whose process has all of that around it calls `ablate.attempt(job, slot)` and exits with its code.

        Raises:
            InputError: the engine cannot run here; says what it needs.
        """

    @abc.abstractmethod
    def slots(self, jobs: int, threads: int = 1) -> list[Slot]:
        """The slots that so many jobs share; nothing is started.

        Args:
            jobs: that there are.
            threads: CPU threads of the largest.

        Returns:
            One entry for each job that runs at a time; none where the engine cannot know, as with a cluster's queue.
        """

    def limits(self, slots: Sequence[Slot]) -> dict[str, int]:
        """Free bytes of the devices whose memory jobs must share, such as `cuda:0`; those not named have no limit."""
        return {}

    def wait(self, attempts: Sequence[Attempt], seconds: float) -> None:
        """Return when one of these has ended, or after so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and all(one.ending() is None for one in attempts):
            time.sleep(min(0.05, seconds))


def build_engine(node: Mapping[str, Any]) -> Engine:
    """The engine that a config node names; nothing is started.

    Raises:
        InputError: its options make no sense, it cannot be built, or what is built is none.
    """
    with blaming({"engine": node}, "building the engine"):
        engine = registry.build("engine", node)
    if not isinstance(engine, Engine):
        raise InputError(f"engine '{node['name']}' makes a {type(engine).__name__}, which is no ablate.Engine")
    return engine


def slots_of(engine: Engine, jobs: int, threads: int = 1) -> list[Slot]:
    """Where an engine would run this many jobs, of so many CPU threads each.

    Raises:
        InputError: its code fails, or gives something else; names the engine and its file.
    """
    with blaming_one(engine, "asking the engine for its slots"):
        slots = list(engine.slots(jobs, threads))
    if other := [one for one in slots if not isinstance(one, Slot)]:
        raise InputError(f"slots() of {named_by(engine)} gives a {type(other[0]).__name__}, which is no ablate.Slot")
    return slots

"""Runs the jobs of a study on any engine: claims and starts them, tries again, gives up, refuses."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ablate.interfaces.engine import Attempt, Ending, Engine, Job, Listener, Slot
from ablate.network.memory import training_memory_of
from ablate.run.logs import TAIL_LINES, log_tail
from ablate.run.placement import Placement
from ablate.run.process import is_taken

POLL_SECONDS = 0.5
GRACE_SECONDS = 5.0  # between asking a process to end and ending it

IsDone = Callable[[Job], bool]


@dataclass(frozen=True)
class Running:
    """A job, its slot, and its process."""

    job: Job
    slot: Slot
    attempt: Attempt


def run_jobs(engine: Engine, jobs: Sequence[Job], listener: Listener, is_done: IsDone) -> None:
    """Train the cells of all jobs; returns when each has ended or failed. Stops what runs when interrupted.

    Longest jobs come first, so that the last ones to end are short.

    Args:
        engine: starts them.
        jobs: to be trained.
        listener: is told how they go.
        is_done: whether the cells of a job have their results by now, from here or from another study of the store.

    Raises:
        InputError: the engine cannot run here, or a cell needs more memory than any device has.
    """
    schedule = Schedule(engine, jobs, listener, is_done)
    try:
        while schedule.is_open:
            schedule.start_what_fits()
            schedule.settle_what_ended()
            listener.tick()
    finally:
        schedule.stop()


class Schedule:
    """The jobs of a study that wait, and those that run.

    Args:
        engine: starts them.
        jobs: to be trained.
        listener: is told how they go.
        is_done: whether the cells of a job have their results by now.
    """

    def __init__(self, engine: Engine, jobs: Sequence[Job], listener: Listener, is_done: IsDone) -> None:
        self.engine, self.listener, self.is_done = engine, listener, is_done
        self.waiting = sorted(jobs, key=lambda job: -job.cost)
        self.running: list[Running] = []
        self.attempts: dict[str, int] = {}
        self.failed: set[str] = set()
        self.noted: set[str] = set()
        slots = engine.slots(len(jobs), max((job.threads for job in jobs), default=1))
        self.placement = self._placement(slots)

    @property
    def is_open(self) -> bool:
        """Whether some job has neither ended nor failed."""
        return bool(self.waiting or self.running)

    def start_what_fits(self) -> None:
        """Start jobs, longest first, as far as there is room for them."""
        while started := self._next():
            job, slot = started
            self.placement.take(job, slot)
            self.running.append(Running(job, slot, self.engine.start(job, slot)))
            self.listener.started(job)

    def settle_what_ended(self) -> None:
        """Wait a moment for processes to end, and tell how they did; some jobs wait again."""
        for ended in self._ended():
            code = ended.attempt.ending()
            self._note(ended.attempt.notes)
            shared = self.placement.release(ended.job, ended.slot)
            # The estimate was too low for this neighbourhood. It says nothing of the job alone, which may fit well.
            if shared and code == Ending.OUT_OF_MEMORY:
                self.placement.alone.add(ended.job.id)
            if self._waits_again(ended, code, shared):
                # In front: the list goes from long to short, and what has run already was among the longest.
                self.waiting.insert(0, ended.job)

    def stop(self) -> None:
        """End what still runs: politely, so that no half-written file stays, and after a while by force."""
        # All are asked before any is waited for, so that together they have one time of grace.
        for one in self.running:
            one.attempt.stop()
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and any(one.attempt.ending() is None for one in self.running):
            time.sleep(0.02)
        for one in self.running:
            one.attempt.kill()

    def _placement(self, slots: Sequence[Slot]) -> Placement:
        limits = self.engine.limits(slots)
        # Needs take a network built for each arm, which a machine without limits does without.
        jobs = self.waiting if limits else []
        needs = {job.id: sum(training_memory_of(cell.folder) for cell in job.cells) for job in jobs}
        placement = Placement(slots, limits, needs)
        if needs and (line := placement.reduced(max(jobs, key=lambda job: needs[job.id]))):
            self.listener.note(line)
        return placement

    def _next(self) -> tuple[Job, Slot] | None:
        """Take out the first job that there is room for and nobody else trains, and say where to start it.

        Jobs that another study has ended by now leave the list.
        """
        # Without a free slot no lock is looked at: this is asked several times a second.
        if not self.placement.slots:
            return None
        self._fail_what_waits_for_failures()
        open_jobs = {job.id for job in [*self.waiting, *(one.job for one in self.running)]}
        for job in list(self.waiting):
            slot = self.placement.place(job)
            if slot is None or not open_jobs.isdisjoint(job.after) or is_taken(job):
                continue
            # Asked only now that nobody holds its lock: who trained the cell wrote the result before letting go.
            self.waiting.remove(job)
            if not self.is_done(job):
                return job, slot
            self.listener.ended(job)
        return None

    def _fail_what_waits_for_failures(self) -> None:
        """Jobs that were to start from a network that failed cannot; those that start from theirs, neither."""
        while lost := [job for job in self.waiting if not self.failed.isdisjoint(job.after)]:
            for job in lost:
                self.waiting.remove(job)
                source = next(one for one in job.after if one in self.failed)
                self._fail(job, f"the cell that it starts from has failed: {source}")

    def _fail(self, job: Job, reason: str) -> None:
        self.failed.add(job.id)
        self.listener.failed(job, reason)

    def _ended(self) -> list[Running]:
        """Take out the processes that have ended, after a wait of at most `POLL_SECONDS` for the first."""
        if not self.running:
            time.sleep(POLL_SECONDS)  # all that is left is being trained by another study
            return []
        self.engine.wait([one.attempt for one in self.running], POLL_SECONDS)
        ended = [one for one in self.running if one.attempt.ending() is not None]
        for one in ended:
            self.running.remove(one)
        return ended

    def _note(self, lines: Sequence[str]) -> None:
        """Say what is new of it: all cells of a study may have the same to say."""
        for line in dict.fromkeys(lines):
            if line not in self.noted:
                self.noted.add(line)
                self.listener.note(line)

    def _waits_again(self, ended: Running, code: int | None, shared: bool) -> bool:
        """Tell how a process ended; true where the job still waits for its result."""
        job = ended.job
        if code == Ending.DONE and self.is_done(job):
            self.listener.ended(job)
            return False
        # Another study was faster between the look at the lock and the start: that is no attempt.
        if code == Ending.BUSY:
            return True
        if code == Ending.OUT_OF_MEMORY and shared:
            place = f"beside other cells on {ended.slot.device}"
            self.listener.again(job, f"out of memory {place}; next it has the device to itself")
            return True
        # Also where the process ended well and left no result: nothing else would ever end such a job.
        count = self.attempts[job.id] = self.attempts.get(job.id, 0) + 1
        tail = log_tail(job.folder, 1 if code == Ending.CUT else TAIL_LINES)
        reason = f"{_in_words(code)} in attempt {count}; its log ends: {tail}"
        # Alone it would take as much memory again, and wrong input stays wrong.
        if code not in (Ending.REFUSED, Ending.OUT_OF_MEMORY) and count <= self.engine.retries:
            self.listener.again(job, reason)
            return True
        self._fail(job, reason)
        return False


def _in_words(code: int | None) -> str:
    if code == Ending.REFUSED:
        return "refused its input"
    if code == Ending.OUT_OF_MEMORY:
        return "out of memory with the device to itself"
    if code == Ending.CUT:
        return "cut"
    if code is not None and code < 0:
        return f"killed by signal {-code} ({signal.strsignal(-code)})"
    return f"process ended with code {code}"

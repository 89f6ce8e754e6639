"""Cells as processes of this machine."""

import os
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

import torch

from ablate import (
    BUSY,
    DONE,
    OUT_OF_MEMORY,
    REFUSED,
    Engine,
    InputError,
    Job,
    Report,
    Slot,
    cores,
    free_gpu_memory,
    is_taken,
    log_tail,
    memory_of_cell,
    preloaded_context,
    register,
    work,
)

from ._placement import Placement

POLL_SECONDS = 0.5
GRACE_SECONDS = 5.0  # between asking a process to end and ending it


class Running:
    """A cell's process and the device of its slot."""

    def __init__(self, context: Any, job: Job, device: str, threads: int) -> None:
        self.job = job
        self.device = device
        # No daemon: those may have no processes of their own, and a cell may, to read its data. `work` ends with us.
        self.process = context.Process(target=work, args=(job, device, threads, os.getcwd()))
        self.process.start()


@register("engine", "local")
class Local(Engine):
    """Processes on this machine, forked from a server that has torch and Lightning imported.

    Args:
        slots: cells at a time; null: one a CPU core, or `cells_per_gpu` a GPU.
        threads: CPU threads of a cell; null: the cores shared out among the slots.
        cells_per_gpu: cells that share a GPU; fewer at a time where the memory does not reach, by an estimate made
            beforehand. One that still runs out of memory beside others is started again, alone on its GPU.
        retries: how often a cell whose process ended without a result is started again, unless its input was wrong.
    """

    def __init__(
        self, *, slots: int | None = None, threads: int | None = None, cells_per_gpu: int = 1, retries: int = 1
    ) -> None:
        for name, value in {"slots": slots, "threads": threads, "cells_per_gpu": cells_per_gpu}.items():
            if value is not None and value < 1:
                raise InputError(f"engine.{name}={value}: must be at least 1")
        if retries < 0:
            raise InputError(f"engine.retries={retries}: must be at least 0")
        self.most = slots
        self.threads = threads
        self.cells_per_gpu = cells_per_gpu
        self.retries = retries

    def run(self, jobs: Sequence[Job], report: Report) -> None:
        """Longest cells first, so that the last ones to end are short.

        Raises:
            InputError: a cell needs more memory than any GPU has.
        """
        waiting = sorted(jobs, key=lambda job: -job.cost)
        devices = self.devices(len(jobs))
        placement, threads = self._placement(devices, waiting, report), self.threads_of(devices)
        context = preloaded_context()
        attempts: dict[str, int] = {}
        running: list[Running] = []
        try:
            while waiting or running:
                while started := _next(waiting, placement, report):
                    job, device = started
                    placement.take(job, device)
                    running.append(Running(context, job, device, threads))
                    report.started(job)
                for ended in _ended(running):
                    shared = placement.release(ended.job, ended.device)
                    if shared and ended.process.exitcode == OUT_OF_MEMORY:
                        placement.alone.add(ended.job.id)
                    if self._settle(ended, shared, attempts, report):
                        waiting.insert(0, ended.job)
                report.tick()
        finally:
            _stop(running)

    def slots(self, jobs: int) -> list[Slot]:
        """Those of this machine, by its cores or GPUs."""
        devices = self.devices(jobs)
        return [Slot(device, self.threads_of(devices)) for device in devices]

    def devices(self, jobs: int) -> list[str]:
        """The device of each slot, for so many cells."""
        gpus = torch.cuda.device_count()
        slots = self.most or (gpus * self.cells_per_gpu if gpus else cores())
        return [f"cuda:{slot % gpus}" if gpus else "cpu" for slot in range(max(1, min(slots, jobs)))]

    def threads_of(self, slots: Sequence[str]) -> int:
        """CPU threads of a cell, where these are the slots."""
        return self.threads or max(1, cores() // len(slots))

    def limits(self, devices: Sequence[str]) -> dict[str, int]:
        """Free bytes of the GPUs among these devices; for the memory of the CPU the system cares."""
        return free_gpu_memory() if any(device.startswith("cuda") for device in devices) else {}

    def _placement(self, devices: Sequence[str], jobs: Sequence[Job], report: Report) -> Placement:
        limits = self.limits(devices)
        needs = {job.id: memory_of_cell(job.folder) for job in jobs} if limits else {}
        placement = Placement(devices, limits, needs)
        if needs and (line := placement.reduced(max(jobs, key=lambda job: needs[job.id]))):
            report.note(line)
        return placement

    def _settle(self, ended: Running, shared: bool, attempts: dict[str, int], report: Report) -> bool:
        """Tell how a process ended; true where the cell still waits for its result."""
        job, code = ended.job, ended.process.exitcode
        if code == DONE and report.is_done(job):
            report.ended(job)
            return False
        if code == BUSY:
            return True
        if code == OUT_OF_MEMORY and shared:
            report.again(job, f"out of memory beside other cells on {ended.device}; next it has the device to itself")
            return True
        attempts[job.id] = attempts.get(job.id, 0) + 1
        reason = f"{_ending(code)} in attempt {attempts[job.id]}; its log ends: {log_tail(job.folder)}"
        # Alone it would take as much memory again, and wrong input stays wrong.
        if code not in (REFUSED, OUT_OF_MEMORY) and attempts[job.id] <= self.retries:
            report.again(job, reason)
            return True
        report.failed(job, reason)
        return False


def _next(waiting: list[Job], placement: Placement, report: Report) -> tuple[Job, str] | None:
    """Take out the first cell that there is room for and nobody else trains, and say where to start it.

    Cells that another study has ended by now leave the list.
    """
    if not placement.slots:
        return None
    for job in list(waiting):
        device = placement.place(job)
        if device is None or is_taken(job):
            continue
        waiting.remove(job)
        if not report.is_done(job):
            return job, device
        report.ended(job)
    return None


def _ended(running: list[Running]) -> list[Running]:
    """Take out the processes that have ended, after a wait of at most `POLL_SECONDS` for the first."""
    if not running:
        time.sleep(POLL_SECONDS)  # all that is left is being trained by another study
        return []
    ready = set(wait([one.process.sentinel for one in running], timeout=POLL_SECONDS))
    ended = [one for one in running if one.process.sentinel in ready]
    for one in ended:
        running.remove(one)
        one.process.join()
    return ended


def _stop(running: Sequence[Running]) -> None:
    """End what still runs: politely, so that no half-written file stays, and after a while by force."""
    for one in running:
        one.process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for one in running:
        one.process.join(max(0.0, deadline - time.monotonic()))
        one.process.kill()
        one.process.join()


def _ending(code: int | None) -> str:
    if code == REFUSED:
        return "refused its input"
    if code == OUT_OF_MEMORY:
        return "out of memory with the device to itself"
    if code is not None and code < 0:
        return f"killed by signal {-code} ({signal.strsignal(-code)})"
    return f"process ended with code {code}"

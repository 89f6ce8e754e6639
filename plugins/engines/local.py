"""Cells as processes of this machine."""

import math
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait

from ablate import KILL_NOW, Attempt, Engine, InputError, Job, Slot, cores, register, start_process, work

PATIENCE_S = 5.0  # with a process that is to end, before it is ended by force


class Process(Attempt):
    """A job in a process of its own, forked from a server that has torch and Lightning imported."""

    def __init__(self, job: Job, slot: Slot, folder: str, cell_timeout: float | None) -> None:
        # No daemon: those may have no processes of their own, and a cell may, to read its data. `work` ends with us.
        # Told by itself how it ended: what the server tells is lost where somebody kills the server.
        self.process, self.told = start_process(work, job, slot, folder, cell_timeout)
        self.code: int | None = None

    def ending(self) -> int | None:
        if self.code is None and self.told.poll():
            try:
                self.code, self.notes = self.told.recv()
            except (EOFError, OSError):  # it was killed before it could tell
                self.process.join(PATIENCE_S)
                self.code = self.process.exitcode
            self.process.join(PATIENCE_S)
        return self.code

    def stop(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(KILL_NOW)  # with all that it has started
        deadline = time.monotonic() + PATIENCE_S
        while self.ending() is None and time.monotonic() < deadline:
            wait([self.told], timeout=0.1)
        self._send(signal.SIGKILL)
        self.process.join(PATIENCE_S)

    def _send(self, number: int) -> None:
        if self.ending() is None and self.process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


@register("engine", "local")
class Local(Engine):
    """Processes on this machine.

    Whatever a cell's process has started (to read its data, or by a plugin) ends with it.

    Args:
        slots: cells at a time; null: as many as the cores have room for with the threads of a cell (`trainer.threads`),
            or `cells_per_gpu` a GPU.
        cells_per_gpu: cells that share a GPU; fewer at a time where the memory does not reach, by an estimate made
            beforehand. One that still runs out of memory beside others is started again, alone on its GPU.
        retries: how often a cell whose process ended without a result is started again, unless its input was wrong.
        cell_timeout: seconds without progress after which a cell is cut, even if it uses processor time. Progress is a
            training step, a batch that is measured, an image that is read; while a step is compiled, also processor
            time. It must be longer than the cell needs to load its data. null: a cell is cut when there was no progress
            for the larger of ten minutes and a hundred times its slowest step, and it used no processor time and read
            nothing. inf: never. Its log then says where it stood, and it is started again (`retries`).
    """

    def __init__(
        self,
        *,
        slots: int | None = None,
        cells_per_gpu: int = 1,
        retries: int = 1,
        cell_timeout: float | None = None,
    ) -> None:
        for name, value in {"slots": slots, "cells_per_gpu": cells_per_gpu}.items():
            if value is not None and value < 1:
                raise InputError(f"engine.{name}={value}: must be at least 1")
        if retries < 0:
            raise InputError(f"engine.retries={retries}: must be at least 0")
        if cell_timeout is not None and (math.isnan(cell_timeout) or cell_timeout <= 0):
            raise InputError(f"engine.cell_timeout={cell_timeout:g}: must be more than 0 seconds; null for the default")
        self.most = slots
        self.cells_per_gpu = cells_per_gpu
        self.retries = retries
        self.cell_timeout = cell_timeout

    def start(self, job: Job, slot: Slot) -> Process:
        try:
            folder = os.getcwd()
        except FileNotFoundError:
            raise InputError("the working folder is gone; change into one that is there") from None
        return Process(job, slot, folder, self.cell_timeout)

    def slots(self, jobs: int, threads: int = 1) -> list[Slot]:
        """Those of this machine, by its cores or GPUs."""
        gpus = self.gpus()
        most = self.most or (gpus * self.cells_per_gpu if gpus else cores() // threads)
        count = max(1, min(most, jobs))
        return [Slot(f"cuda:{n % gpus}" if gpus else "cpu", max(1, cores() // count)) for n in range(count)]

    def limits(self, slots: Sequence[Slot]) -> dict[str, int]:
        """Free bytes of the GPUs; for the memory of the CPU the system cares."""
        if not any(slot.device.startswith("cuda") for slot in slots):
            return {}
        from ablate import free_gpu_memory

        return free_gpu_memory()

    def wait(self, attempts: Sequence[Attempt], seconds: float) -> None:
        wait([one.told for one in attempts if isinstance(one, Process)], timeout=seconds)

    def gpus(self) -> int:
        """GPUs that this process may use."""
        if not may_have_gpus():
            return 0
        import torch

        return torch.cuda.device_count()


def may_have_gpus() -> bool:
    """Whether NVIDIA's driver is here: to ask torch takes seconds, and without a driver there is nothing to ask for."""
    return os.path.exists("/proc/driver/nvidia/version") or os.path.exists("/dev/nvidiactl") or os.name != "posix"

"""Cells as processes of this machine."""

import os
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

from ablate import Attempt, Engine, InputError, Job, Slot, cores, preloaded_context, register, work


class Process(Attempt):
    """A job in a process of its own, forked from a server that has torch and Lightning imported."""

    def __init__(self, context: Any, job: Job, slot: Slot) -> None:
        # No daemon: those may have no processes of their own, and a cell may, to read its data. `work` ends with us.
        self.process = context.Process(target=work, args=(job, slot, os.getcwd()))
        self.process.start()

    def ending(self) -> int | None:
        return self.process.exitcode

    def stop(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


@register("engine", "local")
class Local(Engine):
    """Processes on this machine.

    Args:
        slots: cells at a time; null: as many as the cores have room for with the threads of a cell (`trainer.threads`),
            or `cells_per_gpu` a GPU.
        cells_per_gpu: cells that share a GPU; fewer at a time where the memory does not reach, by an estimate made
            beforehand. One that still runs out of memory beside others is started again, alone on its GPU.
        retries: how often a cell whose process ended without a result is started again, unless its input was wrong.
    """

    def __init__(self, *, slots: int | None = None, cells_per_gpu: int = 1, retries: int = 1) -> None:
        for name, value in {"slots": slots, "cells_per_gpu": cells_per_gpu}.items():
            if value is not None and value < 1:
                raise InputError(f"engine.{name}={value}: must be at least 1")
        if retries < 0:
            raise InputError(f"engine.retries={retries}: must be at least 0")
        self.most = slots
        self.cells_per_gpu = cells_per_gpu
        self.retries = retries

    def start(self, job: Job, slot: Slot) -> Process:
        return Process(preloaded_context(), job, slot)

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
        wait([one.process.sentinel for one in attempts if isinstance(one, Process)], timeout=seconds)

    def gpus(self) -> int:
        """GPUs that this process may use."""
        if not may_have_gpus():
            return 0
        import torch

        return torch.cuda.device_count()


def may_have_gpus() -> bool:
    """Whether NVIDIA's driver is here: to ask torch takes seconds, and without a driver there is nothing to ask for."""
    return os.path.exists("/proc/driver/nvidia/version") or os.path.exists("/dev/nvidiactl") or os.name != "posix"

"""Images per second of all slots of this machine together, over those of the loop that one would usually write."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytorch_lightning as pl
import torch

from ablate.bench.figure import Figure, at_least, interleaved
from ablate.bench.setting import Setting, noise
from ablate.run.process import quieten_lightning
from ablate.system.processes import keep_freed_memory, preloaded_context
from ablate.system.quotas import cores

BOUND = 2.5
IMAGES = 1280
EPOCHS = 2  # the first warms up, the last one counts
MIB = 2**20


def speedup(setting: Setting) -> Iterator[Figure]:
    """Training of ResNet-20 on 32x32 images, batch 128, on all cores: one-core bf16 slots against the plain loop."""
    images = 256 if setting.smallest else IMAGES
    fast, plain = noise(20, EPOCHS, images, *setting.fast), noise(20, EPOCHS, images)
    slots = cores() if setting.device == "cpu" else 1
    memory: list[float] = []

    def ours() -> float:
        answers = _side_by_side([(train_in_slot, fast, setting.device, 1)] * slots)
        memory.append(max(peak for _, peak in answers))
        return sum(images / seconds for seconds, _ in answers)

    def theirs() -> float:
        ((seconds, _),) = _side_by_side([(train_in_loop, plain, setting.device, cores())])
        return images / seconds

    first, second, ratios = interleaved(ours, theirs, setting.pairs)
    yield Figure(f"ResNet-20, 32x32, bf16, slots: {slots}", "images/s", first)
    yield Figure("ResNet-20, 32x32, plain Lightning and DataLoader, fp32", "images/s", second)
    yield at_least("the first over the second", "x", ratios, BOUND)
    # Without that of the warm-up, which `interleaved` does not count either.
    yield Figure("most memory of a cell, ResNet-20, 32x32", "MiB", memory[1:])


class Epoch(pl.Callback):
    """Seconds of the last epoch's training, without the measurement that follows."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.wait = wait
        self.seconds = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called by Lightning."""
        if pl_module.current_epoch == EPOCHS - 1:
            self.wait()
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called by Lightning, before the module's own hook."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds = time.perf_counter() - self._started


def train_in_slot(config: dict[str, Any], device: str, callback: pl.Callback) -> None:
    """As a cell trains."""
    keep_freed_memory()
    from ablate.bench.overhead import fit
    from ablate.cell.run import build_trainer, build_training

    fit(build_training(config, torch.device(device)), build_trainer(config, device, callback))


def train_in_loop(config: dict[str, Any], device: str, callback: pl.Callback) -> None:
    """As one would usually train."""
    from ablate.bench.plain import train_plainly

    train_plainly(config, device, callback)


Job = tuple[Callable[[dict[str, Any], str, pl.Callback], None], dict[str, Any], str, int]


def _side_by_side(jobs: list[Job]) -> list[tuple[float, float]]:
    """Seconds of the counted epoch and peak memory (MiB) of each job; all of them begin that epoch together."""
    context = preloaded_context()
    pipes, processes = [], []
    for job in jobs:
        here, there = context.Pipe()
        process = context.Process(target=_train, args=(*job, there))  # type: ignore[attr-defined]
        process.start()
        there.close()
        pipes.append(here)
        processes.append(process)
    # All are at the counted epoch before any begins it: they are to share memory bandwidth and caches.
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    answers = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    return answers


def _train(train: Any, config: dict[str, Any], device: str, threads: int, tell: Connection) -> None:
    import ablate.bench.images  # noqa: F401 - registers the data set in this process

    quieten_lightning()
    torch.set_num_threads(threads)

    def wait() -> None:
        tell.send("ready")
        tell.recv()

    epoch = Epoch(wait)
    train(config, device, epoch)
    tell.send((epoch.seconds, _peak(device)))


def _peak(device: str) -> float:
    """MiB: of the GPU what tensors took, else of the process what it held."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / MIB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB

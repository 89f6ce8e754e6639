"""Images per second of all slots of this machine together, over those of the loop that one would usually write."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import pytorch_lightning as pl
import torch

from ablate.bench.figure import Figure, Measured, at_least, interleaved
from ablate.bench.processes import hear, started
from ablate.bench.setting import Setting, noise, of_epochs
from ablate.run.process import quieten_lightning
from ablate.system.cpu import has_bf16_units
from ablate.system.process_tree import end_with_parent
from ablate.system.processes import keep_freed_memory
from ablate.system.quotas import cores

BOUND = 2.5  # on a CPU that computes in bf16, and on a GPU
WITHOUT_UNITS = 1.4  # on one that does not; measured with two slots on two threads of one AVX2 core
IMAGES = 1280  # of an epoch on a CPU
WARM_UP = 1  # epochs that do not count
MIB = 2**20

Train = Callable[[dict[str, Any], str, pl.Callback], None]
Job = tuple[Train, dict[str, Any], str, int]


def speedup(setting: Setting) -> Measured:
    """Training of ResNet-20 on 32x32 images, batch 128, on all cores: one-core slots against the plain loop.

    The slots compute as `trainer=auto` picks. Each of the two has as many epochs as it needs to last.
    """
    slots = cores() if setting.device == "cpu" else 1
    fast, plain = Side(train_in_slot, setting, slots, 1, *setting.fast), Side(train_in_loop, setting, 1, cores())
    fast.size()
    plain.size()
    for pairs in interleaved(fast.rate, plain.rate, setting.pairs):
        peaks = fast.peaks[-len(pairs.ours) :]  # of the same runs, without the trials that sized them
        yield [
            Figure(f"ResNet-20, 32x32, {setting.numerics}, slots: {slots}", "images/s", pairs.ours, pairs.of),
            Figure("ResNet-20, 32x32, plain Lightning and DataLoader, fp32", "images/s", pairs.theirs, pairs.of),
            at_least("the first over the second", "x", pairs.ratios, pairs.of, bound(setting.device)),
            Figure("most memory of a cell, ResNet-20, 32x32", "MiB", peaks, pairs.of),
        ]


def bound(device: str) -> float | None:
    """What the speedup is held to on this kind of machine: nothing on a CPU that does not say whether it has units."""
    if device != "cpu":
        return BOUND
    return {True: BOUND, False: WITHOUT_UNITS, None: None}[has_bf16_units()]


class Side:
    """One way to train, in processes that begin together.

    Args:
        train: what each process does.
        setting: device and size.
        processes: at a time.
        threads: of each.
        options: overrides of the network's config.

    Attributes:
        peaks: MiB, the most memory of a process in each run.
    """

    def __init__(self, train: Train, setting: Setting, processes: int, threads: int, *options: str) -> None:
        self.setting, self.images = setting, setting.images(IMAGES)
        self.peaks: list[float] = []
        self._job = (train, noise(20, WARM_UP + 1, self.images, *options), setting.device, threads)
        self._processes = processes
        self._epochs = 1

    def size(self) -> None:
        """Find out how many epochs last long enough."""
        self._epochs = self.setting.count(lambda epochs: min(self._run(epochs)))

    def rate(self) -> float:
        """Images per second of all processes together."""
        return sum(self._epochs * self.images / seconds for seconds in self._run(self._epochs))

    def _run(self, epochs: int) -> list[float]:
        train, config, device, threads = self._job
        job = (train, of_epochs(config, WARM_UP + epochs), device, threads)
        answers = _side_by_side([job] * self._processes)
        self.peaks.append(max(peak for _, peak in answers))
        return [seconds for seconds, _ in answers]


class Epochs(pl.Callback):
    """Seconds of training from the end of the warm-up to the last epoch's end, without the measurement that follows."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.wait = wait
        self.seconds = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called by Lightning."""
        if pl_module.current_epoch == WARM_UP:
            self.wait()
            self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called by Lightning, before the module's own hook."""
        if pl_module.current_epoch + 1 == trainer.max_epochs:
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


def _side_by_side(jobs: Sequence[Job]) -> list[tuple[float, float]]:
    """Seconds of the counted epochs and peak memory (MiB) of each job; all of them begin these epochs together."""
    with ExitStack() as stack:
        begin = [Pipe(duplex=False) for _ in jobs]
        pipes = [stack.enter_context(started(_train, *job, go)) for job, (go, _) in zip(jobs, begin, strict=True)]
        # All have warmed up before any goes on: they are to share memory bandwidth and caches.
        for pipe in pipes:
            hear(pipe)
        for _, tell in begin:
            tell.send("go")
        return [hear(pipe) for pipe in pipes]


def _train(train: Train, config: dict[str, Any], device: str, threads: int, go: Connection, tell: Connection) -> None:
    import ablate.bench.images  # noqa: F401 - registers the data set in this process

    end_with_parent()
    quieten_lightning()
    torch.set_num_threads(threads)

    def wait() -> None:
        tell.send("ready")
        go.recv()

    epochs = Epochs(wait)
    train(config, device, epochs)
    tell.send((epochs.seconds, _peak(device)))


def _peak(device: str) -> float:
    """MiB: of the GPU what tensors took, else of the process what it held."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / MIB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB

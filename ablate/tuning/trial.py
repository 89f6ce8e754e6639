"""A few optimiser steps of a cell's network, timed in a process like the one that the cell will have."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import torch

from ablate import registry
from ablate.interfaces.data import DataSet
from ablate.interfaces.splits import load_splits
from ablate.network.build import build_model
from ablate.registry.discovery import discover
from ablate.system.processes import keep_freed_memory
from ablate.training.choose_step import build_step
from ablate.training.numerics import Numerics
from ablate.training.step import EagerStep
from ablate.tuning.candidates import LONG_STEP_S, Trial, is_hopeless, pick

# Steps that do not count: a compiler works in the first, and a CUDA graph is captured in the fourth.
WARM_UP = {"none": 2, "inductor": 2, "cudagraphs": 5}
BLOCKS, BLOCK_SECONDS = 3, 0.15


def find(config: dict[str, Any], fixed: dict[str, Any], device: str, threads: int, cwd: str, tell: Connection) -> None:
    """The whole search, as the target of a process; tells (numerics, trials), or the text of an error.

    Args:
        config: of the cell whose steps are timed.
        fixed: options of `Numerics` that are given.
        device: such as `cpu` or `cuda:1`.
        threads: CPU threads.
        cwd: the study's working directory, where its own plugins lie.
        tell: where to.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the study ends this process
    os.chdir(cwd)
    discover()
    torch.set_num_threads(threads)
    keep_freed_memory()
    try:
        steps = int(config["trainer"]["epochs"]) * steps_per_epoch(config)
        tell.send(
            pick(fixed, steps, device, lambda numerics, best: measured(config, numerics, torch.device(device), best))
        )
    except Exception as error:
        tell.send(str(error) or repr(error))


def steps_per_epoch(config: Mapping[str, Any]) -> int:
    """Optimiser steps of an epoch.

    Raises:
        InputError: the data is not there, or is not what it is to be.
    """
    data: DataSet = registry.build("data", config["data"])
    data.check()
    return -(-len(load_splits(data).train.labels) // data.batch_size)


def measured(config: Mapping[str, Any], numerics: Numerics, device: torch.device, best: Trial | None = None) -> Trial:
    """Time steps on random images of the data set's shape; a way that does not run here gives its reason.

    Args:
        config: of the cell whose steps are timed.
        numerics: how they are computed.
        device: where.
        best: the fastest way so far: one whose first step is hopelessly slower is left.
    """
    try:
        return _timed(config, numerics, device, best)
    except Exception as error:  # what compilers and kernels raise has no common kind; the search goes on without it
        return Trial(numerics, reason=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _timed(config: Mapping[str, Any], numerics: Numerics, device: torch.device, best: Trial | None) -> Trial:
    data: DataSet = registry.build("data", config["data"])
    step = _step(config, numerics, data, device)
    form = torch.channels_last if numerics.channels_last else torch.contiguous_format
    random = torch.Generator().manual_seed(0)
    images = torch.randn(data.batch_size, data.channels, *data.size, generator=random)
    images = images.to(device).contiguous(memory_format=form)
    labels = torch.randint(data.classes, (data.batch_size,), generator=random).to(device)

    def block(steps: int) -> float:
        started = time.perf_counter()
        for _ in range(steps):
            step(images, labels)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    first = block(1)
    if numerics.compile == "none" and is_hopeless(first, best):
        return Trial(numerics, first, first=first, left=True)
    warm_up = WARM_UP[numerics.compile]
    warm = first + block(warm_up - 1)
    # Blocks of equal time, not of equal steps: what disturbs for a moment weighs alike on fast and slow ones.
    one = block(1)
    size = max(1, int(BLOCK_SECONDS / one))
    # What else runs here can only add to it.
    seconds = one if one >= LONG_STEP_S else min(block(size) / size for _ in range(BLOCKS))
    start = 0.0 if numerics.compile == "none" else max(0.0, warm - warm_up * seconds)
    return Trial(numerics, seconds, start, first=first)


def _step(config: Mapping[str, Any], numerics: Numerics, data: DataSet, device: torch.device) -> EagerStep:
    model = build_model(config, data).to(device).train()
    if numerics.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = registry.build("optim", config["optim"]).build(model)
    return build_step(model, optimizer, numerics, data.batch_size, device)

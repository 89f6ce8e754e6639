"""Training time of a cell with each probe over the same cell without, at the probes' default options."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from ablate import registry
from ablate.bench.figure import Measured, at_most, interleaved, seconds
from ablate.bench.overhead import fit
from ablate.bench.setting import Setting, digits_cells
from ablate.bench.sizing import one_thread
from ablate.cell.run import build_trainer, build_training
from ablate.training.checkpoints import EpochEnd

BOUND = 1.05
EPOCHS = 6  # of scale=quick: a probe takes a fixed number of looks, which weigh less the longer a cell trains
AUX = ("aux=linear", "aux.at=[stage2]")  # so that probes of auxiliary classifiers have something to look at


def probe_cost(setting: Setting, depth: int) -> Measured:
    """The ratio for each probe, on a residual network of the quick scale with an auxiliary classifier."""
    epochs = 1 if setting.smallest else EPOCHS
    plain = digits_cells(depth, epochs, 1, *AUX)[0].config
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        _fitted(plain, setting.device, Path(folder))
        for name in [entry.name for entry in registry.entries("probe")]:
            probed = digits_cells(depth, epochs, 1, *AUX, f"probes=[{name}]")[0].config
            yield from _cost(name, depth, plain, probed, setting, Path(folder))


def _cost(
    name: str, depth: int, plain: dict[str, Any], probed: dict[str, Any], setting: Setting, folder: Path
) -> Measured:
    device = setting.device
    time_of = "processor time" if device == "cpu" else "training time"
    pairs_of = interleaved(
        lambda: _fitted(probed, device, folder), lambda: _fitted(plain, device, folder), setting.pairs
    )
    for pairs in pairs_of:
        what = f"{time_of} with probe {name} over without, ResNet-{depth}, digits"
        yield [at_most(what, "x", pairs.ratios, pairs.of, BOUND)]


def _fitted(config: dict[str, Any], device: str, folder: Path) -> float:
    """Seconds of a fit with its probes' tables and its checkpoints.

    On a CPU those that the processor was at work for this process, which has one thread: what else runs on the machine
    disturbs the few per cent in question more than the probes make.
    """
    training = build_training(config, torch.device(device), folder=folder)
    trainer = build_trainer(config, device, EpochEnd(folder, "bench"))
    if device != "cpu":
        return seconds(lambda: fit(training, trainer))
    started = time.process_time()
    fit(training, trainer)
    return time.process_time() - started

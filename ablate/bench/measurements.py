"""What each measurement costs, told in the training of the network that it is taken on.

Measurements are taken once, on a trained network. How much that adds depends on how long the network was trained: a
pass over the test images takes a twelfth of an epoch, and what is taken of a hundred passes would weigh more than the
six epochs of scale=quick however it is written. So it is held against the schedule of the papers that they come from.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ablate import registry
from ablate.bench.figure import Figure, Measured, at_most
from ablate.bench.overhead import fit
from ablate.bench.setting import Setting, digits
from ablate.bench.sizing import one_thread
from ablate.cell.run import build_trainer, build_training
from ablate.config.compose import prepare
from ablate.measure.asked import MEASUREMENTS, needs_others
from ablate.measure.measuring import take
from ablate.measure.trained import CellNetwork
from ablate.training.module import Training

BOUND = 0.05
PAPER_EPOCHS = 164  # He et al. 2015, arXiv 1512.03385, section 4.2: 64,000 steps of 128 of CIFAR's 50,000 images
EPOCHS = 2  # that are timed


def measurement_cost(setting: Setting, depth: int) -> Measured:
    """The share of each measurement that needs no other networks, on a residual network of the quick scale.

    Yields:
        Its seconds over those of training the same network for `PAPER_EPOCHS` epochs, taken in turns.
    """
    prepare()
    epochs = 1 if setting.smallest else EPOCHS
    names = [entry.name for entry in registry.entries("measurement") if not needs_others(entry.name)]
    configs = {name: digits(depth, epochs, f"measurements=[{name}]") for name in names}
    values: dict[str, list[float]] = {}
    with one_thread(), tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for _ in range(setting.pairs):
            for name, config in configs.items():
                training, spent = _trained(config, setting.device)
                took = _seconds_of(name, config, training, folder)
                if took is not None:
                    values.setdefault(name, []).append(took / (spent / epochs * PAPER_EPOCHS))
            yield [_figure(name, depth, shares, setting.pairs) for name, shares in values.items()]


def _figure(name: str, depth: int, shares: list[float], of: int) -> Figure:
    what = f"time of measurement {name} over that of {PAPER_EPOCHS} epochs of training, ResNet-{depth}, digits"
    return at_most(what, "x", shares, of, BOUND)


def _trained(config: Mapping[str, Any], device: str) -> tuple[Training, float]:
    training = build_training(config, torch.device(device))
    started = time.perf_counter()
    fit(training, build_trainer(config, device))
    return training, time.perf_counter() - started


def _seconds_of(name: str, config: Mapping[str, Any], training: Training, folder: Path) -> float | None:
    """None where there is nothing to measure, as of sizes that the data set does not tell."""
    network = CellNetwork(training.model, config, training.data)
    started = time.perf_counter()
    values, _ = take({name: config[MEASUREMENTS][name]}, network, folder)
    return time.perf_counter() - started if any(value is not None for value in values.values()) else None

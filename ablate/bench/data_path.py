"""What the data path takes of a training step: gathering, normalising and augmenting a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ablate.bench.figure import Measured, at_most, interleaved, seconds
from ablate.bench.overhead import fit
from ablate.bench.setting import Setting, digits, noise, of_epochs
from ablate.bench.sizing import one_thread
from ablate.cell.run import build_trainer, build_training
from ablate.training.module import Training

BOUND = 5.0
IMAGES = 1280  # of an epoch on a CPU


def data_path(setting: Setting) -> Measured:
    """The part of an epoch that is left when its optimiser steps are taken out, in per cent."""
    for what, config in {"digits": digits(20, 1), "32x32": noise(20, 1, setting.images(IMAGES))}.items():
        yield from _part(what, config, setting)


class Steps:
    """Seconds of the chunks of all epochs, as the training module takes them."""

    def __init__(self, config: dict[str, Any], device: str, *, idle: bool) -> None:
        self.training = build_training({**config, "seed": 0}, torch.device(device))
        if idle:
            self.training.train_on = lambda images, labels, rate: None  # type: ignore[method-assign]
        self.config, self.device = config, device

    def __call__(self) -> float:
        """Without the measurement at the end."""
        watch = _Watch(self.training)
        fit(self.training, build_trainer(self.config, self.device))
        return watch.seconds


class _Watch:
    """Adds up what `training_step` takes, with all that the device still has to do."""

    def __init__(self, training: Training) -> None:
        self.seconds = 0.0
        step = type(training).training_step

        def timed(batch: list[Tensor], batch_idx: int) -> None:
            def work() -> None:
                step(training, batch, batch_idx)
                if training.device.type == "cuda":
                    torch.cuda.synchronize()

            self.seconds += seconds(work)

        training.training_step = timed  # type: ignore[method-assign]


def _part(what: str, config: dict[str, Any], setting: Setting) -> Measured:
    def steps(epochs: int, *, idle: bool) -> Steps:
        return Steps(of_epochs(config, epochs), setting.device, idle=idle)

    with one_thread():
        # Sized by the whole steps: without them, as many epochs are over in a moment.
        epochs = setting.count(lambda epochs: steps(epochs, idle=False)())
        idle, busy = steps(epochs, idle=True), steps(epochs, idle=False)
        idle()
        for pairs in interleaved(idle, busy, setting.pairs):
            parts = [100 * ratio for ratio in pairs.ratios]
            yield [at_most(f"data path as part of a step, ResNet-20, {what}", "%", parts, pairs.of, BOUND)]

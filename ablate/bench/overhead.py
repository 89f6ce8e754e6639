"""Training time of a cell over a bare PyTorch loop of the same network, batches and thread count."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ablate.bench.figure import Measured, at_most, interleaved, seconds
from ablate.bench.setting import Setting, digits, noise, of_epochs
from ablate.bench.sizing import one_thread
from ablate.cell.run import build_trainer, build_training
from ablate.training.checkpoints import EpochEnd
from ablate.training.module import Training

BOUND = 1.03
NOISE_IMAGES = {20: 1280, 56: 640, 110: 384}  # of an epoch on a CPU
EPOCHS_MADE = 2  # whose batches the bare loop has; further epochs take them again, so that memory has a bound


def digits_overhead(setting: Setting, depth: int) -> Measured:
    """On digits: the smallest steps, where overhead weighs most."""
    return overhead(digits(depth, 1), f"ResNet-{depth}, digits", setting)


def noise_overhead(setting: Setting, depth: int) -> Measured:
    """On images of CIFAR's shape."""
    return overhead(noise(depth, 1, setting.images(NOISE_IMAGES[depth])), f"ResNet-{depth}, 32x32", setting)


def overhead(config: dict[str, Any], what: str, setting: Setting) -> Measured:
    """The ratio for one network: a whole `fit` with data path and checkpoints, over a loop that has its batches made.

    Both end with one measurement, and have one thread, a slot's share.
    """
    device = setting.device
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        _ours(config, device, Path(folder))
        sized = of_epochs(config, setting.count(lambda epochs: _bare(of_epochs(config, epochs), device)))
        for pairs in interleaved(
            lambda: _ours(sized, device, Path(folder)), lambda: _bare(sized, device), setting.pairs
        ):
            name = f"training time over a bare PyTorch loop, {what}"
            yield [at_most(name, "x", pairs.ratios, pairs.of, BOUND)]


def fit(training: Training, trainer: Any) -> None:
    """Lightning's notice of few steps per epoch has nothing to say here, and an interrupt stays one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*log_every_n_steps.*")
        try:
            trainer.fit(training)
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise error.__context__ from None  # which Lightning answers so
            raise


def _ours(config: dict[str, Any], device: str, folder: Path) -> float:
    training = build_training(config, torch.device(device))
    trainer = build_trainer(config, device, EpochEnd(folder, "bench"))
    return seconds(lambda: fit(training, trainer))


def _bare(config: dict[str, Any], device: str) -> float:
    training = build_training(config, torch.device(device))
    training.to(device)
    made = [_batches(training, epoch) for epoch in range(min(EPOCHS_MADE, training.epochs))]
    epochs = itertools.islice(itertools.cycle(made), training.epochs)
    return seconds(lambda: _loop(training, epochs))


def _batches(training: Training, epoch: int) -> list[tuple[Tensor, Tensor]]:
    """An epoch's batches, made before the clock starts: the loop pays for no data path at all."""
    order = training.data.start_epoch(epoch)
    return [training.data.training_batch(index) for index in order.split(training.batch_size)]


def _loop(training: Training, epochs: Iterable[list[tuple[Tensor, Tensor]]]) -> None:
    """The loop of PyTorch's documentation, with the cell's network and optimiser."""
    model = training.model.train()
    optimizer = training.optim.build(model)
    for batches in epochs:
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    training.measure()

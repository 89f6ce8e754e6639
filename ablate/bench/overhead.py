"""Training time of a cell over a bare PyTorch loop of the same network, batches and thread count."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ablate.bench.figure import Figure, at_most, interleaved, seconds
from ablate.bench.setting import Setting, digits, noise
from ablate.cell.run import build_trainer, build_training
from ablate.training.checkpoints import EpochEnd
from ablate.training.module import Training

BOUND = 1.03
DIGITS_EPOCHS = {20: 10, 56: 4, 110: 3}
MORE_PAIRS = {20: 3, 56: 1, 110: 1}  # the shortest fit takes two seconds, and its pairs differ by several per cent
SMALLEST_IMAGES = 256
NOISE_IMAGES = {20: 1280, 56: 640, 110: 384}


def digits_overhead(setting: Setting, depth: int) -> Iterator[Figure]:
    """On digits: the smallest steps, where overhead weighs most."""
    more = replace(setting, pairs=1 if setting.smallest else MORE_PAIRS[depth] * setting.pairs)
    epochs = 1 if setting.smallest else DIGITS_EPOCHS[depth]
    yield overhead(digits(depth, epochs), f"ResNet-{depth}, digits", more)


def noise_overhead(setting: Setting, depth: int) -> Iterator[Figure]:
    """On images of CIFAR's shape."""
    images = SMALLEST_IMAGES if setting.smallest else NOISE_IMAGES[depth]
    yield overhead(noise(depth, 1, images), f"ResNet-{depth}, 32x32", setting)


def overhead(config: dict[str, Any], what: str, setting: Setting) -> Figure:
    """The ratio for one network: a whole `fit` with data path and checkpoints, over a loop that has its batches made.

    Both end with one measurement, and have one thread, a slot's share.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    config = _sized(config, setting)
    with tempfile.TemporaryDirectory() as folder:
        _, _, ratios = interleaved(
            lambda: _ours(config, setting.device, Path(folder)),
            lambda: _bare(config, setting.device),
            setting.pairs,
        )
    torch.set_num_threads(threads)
    return at_most(f"training time over a bare PyTorch loop, {what}", "x", ratios, BOUND)


def _sized(config: dict[str, Any], setting: Setting) -> dict[str, Any]:
    """The config with as many epochs as a fit needs to last so long: a card ends a fixed few in a moment."""
    if not setting.fit_seconds:
        return config
    _bare(config, setting.device)  # what is done once does not count
    each = _bare(config, setting.device) / config["trainer"]["epochs"]
    epochs = max(config["trainer"]["epochs"], math.ceil(setting.fit_seconds / each))
    return {**config, "trainer": {**config["trainer"], "epochs": epochs, "eval_every": epochs}}


def fit(training: Training, trainer: Any) -> None:
    """Lightning's notice of few steps per epoch has nothing to say here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*log_every_n_steps.*")
        trainer.fit(training)


def _ours(config: dict[str, Any], device: str, folder: Path) -> float:
    training = build_training(config, torch.device(device))
    trainer = build_trainer(config, device, EpochEnd(folder, "bench"))
    return seconds(lambda: fit(training, trainer))


def _bare(config: dict[str, Any], device: str) -> float:
    training = build_training(config, torch.device(device))
    training.to(device)
    epochs = [_batches(training, epoch) for epoch in range(training.epochs)]
    return seconds(lambda: _loop(training, epochs))


def _batches(training: Training, epoch: int) -> list[tuple[Tensor, Tensor]]:
    """An epoch's batches, made before the clock starts: the loop pays for no data path at all."""
    order = training.data.start_epoch(epoch)
    return [training.data.training_batch(index) for index in order.split(training.batch_size)]


def _loop(training: Training, epochs: list[list[tuple[Tensor, Tensor]]]) -> None:
    """The loop of PyTorch's documentation, with the cell's network and optimiser."""
    model = training.model.train()
    optimizer = training.optim.build(model)
    for batches in epochs:
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    training.measure()

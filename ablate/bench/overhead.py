"""Training time of a cell over a bare PyTorch loop of the same network, batches and thread count."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ablate.bench.figure import Figure, at_most, ratios, seconds
from ablate.cell import build_trainer, build_training
from ablate.training.checkpoints import EpochEnd
from ablate.training.module import Training

BOUND = 1.05


def overhead(config: dict[str, Any], device: str, pairs: int) -> Figure:
    """The ratio for one network: a whole `fit` with its checkpoints, over the loop; both end with one measurement."""
    with tempfile.TemporaryDirectory() as folder:
        values = ratios(
            lambda: _ours(config, device, Path(folder)),
            lambda: _bare(config, device),
            pairs,
        )
    name = f"training time over a bare PyTorch loop, {config['backbone']['name']}-{config['depth']}"
    return at_most(name, "x", values, BOUND)


def _ours(config: dict[str, Any], device: str, folder: Path) -> float:
    training = build_training(config, torch.device(device))
    trainer = build_trainer(config, device, EpochEnd(folder, "bench"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*log_every_n_steps.*")
        return seconds(lambda: trainer.fit(training))


def _bare(config: dict[str, Any], device: str) -> float:
    training = build_training(config, torch.device(device))
    training.model.to(device)
    epochs = [_batches(training, epoch) for epoch in range(training.epochs)]
    return seconds(lambda: _loop(training, epochs))


def _batches(training: Training, epoch: int) -> list[tuple[Tensor, Tensor]]:
    """An epoch's batches, made before the clock starts: the loop pays for no data path at all."""
    order = training.data.start_epoch(epoch)
    return [training.data.training_batch(index) for index in order.split(training.batch_size)]


def _loop(training: Training, epochs: list[list[tuple[Tensor, Tensor]]]) -> None:
    model = training.model
    optimizer = training.optim.build(model)
    model.train()
    for batches in epochs:
        for images, labels in batches:
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    training.measure()

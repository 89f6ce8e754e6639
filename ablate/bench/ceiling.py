"""A network's training speed against that of its convolutions alone, the ceiling of the device for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ablate.bench.figure import Figure, Measured, interleaved
from ablate.bench.setting import Setting, noise
from ablate.bench.sizing import one_thread
from ablate.cell.run import build_training
from ablate.network.loss import autocast
from ablate.training.choose_step import build_step
from ablate.training.module import Training

STEPS = 4  # of the first trial

Work = Callable[[], object]
Convolution = tuple[nn.Conv2d, Tensor]  # with an input of the shape that it gets, as a leaf


def ceiling(setting: Setting) -> Measured:
    """Images per second of ResNet-20's steps, and the share of what its convolutions alone would reach."""
    config = noise(20, 1, 256, *setting.fast)
    batch, device = int(config["data"]["batch_size"]), setting.device
    with one_thread():
        steps, alone = _steps(config, device), _convolutions(config, device)
        many = setting.count(lambda count: _seconds(steps, count, device), STEPS)
        more = setting.count(lambda count: _seconds(alone, count, device), STEPS)
        for pairs in interleaved(
            lambda: many * batch / _seconds(steps, many, device),
            lambda: more * batch / _seconds(alone, more, device),
            setting.pairs,
        ):
            name, shares = f"ResNet-20, 32x32, {setting.numerics}, one slot", [100 * ratio for ratio in pairs.ratios]
            yield [
                Figure(name, "images/s", pairs.ours, pairs.of),
                Figure("its convolutions alone, forward and backward", "images/s", pairs.theirs, pairs.of),
                Figure("share of this ceiling that training reaches", "%", shares, pairs.of),
            ]


def _steps(config: dict[str, Any], device: str) -> Work:
    training = _on_device(config, device)
    images, labels = _batch(training)
    model = training.model.train()
    step = build_step(model, training.optim.build(model), training.numerics, training.batch_size, torch.device(device))
    return lambda: step(images, labels)


def _convolutions(config: dict[str, Any], device: str) -> Work:
    training = _on_device(config, device)
    found = _record(training)

    def all_of_them() -> None:
        with autocast(torch.device(device), training.numerics.precision):
            # Each has a leaf of its own as input: the backward passes are those of the convolutions alone.
            outputs = [convolution(x) for convolution, x in found]
        for output in outputs:
            output.backward(torch.ones_like(output))

    return all_of_them


def _record(training: Training) -> list[Convolution]:
    """Each convolution with an input of its own, in the type and format that it has in the network."""
    found: list[Convolution] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(module, nn.Conv2d)
        first = not found  # the images need no gradient
        found.append((module, inputs[0].detach().clone().requires_grad_(not first)))

    convolutions = [module for module in training.model.modules() if isinstance(module, nn.Conv2d)]
    handles = [module.register_forward_pre_hook(keep) for module in convolutions]
    with torch.no_grad(), autocast(training.device, training.numerics.precision):
        training.model.train()(_batch(training)[0])
    for handle in handles:
        handle.remove()
    return found


def _on_device(config: dict[str, Any], device: str) -> Training:
    training = build_training(config, torch.device(device))
    training.to(device)
    return training


def _batch(training: Training) -> tuple[Tensor, Tensor]:
    return training.data.training_batch(training.data.start_epoch(0)[: training.batch_size])


def _seconds(work: Work, repetitions: int, device: str) -> float:
    started = time.perf_counter()
    for _ in range(repetitions):
        work()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - started

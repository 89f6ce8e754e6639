"""How fast this machine trains a network: a few optimiser steps and one evaluation, on noise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ablate import registry
from ablate.interfaces.data import DataSet, Evaluation, Split, Splits
from ablate.interfaces.engine import Slot
from ablate.interfaces.training import Optim
from ablate.network.build import build_model
from ablate.network.profile import Profile
from ablate.training.feed import EVAL_BATCH
from ablate.training.resident import ResidentData
from ablate.training.step import EagerStep

REPEATS = 3
SMALL_BATCH = 2  # what a step costs for its layers, whatever the images
# Multiply-adds of one measured pass, at most, unless it is of `SMALL_BATCH` images: about a second on one slow core.
# Larger batches are extrapolated, for which the cost of a step is a constant and a part by image.
MOST = 4e9


@dataclass(frozen=True)
class Speed:
    """Seconds that a network takes.

    Attributes:
        step: an optimiser step on a whole batch, with its share of the augmentation.
        overhead: a step on hardly any images.
        evaluation: a batch of 512 images in eval mode.
    """

    step: float
    overhead: float
    evaluation: float


def measure(config: Mapping[str, Any], network: Profile, slot: Slot) -> Speed:
    """Train a config's network for some steps, on random images, as a cell in this slot would."""
    with _threads(config["trainer"]["threads"]):
        data, resident, model, optimizer = _set_up(config, slot.device)
        take = EagerStep(model, optimizer, config["trainer"]["precision"])
        batch = data.batch_size
        # A backward pass takes two forward passes: the gradients of the inputs, and those of the weights.
        images = _affordable(batch, 3 * network.flops)

        def step(size: int) -> Callable[[], None]:
            index = torch.arange(size, device=slot.device)

            def run() -> None:
                model.train()
                take(*resident.training_batch(index))

            return run

        overhead = _seconds(step(min(SMALL_BATCH, batch)), slot.device)
        whole = _seconds(step(images), slot.device) if images > SMALL_BATCH else overhead
        by_image = max(0.0, whole - overhead) / max(1, images - SMALL_BATCH)
        count = _affordable(EVAL_BATCH, network.flops)
        views: Evaluation = registry.build("evaluation", config["evaluation"])
        evaluation = _seconds(_evaluation(model, resident.test.images[:count], resident, views), slot.device)
    if images < batch:
        # None where noise made the larger batch the faster one: then all of its time is taken as by image.
        by_image = by_image or whole / images
    return Speed(whole + (batch - images) * by_image, overhead, evaluation * EVAL_BATCH / count)


def _set_up(config: Mapping[str, Any], device: str) -> tuple[DataSet, ResidentData, nn.Module, torch.optim.Optimizer]:
    data: DataSet = registry.build("data", config["data"])
    optim: Optim = registry.build("optim", config["optim"])
    channels_last = bool(config["trainer"]["channels_last"])
    model = build_model(config, data).to(device)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    augment = registry.build("augment", config["augment"])
    noise = _noise(data)
    evaluation: Evaluation = registry.build("evaluation", config["evaluation"])
    resident = ResidentData(
        noise, augment, 0, torch.device(device), channels_last=channels_last, margin=evaluation.margin
    )
    # Draws the augmentation, which the batches of this module then take their rows of.
    resident.start_epoch(0)
    return data, resident, model, optim.build(model)


def _noise(data: DataSet) -> Splits:
    def split(count: int) -> Split:
        images = torch.randint(256, (count, data.channels, *data.size), dtype=torch.uint8)
        return Split(images, torch.arange(count) % data.classes)

    return Splits(split(data.batch_size), split(EVAL_BATCH))


def _evaluation(model: nn.Module, images: Tensor, resident: ResidentData, evaluation: Evaluation) -> Callable[[], None]:
    split = Split(images, torch.zeros(len(images), dtype=torch.int64, device=images.device))

    @torch.no_grad()
    def run() -> None:
        for batch, _ in resident.evaluation_batches(split):
            for view in evaluation.views(batch):
                model.eval()(view)

    return run


def _affordable(images: int, flops: int) -> int:
    """As many images as can be measured in a moment."""
    return max(min(SMALL_BATCH, images), min(images, int(MOST / max(1, flops))))


def _seconds(run: Callable[[], None], device: str) -> float:
    """The median time of a call, after one that warms up."""
    times = []
    for _ in range(1 + REPEATS):
        started = time.perf_counter()
        run()
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    # The least would be a speed that no whole training keeps.
    return statistics.median(times[1:])


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        # The noise and the augmentation draw from this process's generator, which others may have seeded.
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(before)

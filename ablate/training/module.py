"""The Lightning module: an epoch of optimiser steps at a time, measured in eval mode."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ablate.interfaces.data import Evaluation, Samples, Split
from ablate.interfaces.training import Optim, Schedule
from ablate.system import heartbeat
from ablate.system.streams import seed_device, stream_seed
from ablate.training.callbacks import LightningStep
from ablate.training.choose_step import build_step
from ablate.training.evaluation import evaluate
from ablate.training.feed import Batch, Feed
from ablate.training.history import METRICS, Row
from ablate.training.numerics import Numerics
from ablate.training.step import EagerStep
from ablate.training.watching import Watcher

STEPS_PER_CHUNK = 64
WATCHER = "watcher"  # what a checkpoint keeps of who looks on, as text


class Epochs:
    """What Lightning iterates over: an epoch's permutation in chunks of optimiser steps, each (steps, B) or shorter.

    Lightning costs about a millisecond a `training_step`, as much as a step of a small network on a GPU; so one call
    takes many optimiser steps, under manual optimisation. Where a callback is to be called at each step, one call takes
    one step, and gets its images (B, C, H, W) and labels (B,).
    """

    def __init__(self, module: Training) -> None:
        self.module = module

    def __iter__(self) -> Iterator[list[Tensor] | Batch]:
        order = self.module.data.start_epoch(self.module.current_epoch)
        steps = list(order.split(self.module.batch_size))
        for start in range(0, len(steps), STEPS_PER_CHUNK):
            chunk = steps[start : start + STEPS_PER_CHUNK]
            if self.module.single_steps:
                yield from self._batches(chunk)
            else:
                yield chunk

    def _batches(self, steps: list[Tensor]) -> Iterator[Batch]:
        for batch in self.module.data.training_batches(steps):
            self.module.set_rate()  # by now, so that callbacks find the rate of the step to come
            yield batch

    def __len__(self) -> int:
        steps = self.module.steps_per_epoch
        return steps if self.module.single_steps else math.ceil(steps / STEPS_PER_CHUNK)


@dataclass
class _Pass:
    """An epoch's sums so far. Not attributes of the module: setting one of those looks through all that it holds."""

    epoch: int
    loss: Tensor
    steps: int = 0
    rate: float = 0.0


class Training(pl.LightningModule):
    """One cell's training.

    Args:
        model: (N, C, H, W) -> (N, classes) logits.
        data: batches of the data set.
        evaluation: what of an image the network is shown when it is measured.
        optim: the optimiser's settings.
        schedule: its learning rate over time.
        batch_size: images in a step; the last step of an epoch takes what is left.
        epochs: passes over the training split.
        eval_every: epochs between two measurements; the last epoch is always measured.
        numerics: how a step is computed; measurements take its precision, too.
        watcher: looks at some of its steps.
        single_steps: a callback is called at each step: steps go one at a time, through Lightning.

    Attributes:
        history: a row for each epoch; `train/*` and `test/*` in eval mode over whole splits, without augmentation.
        diverged: a loss was NaN or infinite, and training stopped there.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Feed,
        evaluation: Evaluation,
        optim: Optim,
        schedule: Schedule,
        *,
        batch_size: int,
        epochs: int,
        eval_every: int = 1,
        numerics: Numerics = Numerics(),  # noqa: B008 - a frozen value
        watcher: Watcher | None = None,
        single_steps: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.data = data
        self.evaluation = evaluation
        self.optim = optim
        self.schedule = schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.eval_every = eval_every
        self.numerics = numerics
        self.watcher = watcher
        self.single_steps = single_steps
        self.steps_per_epoch = math.ceil(len(data.train.labels) / batch_size)
        self.history: list[Row] = []
        self.diverged = False

    def train_dataloader(self) -> Epochs:
        """The training split, epoch by epoch."""
        return Epochs(self)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser; its rate is set step by step."""
        return self.optim.build(self.model)

    def on_train_start(self) -> None:
        """Model and optimiser are on their device by now, and a checkpoint's values are in them."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        self._optimizer = optimizer
        self._step: EagerStep
        if self.single_steps:
            self._step = LightningStep(self, optimizer)
        else:
            self._step = build_step(self.model, optimizer, self.numerics, self.batch_size, self.device)

    def on_train_epoch_start(self) -> None:
        """Whatever the network draws while training (dropout) depends on seed and epoch alone."""
        seed_device(stream_seed(self.data.seed, "noise", self.current_epoch), self.device)
        self._started = time.perf_counter()
        heartbeat.progress()
        self._pass = _Pass(self.current_epoch, torch.zeros((), device=self.device))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Optimiser steps on each of the given index sets; losses stay on the device.

        Under `single_steps`, one step on the images and labels given; returns its loss.
        """
        if self.single_steps:
            return self._single_step(batch)
        rates = self._rates(len(batch))
        watched = self._watched(len(batch)) if self.watcher is not None else ()
        if watched:
            self._train_watched(batch, rates, watched)
        else:
            for rate, (images, labels) in zip(rates, self.data.training_batches(batch), strict=True):
                self.train_on(images, labels, rate)
        self._pass.steps += len(batch)
        return None

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Index sets are where the feed wants them, and so are images."""
        return batch

    def train_on(self, images: Tensor, labels: Tensor, rate: float) -> None:
        """Take an optimiser step on a batch (B, C, H, W) with its labels (B,), at a learning rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._pass.loss += self._step(images, labels)
        heartbeat.step()

    def set_rate(self) -> None:
        """Give the optimiser the learning rate of the next step."""
        (rate,) = self._rates(1)
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def _single_step(self, batch: Batch) -> Tensor:
        rate = self._pass.rate
        if self.watcher is not None and self._watched(1):
            loss = self._look_at(batch, self._steps_done, rate)
        else:
            loss = self._step(*batch)
        self._pass.loss += loss
        self._pass.steps += 1
        heartbeat.step()
        return loss

    def _train_watched(self, chunk: list[Tensor], rates: list[float], watched: Collection[int]) -> None:
        """The steps of a chunk of which some are looked at."""
        first = self._steps_done
        batches = zip(rates, self.data.training_batches(chunk), strict=True)
        for number, (rate, (images, labels)) in enumerate(batches, start=first):
            if number not in watched:
                self.train_on(images, labels, rate)
                continue
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            self._pass.loss += self._look_at((images, labels), number, rate)
            heartbeat.step()

    def _look_at(self, batch: Batch, number: int, rate: float) -> Tensor:
        assert self.watcher is not None
        return self.watcher.watch(
            self._step, batch, epoch=self._pass.epoch, number=number, rate=rate,
            model=self.model, optimizer=self._optimizer,
        )  # fmt: skip

    def _watched(self, steps: int) -> Collection[int]:
        """Those of the steps to come that are looked at."""
        assert self.watcher is not None
        return self.watcher.due(self._steps_done, steps)

    @property
    def _steps_done(self) -> int:
        return self._pass.epoch * self.steps_per_epoch + self._pass.steps

    def on_train_epoch_end(self) -> None:
        """Measure, unless that was done already for callbacks that come before this hook."""
        if len(self.history) <= self.current_epoch:
            self.end_epoch()

    def end_epoch(self) -> None:
        """Measure, record the row, and stop where the loss is no number any more."""
        row: Row = {"epoch": self.current_epoch + 1, "lr": self._pass.rate}
        running = float(self._pass.loss) / max(1, self._pass.steps)
        is_last = self.current_epoch + 1 == self.epochs
        finite = math.isfinite(running)
        if finite and (is_last or (self.current_epoch + 1) % self.eval_every == 0):
            row |= self.measure()
            finite = all(math.isfinite(value) for value in row.values())
        row["seconds"] = time.perf_counter() - self._started
        self.history.append(row)
        if not finite:
            self.diverged = True
            self.trainer.should_stop = True
        if self.watcher is not None:
            self.watcher.epoch_end(self, row)

    def complete(self) -> bool:
        """Measure what a callback has ended in an epoch that was not to be measured; whether there was such."""
        if self.diverged or "train/loss" in self.history[-1]:
            return False
        seconds = self.history[-1].pop("seconds")
        self.history[-1] |= {**self.measure(), "seconds": seconds}
        return True

    def on_train_end(self) -> None:
        """The data is not read any more."""
        self.data.close()

    def measure(self) -> Row:
        """`train/loss`, `train/error`, `test/loss`, `test/error` as they stand."""
        measured = (*self._evaluate(self.data.train), *self._evaluate(self.data.test))
        return dict(zip(METRICS, measured, strict=True))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the rows so far."""
        checkpoint["history"] = self.history
        if self.watcher is not None:
            checkpoint[WATCHER] = json.dumps(self.watcher.state())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on behind the rows so far."""
        self.history = checkpoint["history"]
        if self.watcher is not None:
            self.watcher.load(json.loads(checkpoint[WATCHER]))

    def _evaluate(self, split: Split | Samples) -> tuple[float, float]:
        batches = self.data.evaluation_batches(split)
        return evaluate(self.model, batches, self.evaluation, self.numerics.precision, self.device)

    def _rates(self, steps: int) -> list[float]:
        """The learning rates of the steps to come."""
        epochs = [self._pass.epoch + (self._pass.steps + step) / self.steps_per_epoch for step in range(steps)]
        rates = [self.optim.lr * self.schedule.factor(epoch / self.epochs, epoch) for epoch in epochs]
        self._pass.rate = rates[-1]
        return rates

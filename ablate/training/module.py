"""The Lightning module: an epoch of optimiser steps at a time, measured in eval mode."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.interfaces.data import Evaluation, Samples, Split
from ablate.interfaces.training import Optim, Schedule
from ablate.network.loss import autocast
from ablate.system.streams import seed_device, stream_seed
from ablate.training.choose_step import build_step
from ablate.training.feed import Feed
from ablate.training.history import METRICS, Row
from ablate.training.numerics import Numerics

STEPS_PER_CHUNK = 64


class Epochs:
    """What Lightning iterates over: an epoch's permutation in chunks of optimiser steps, each (steps, B) or shorter.

    Lightning costs about a millisecond a `training_step`, as much as a step of a small network on a GPU; so one call
    takes many optimiser steps, under manual optimisation.
    """

    def __init__(self, module: Training) -> None:
        self.module = module

    def __iter__(self) -> Iterator[list[Tensor]]:
        order = self.module.data.start_epoch(self.module.current_epoch)
        steps = list(order.split(self.module.batch_size))
        for start in range(0, len(steps), STEPS_PER_CHUNK):
            yield steps[start : start + STEPS_PER_CHUNK]

    def __len__(self) -> int:
        return math.ceil(self.module.steps_per_epoch / STEPS_PER_CHUNK)


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
        self._step = build_step(self.model, optimizer, self.numerics, self.batch_size, self.device)

    def on_train_epoch_start(self) -> None:
        """Whatever the network draws while training (dropout) depends on seed and epoch alone."""
        seed_device(stream_seed(self.data.seed, "noise", self.current_epoch), self.device)
        self._started = time.perf_counter()
        self._pass = _Pass(self.current_epoch, torch.zeros((), device=self.device))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Optimiser steps on each of the given index sets; losses stay on the device."""
        rates = self._rates(len(batch))
        for rate, (images, labels) in zip(rates, self.data.training_batches(batch), strict=True):
            self.train_on(images, labels, rate)
        self._pass.steps += len(batch)

    def transfer_batch_to_device(self, batch: list[Tensor], device: torch.device, dataloader_idx: int) -> list[Tensor]:
        """Index sets are where the feed wants them."""
        return batch

    def train_on(self, images: Tensor, labels: Tensor, rate: float) -> None:
        """Take an optimiser step on a batch (B, C, H, W) with its labels (B,), at a learning rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._pass.loss += self._step(images, labels)

    def on_train_epoch_end(self) -> None:
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

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on behind the rows so far."""
        self.history = checkpoint["history"]

    @torch.no_grad()
    def _evaluate(self, split: Split | Samples) -> tuple[float, float]:
        """Mean loss and error over a split: one pass that waits for the device once, at its end."""
        was_training = self.model.training
        self.model.eval()
        sums = torch.zeros(2, device=self.device, dtype=torch.float64)
        for images, labels in self.data.evaluation_batches(split):
            with autocast(self.device, self.numerics.precision):
                views = [self.model(view) for view in self.evaluation.views(images)]
            logits = averaged([one.float() for one in views])
            wrong = (logits.argmax(dim=1) != labels).sum()
            sums += torch.stack([F.cross_entropy(logits, labels, reduction="sum"), wrong])
        self.model.train(was_training)
        loss, wrong_ones = (sums / len(split.labels)).tolist()
        return loss, wrong_ones

    def _rates(self, steps: int) -> list[float]:
        """The learning rates of the steps to come."""
        epochs = [self._pass.epoch + (self._pass.steps + step) / self.steps_per_epoch for step in range(steps)]
        rates = [self.optim.lr * self.schedule.factor(epoch / self.epochs, epoch) for epoch in epochs]
        self._pass.rate = rates[-1]
        return rates


def averaged(logits: list[Tensor]) -> Tensor:
    """Logits (N, classes) whose softmax is the mean of the softmax of each of these (N, classes)."""
    if len(logits) == 1:
        return logits[0]
    return torch.stack([F.log_softmax(one, dim=1) for one in logits]).logsumexp(dim=0) - math.log(len(logits))

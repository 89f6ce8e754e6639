"""Who looks on while a cell trains, step by step: what training tells, and nothing of what is done with it."""

from __future__ import annotations

import abc
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ablate.training.feed import Batch
from ablate.training.history import Row
from ablate.training.step import EagerStep

if TYPE_CHECKING:
    from ablate.training.module import Training


class Watcher(abc.ABC):
    """Looks at some steps and at the end of each epoch; what is trained stays the same to the bit."""

    @abc.abstractmethod
    def due(self, first: int, count: int) -> Collection[int]:
        """Those of `count` steps from `first` on (counted over all epochs) that are to be looked at."""

    @abc.abstractmethod
    def watch(
        self, step: EagerStep, batch: Batch, *, epoch: int, number: int, rate: float,
        model: nn.Module, optimizer: torch.optim.Optimizer,
    ) -> Tensor:  # fmt: skip
        """Take a step and look at it; returns its loss.

        Args:
            step: that is to be taken, by `step.observed`.
            batch: images and labels.
            epoch: from 0.
            number: of the step, over all epochs, from 0.
            rate: the learning rate.
            model: that is trained.
            optimizer: over its parameters.
        """

    @abc.abstractmethod
    def epoch_end(self, training: Training, row: Row) -> None:
        """An epoch was measured, and this is its row."""

    @abc.abstractmethod
    def state(self) -> dict[str, Any]:
        """What a checkpoint must keep, as plain values."""

    @abc.abstractmethod
    def refuses(self, state: Mapping[str, Any]) -> str:
        """Why a cell cannot go on behind a checkpoint with this state; empty where it can."""

    @abc.abstractmethod
    def load(self, state: dict[str, Any]) -> None:
        """Go on behind a checkpoint."""

"""Optimisers and schedules, as the kinds of plugins that provide them."""

from __future__ import annotations

import abc

import torch
from torch import nn


class Optim(abc.ABC):
    """An optimiser's settings. Built as `Optim(*, options)`."""

    lr: float

    @abc.abstractmethod
    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """An optimiser over the parameters of `model`."""


class Schedule(abc.ABC):
    """The learning rate over training. Built as `Schedule(*, options)`."""

    @abc.abstractmethod
    def factor(self, progress: float, epoch: float) -> float:
        """What the optimiser's rate is multiplied by.

        Args:
            progress: share of all steps that are done, in [0, 1).
            epoch: epochs done, with fractions.
        """

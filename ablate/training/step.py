"""One optimiser step, computed in the precision and in the way that a cell's options ask for."""

from __future__ import annotations

import os
from typing import Protocol

import platformdirs
import torch
from torch import Tensor, nn

from ablate.network.loss import training_loss
from ablate.system import heartbeat
from ablate.training.update import build_update

COMPILER_CACHE = "TORCHINDUCTOR_CACHE_DIR"


class Moments(Protocol):
    """Is told how far a step is that somebody looks at."""

    def before(self) -> None:
        """Nothing is computed yet."""

    def after_forward(self, loss: Tensor) -> None:
        """The loss is there, with its graph."""

    def after_backward(self) -> None:
        """The gradients are there."""

    def after_update(self) -> None:
        """The parameters are updated."""


class EagerStep:
    """Forward, backward, update; operation by operation, and never waiting for the device.

    Args:
        model: in training mode when called.
        optimizer: over its parameters.
        precision: of the forward pass.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, precision: str) -> None:
        self.model = model
        self.precision = precision
        self.parameters = [one for group in optimizer.param_groups for one in group["params"]]
        self.update = build_update(optimizer)

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take one step on a batch and return its loss, a scalar on the device."""
        self.forget_gradients()
        loss = self.loss(images, labels)
        self.backward(loss)
        self.update()
        return loss.detach()

    def observed(self, images: Tensor, labels: Tensor, moments: Moments) -> Tensor:
        """The same step, telling where it is; not one of those that are replayed as a whole."""
        moments.before()
        self.forget_gradients()
        loss = self.loss(images, labels)
        moments.after_forward(loss)
        self.backward(loss)
        moments.after_backward()
        self.update()
        moments.after_update()
        return loss.detach()

    def backward(self, loss: Tensor) -> None:
        """Fill in the gradients."""
        loss.backward()

    def forget_gradients(self) -> None:
        """As `optimizer.zero_grad()`."""
        for parameter in self.parameters:
            parameter.grad = None

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The batch's loss, with its graph."""
        return training_loss(self.model, images, labels, self.precision)


class CompiledStep(EagerStep):
    """Forward and backward as the kernels that TorchInductor makes for batches of one size.

    The last, shorter batch of an epoch runs eagerly: it would be compiled a second time. What is compiled is kept on
    disk and found again by other processes, so that the seeds of an arm compile once.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, precision: str, batch_size: int) -> None:
        super().__init__(model, optimizer, precision)
        self.batch_size = batch_size
        self._has_run = False
        compiler_cache()
        # `dynamic=False`: a second size would else have kernels made that fit any size and are slower. `fullgraph`:
        # what cannot be compiled is an error, and not a part that silently runs eagerly in a cell that says `inductor`.
        self._compiled = torch.compile(training_loss, dynamic=False, fullgraph=True)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The batch's loss, from compiled code where the batch is full."""
        if len(images) != self.batch_size:
            return super().loss(images, labels)
        if not self._has_run:
            self._has_run = True
            heartbeat.compiling()
        return self._compiled(self.model, images, labels, self.precision)


def compiler_cache() -> str:
    """The folder of compiled code: that of `TORCHINDUCTOR_CACHE_DIR`, or else one in the user's cache folder."""
    return os.environ.setdefault(COMPILER_CACHE, str(platformdirs.user_cache_path("ablate") / "inductor"))

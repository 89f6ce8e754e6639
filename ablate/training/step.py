"""One optimiser step, computed in the precision and in the way that a cell's options ask for."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import platformdirs
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.errors import InputError
from ablate.interfaces.backbone import Backbone
from ablate.training.numerics import Numerics

COMPILER_CACHE = "TORCHINDUCTOR_CACHE_DIR"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """The context of a forward pass.

    Under `bf16`, matrix products and convolutions take and give bfloat16; parameters, gradients, the optimiser's state,
    and the statistics of norms stay in fp32 (Micikevicius et al. 2018, arXiv 1710.03740, section 3; with bfloat16's
    exponent, gradients need no scaling: Kalamkar et al. 2019, arXiv 1905.12322).
    """
    return nullcontext() if precision == "fp32" else torch.autocast(device.type, torch.bfloat16)


def training_loss(model: nn.Module, images: Tensor, labels: Tensor, precision: str = "fp32") -> Tensor:
    """Cross-entropy of the main logits, plus `aux_weight` times that of each auxiliary classifier, in fp32.

    Args:
        model: (B, C, H, W) -> (B, classes) logits, or with a list of auxiliary logits beside them.
        images: (B, C, H, W).
        labels: (B,).
        precision: of the forward pass, see `autocast`.
    """
    with autocast(images.device, precision):
        output = model(images)
    if isinstance(output, Tensor):
        return F.cross_entropy(output.float(), labels)
    main, auxiliary = output
    losses = torch.stack([F.cross_entropy(logits.float(), labels) for logits in auxiliary])
    return F.cross_entropy(main.float(), labels) + cast(Backbone, model).aux_weight * losses.sum()


class EagerStep:
    """Forward, backward, update; operation by operation, and never waiting for the device.

    Args:
        model: in training mode when called.
        optimizer: over its parameters.
        precision: of the forward pass.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, precision: str) -> None:
        self.model = model
        self.optimizer = optimizer
        self.precision = precision

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take one step on a batch and return its loss, a scalar on the device."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(images, labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

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
        compiler_cache()
        self._compiled = torch.compile(training_loss, dynamic=False, fullgraph=True)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The batch's loss, from compiled code where the batch is full."""
        if len(images) != self.batch_size:
            return super().loss(images, labels)
        return self._compiled(self.model, images, labels, self.precision)


def build_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, numerics: Numerics, batch_size: int, device: torch.device
) -> EagerStep:
    """The step that a cell's options ask for.

    Raises:
        InputError: CUDA graphs are asked for on a device that has none.
    """
    if numerics.compile == "none":
        return EagerStep(model, optimizer, numerics.precision)
    if numerics.compile == "inductor":
        return CompiledStep(model, optimizer, numerics.precision, batch_size)
    if device.type != "cuda":
        raise InputError(f"trainer.compile=cudagraphs needs a CUDA device, and this cell runs on {device.type}")
    from ablate.training.graph import GraphedStep

    return GraphedStep(model, optimizer, numerics.precision, batch_size)


def compiler_cache() -> str:
    """The folder of compiled code: that of `TORCHINDUCTOR_CACHE_DIR`, or else one in the user's cache folder."""
    return os.environ.setdefault(COMPILER_CACHE, str(platformdirs.user_cache_path("ablate") / "inductor"))

"""Which of the ways to compute a step a cell's options ask for."""

from __future__ import annotations

import torch
from torch import nn

from ablate.errors import InputError
from ablate.training.graph import GraphedStep
from ablate.training.numerics import Numerics
from ablate.training.step import CompiledStep, EagerStep


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
    return GraphedStep(model, optimizer, numerics.precision, batch_size)

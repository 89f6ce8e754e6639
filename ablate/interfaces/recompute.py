"""Activation checkpointing: keep the input of every few units, and run them again in the backward pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(stage: nn.Module, x: Tensor) -> Tensor:
    """`stage(x)`, keeping only the inputs of its segments for the backward pass (Chen et al. 2016, arXiv 1604.06174).

    Between segments of sqrt(n / 3) of a stage's n units about as much is kept as one segment needs when it runs again:
    a residual unit keeps three to four times its input. The second run draws the same noise as the first, and leaves
    the units' buffers alone, so that the running statistics of a norm take in each batch once.
    """
    units = _units(stage)
    length = max(1, math.isqrt(len(units) // 3))
    for start in range(0, len(units), length):
        x = _recomputed_segment(units[start : start + length], x)
    return x


def _units(stage: nn.Module) -> list[nn.Module]:
    """The children of a stage where it is a sequence of composite modules, or else the stage as a whole."""
    children = list(stage.children())
    # Plain layers in a row are one unit: cut between a convolution and its norm, as much would be kept as without.
    composite = all(next(child.children(), None) is not None for child in children)
    return children if children and composite and isinstance(stage, nn.Sequential) else [stage]


def _recomputed_segment(units: Sequence[nn.Module], x: Tensor) -> Tensor:
    def run(x: Tensor) -> Tensor:
        for unit in units:
            x = unit(x)
        return x

    # Only the form that is not reentrant takes a context of its own for the second run.
    y: Tensor = checkpoint(run, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _CopiedBuffers(units)))
    return y


class _CopiedBuffers:
    """The units work on copies: autograd may hold the buffers themselves, so these cannot be set back in place.

    A class, since it is entered anew by each backward pass: what looks on may take gradients before the step does.
    """

    def __init__(self, units: Sequence[nn.Module]) -> None:
        self._modules = [module for unit in units for module in unit.modules()]
        self._before: list[dict[str, Tensor | None]] = []

    def __enter__(self) -> None:
        self._before = [module._buffers for module in self._modules]
        for module, buffers in zip(self._modules, self._before, strict=True):
            module._buffers = {name: None if one is None else one.clone() for name, one in buffers.items()}

    def __exit__(self, *error: object) -> None:
        for module, buffers in zip(self._modules, self._before, strict=True):
            module._buffers = buffers

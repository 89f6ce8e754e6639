"""Shared weights: two networks with the same generic values in every parameter that they have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ablate.system.streams import generator

SEED = 0  # certificates do not depend on the study's seeds
VECTOR_NOISE = 0.2  # standard deviation, on gains of about 1, biases of about 0
WEIGHT_NOISE = 0.3  # of the weights that keep a signal's size, 1 / sqrt(fan_in)


def counterparts(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> dict[str, str]:
    """The tensors that two networks share: name in `second` -> name in `first`.

    They go by name and shape. Where names differ and the shapes, in order of construction, do not, they go by that
    order: a part that only calls its layers otherwise is found to be the same.
    """
    ours, theirs = ({name: tensor.shape for name, tensor in one.items()} for one in (first, second))
    # Only where all shapes agree in order: else layers that have nothing to do with each other could be paired.
    if ours != theirs and list(ours.values()) == list(theirs.values()):
        return dict(zip(theirs, ours, strict=True))
    return {name: name for name, shape in theirs.items() if ours.get(name) == shape}


@torch.no_grad()
def share_generic_values(first: nn.Module, second: nn.Module) -> dict[str, str]:
    """Give both the values of `first` in what they share, moved away from degenerate ones, and return `counterparts`.

    A gain of 0 hides what stands behind it, a scale of 1 hides itself, a gate's bias of -6 shuts it: noise from a
    stream of each parameter's name makes every part visible, and the network still keeps a signal's size.
    """
    ours, theirs = dict(first.named_parameters()), dict(second.named_parameters())
    shared = counterparts(ours, theirs)
    for name, parameter in ours.items():
        _disturb(parameter, name)
    for name, parameter in theirs.items():
        if name in shared:
            parameter.copy_(ours[shared[name]])
        else:
            _disturb(parameter, name)
    return shared


def _disturb(parameter: Tensor, name: str) -> None:
    stream = generator(SEED, "certificate", name, *parameter.shape)
    noise = torch.randn(parameter.shape, generator=stream, dtype=parameter.dtype)
    is_vector = parameter.ndim <= 1
    # Of (out, in, kernel, kernel): all that one output sums over, so that noise keeps its size with depth.
    fan_in = max(1, parameter.numel() // max(1, parameter.shape[0])) if not is_vector else 1
    parameter += noise * (VECTOR_NOISE if is_vector else WEIGHT_NOISE / math.sqrt(fan_in))

"""The smallest residual network, which every part of a network is tried in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ablate.interfaces.parts import Parts
from ablate.network.build import image_shape

IMAGE = {"channels": 1, "size": 8, "classes": 3}
SIZES = [(8, 8), (7, 5), (1, 1)]
"""Heights and widths of feature maps: even, odd, and as small as they get."""


def network_config(**changes: Any) -> dict[str, Any]:
    """A config of the smallest residual network, ResNet-8 for 8x8 grey images, with `changes` to its keys."""
    parts = {"backbone": "resnet", "block": "basic", "order": "post", "shortcut": "identity", "stem": "cifar"}
    parts |= {"head": "gap", "aux": "none", "norm": "batch", "act": "relu", "init": "he"}
    nodes: dict[str, Any] = {kind: {"name": name} for kind, name in parts.items()}
    return {**nodes, "image": IMAGE, "depth": 8, "width": 0.5, "seed": 0, **changes}


def make_parts(**changes: Any) -> Parts:
    """The parts of `network_config(**changes)`, for images as its `image` says."""
    config = network_config(**changes)
    channels, size, classes = image_shape(config)
    return Parts(config, channels, size, classes)


def images(count: int = 4, channels: int = 1, size: tuple[int, int] = (8, 8)) -> Tensor:
    """(count, channels, *size), normalised; the same ones at every call."""
    return torch.randn(count, channels, *size, generator=stream())


def stream(seed: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def all_logits(output: Tensor | tuple[Tensor, list[Tensor]]) -> list[Tensor]:
    """The main logits, and behind them those of auxiliary classifiers."""
    return [output] if isinstance(output, Tensor) else [output[0], *output[1]]


def untrained(module: nn.Module) -> Sequence[str]:
    """The parameters that a backward pass has left without a gradient, or with one that is no number."""
    return [
        name
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.isfinite().all())
    ]

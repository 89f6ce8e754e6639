"""What a config's network costs, known without training it or holding its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate import registry
from ablate.training.options import check_options

if TYPE_CHECKING:
    from torch import nn

# What can be left out of a config without changing its network.
ASIDE = ("augment", "optim", "schedule", "init", "engine", "seed", "scale", "runs", "rerun")


@dataclass(frozen=True)
class Network:
    """What is known of a cell's network without training it.

    Attributes:
        params: trainable parameters.
        flops: multiply-adds of a forward pass of one image.
    """

    params: int
    flops: int


def inspect_network(config: Mapping[str, Any]) -> Network:
    """Count parameters and multiply-adds of a config's network for the images of its data set.

    Raises:
        InputError: the network cannot be built so, or an option of its training makes no sense.
    """
    from ablate.network import count_flops, count_parameters

    check_options(config["trainer"])
    for kind in ("augment", "optim", "schedule"):
        registry.build(kind, config[kind])  # options that make no sense end here, before any process starts
    model, image = _without_weights(config)
    return Network(count_parameters(model), count_flops(model, image))


def network_cost(config: Mapping[str, Any], metric: str) -> int:
    """One cost of a config's network alone: counting parameters takes a fifth of the time of both.

    Args:
        config: a frozen config.
        metric: "params", trainable parameters, or "flops", multiply-adds of a forward pass of one image.

    Raises:
        InputError: the network cannot be built so.
    """
    from ablate.network import count_flops, count_parameters

    model, image = _without_weights(config)
    return count_parameters(model) if metric == "params" else count_flops(model, image)


def _without_weights(config: Mapping[str, Any]) -> tuple[nn.Module, tuple[int, int, int, int]]:
    """The network on the meta device, and the shape (1, C, H, W) of one image."""
    import torch

    from ablate.network import build_model

    data = registry.build("data", config["data"])
    with torch.device("meta"):
        model = build_model(config, data)
    return model, (1, data.channels, *data.size)

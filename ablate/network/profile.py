"""What a config's network costs, known without training it or holding its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ablate import registry
from ablate.config.identity import fingerprint
from ablate.errors import InputError
from ablate.interfaces.data import DataSet
from ablate.registry.blame import blaming
from ablate.training.options import check_options

# What a network is made of, where its family asks for it.
NETWORK = ("backbone", "block", "order", "shortcut", "stem", "head", "aux", "norm", "act", "depth", "width")
# What decides a network's shape; how it starts and how it is trained does not.
SHAPE = (*NETWORK, "data")


@dataclass(frozen=True)
class Network:
    """What is known of a cell's network without training it.

    Attributes:
        params: trainable parameters.
        flops: multiply-adds of a forward pass of one image.
        layers: modules that hold no others.
        uses: what of a config's parts and sizes it asks for while it is built, such as `norm` or `depth`.
    """

    params: int
    flops: int
    layers: int = 0
    uses: tuple[str, ...] = ()


def inspect_network(config: Mapping[str, Any]) -> Network:
    """Count parameters and multiply-adds of a config's network for the images of its data set.

    Raises:
        InputError: the network cannot be built so, or an option of its training makes no sense.
    """
    check_options(config["trainer"])
    for kind in ("data", "augment", "evaluation", "optim", "schedule"):
        with blaming({kind: config[kind]}, f"building {kind}"):
            registry.build(kind, config[kind])  # options that make no sense end here, before any process starts
    with blaming(config, "building and running the network"):
        return _inspected(shape_of(config), fingerprint(config))


def split_sizes(node: Mapping[str, Any]) -> tuple[int, int] | None:
    """Images in the training and in the test split of a data set, read only where its plugin does not say.

    Args:
        node: the config's `data`.

    Returns:
        None where nothing says it and the data is not here.
    """
    data: DataSet = registry.build("data", node)
    if data.samples is not None:
        return data.samples
    try:
        data.check()
    except InputError:
        return None
    splits = data.load()
    return len(splits.train.labels), len(splits.test.labels)


def shape_of(config: Mapping[str, Any]) -> str:
    """All of a config that decides its network's shape, as text."""
    kept = {key: config[key] for key in SHAPE}
    kept["trainer"] = {"checkpoint_blocks": config["trainer"]["checkpoint_blocks"]}
    return json.dumps(kept, sort_keys=True, default=str)


@cache
def _inspected(shape: str, code: str) -> Network:
    """`code` only tells apart what plugins of one name have made."""
    import torch

    from ablate.network.build import Noted, build_model, count_flops, count_parameters

    config = Noted(json.loads(shape))
    data = registry.build("data", config["data"])
    with torch.device("meta"):
        model = build_model(config, data)
    layers = sum(not any(module.children()) for module in model.modules())
    uses = tuple(key for key in NETWORK if key in config.read)
    return Network(count_parameters(model), count_flops(model, (1, data.channels, *data.size)), layers, uses)

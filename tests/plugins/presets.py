"""Networks of the presets, with changes to their config: composed once each, since composing takes longest."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

import ablate


def build(arch: str, **changes: Any) -> Any:
    """The preset's network; a change to a group sets some of its options, or with `name` makes another choice."""
    config = dict(_preset(arch))
    for key, value in changes.items():
        merge = isinstance(value, dict) and "name" not in value
        config[key] = config[key] | value if merge else value
    return ablate.build_model(config)


def meta(arch: str, **changes: Any) -> Any:
    """`build`, on the meta device."""
    with torch.device("meta"):
        return build(arch, **changes)


@cache
def _preset(arch: str) -> dict[str, Any]:
    return OmegaConf.to_container(ablate.compose([f"arch={arch}"]), resolve=True)


def images(count: int, channels: int, size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The same ones at every call."""
    return torch.randn(count, channels, size, size, dtype=dtype, generator=torch.Generator().manual_seed(1))


def sizes(model: Any, channels: int, size: int) -> list[tuple[int, ...]]:
    """Channels, height and width behind each stage of a network on the meta device."""
    x, found = model.stem(torch.zeros(1, channels, size, size, device="meta")), []
    for stage in model.stages:
        x = stage(x)
        found.append(tuple(x.shape[1:]))
    return found


def train_once(model: Any, x: Tensor) -> None:
    """Gradients reach every parameter and are finite, and an image's logits in eval mode do not depend on the batch."""
    labels = torch.arange(len(x)) % model.train()(x).shape[1]
    torch.nn.functional.cross_entropy(model(x), labels).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert [name for name, grad in gradients.items() if grad is None or not grad.isfinite().all()] == []
    torch.testing.assert_close(model.eval()(x[:1]), model(x)[:1], rtol=1e-4, atol=1e-5)

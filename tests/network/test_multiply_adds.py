"""Multiply-adds, by the formula of each layer, and by a module's own word where its operations show something else."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ablate
from ablate.config.compose import prepare
from ablate.network.build import build_model, count_flops
from ablate.network.describe import describe_network

prepare()
# Grouped, depthwise and separable convolutions among them.
ARCHS = ["alexnet_2012", "resnext50_32x4d", "inception_v2", "googlenet", "resnet20_cifar", "lenet5", "inception_v3"]


def by_formula(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Of a convolution, the kernel times the channels that a group sees, for each value that it makes."""
    total = 0

    def add(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += output.numel() * math.prod(layer.kernel_size) * (layer.in_channels // layer.groups)
        elif isinstance(layer, nn.Linear):
            total += output.numel() * layer.in_features

    handles = [module.register_forward_hook(add) for module in model.modules()]
    with torch.no_grad():
        model.eval()(torch.zeros(shape, device="meta"))
    for handle in handles:
        handle.remove()
    return total


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.slow
def test_every_layer_counts_by_its_formula(arch: str) -> None:
    config = ablate.compose([f"arch={arch}"])
    with torch.device("meta"):
        model = build_model(config)
    shape = (1, config.image.channels, config.image.size, config.image.size)
    assert count_flops(model, shape) == by_formula(model, shape)


class HalfOfIt(nn.Conv2d):
    """Every second weight is held at zero."""

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.arange(self.weight.numel(), device=x.device).view_as(self.weight) % 2
        return F.conv2d(x, self.weight * mask, self.bias, padding=1)

    def multiply_adds(self, x: Tensor, output: Tensor) -> int:
        return output.numel() * self.weight[0].numel() // 2


class Whole(nn.Module):
    """Says of itself, too, what it costs: what is inside counts no more."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), HalfOfIt(4, 4, 3))

    def forward(self, x: Tensor, times: int = 1) -> Tensor:
        return self.inner(x)

    def multiply_adds(self, x: Tensor, output: Tensor) -> int:
        return 7 * len(x)


CONV = 25 * 4 * 4 * 9  # of 5x5 pixels


def test_a_module_is_taken_at_its_word() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), HalfOfIt(4, 4, 3), HalfOfIt(4, 4, 3))
    assert count_flops(model, (1, 4, 5, 5)) == 2 * CONV
    assert count_flops(model, (3, 4, 5, 5)) == 6 * CONV


def test_its_word_covers_what_is_inside_of_it() -> None:
    assert count_flops(nn.Sequential(Whole(), HalfOfIt(4, 4, 3)), (2, 4, 5, 5)) == 14 + CONV


def test_a_description_adds_up_where_a_part_speaks_for_itself() -> None:
    found = describe_network(nn.Sequential(HalfOfIt(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1), Whole()), (4, 5, 5))
    assert [row.flops for row in found.rows] == [CONV // 2, CONV, 7]
    assert found.flops == CONV // 2 + CONV + 7

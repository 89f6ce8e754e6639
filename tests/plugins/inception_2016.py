"""What the tests of Inception-v4 and the Inception-ResNets share: reference layers, and a look inside the networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ablate
from tests.plugins.functional import Weights


def build(*overrides: str) -> nn.Module:
    return ablate.build_model(ablate.compose(overrides))


def meta(*overrides: str) -> nn.Module:
    with torch.device("meta"):
        return build(*overrides)


def conv(read: Weights, x: Tensor, stride: int = 1, valid: bool = False) -> Tensor:
    """Convolution, norm, ReLU; padded unless a figure marks it V."""
    height, width = read.tensors[0].shape[2:]
    return read.unit(x, stride, 0 if valid else (height // 2, width // 2))


def convs(read: Weights, x: Tensor, count: int) -> Tensor:
    """As many in a row, padded, of stride 1."""
    for _ in range(count):
        x = conv(read, x)
    return x


def max_pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2)


def average_pool(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def cat(*branches: Tensor) -> Tensor:
    return torch.cat(branches, 1)


def stem_v4(read: Weights, x: Tensor) -> Tensor:
    """Figure 3 of arXiv 1602.07261, in timm's order."""
    x = convs(read, conv(read, conv(read, x, 2, valid=True), valid=True), 1)
    x = cat(max_pool(x), conv(read, x, 2, valid=True))
    short = conv(read, conv(read, x), valid=True)
    x = cat(short, conv(read, convs(read, x, 3), valid=True))
    return cat(conv(read, x, 2, valid=True), max_pool(x))


def reduction_a(read: Weights, x: Tensor) -> Tensor:
    """Figure 7."""
    short = conv(read, x, 2, valid=True)
    return cat(short, conv(read, convs(read, x, 2), 2, valid=True), max_pool(x))


def stage_shapes(model: nn.Module, size: int) -> dict[str, tuple[int, int]]:
    """Channels and height behind the stem and behind each stage, for square colour images on the meta device."""
    x = model.stem(torch.zeros(2, 3, size, size, device="meta"))
    shapes = {"stem": (x.shape[1], x.shape[2])}
    for name, stage in model.stages.named_children():
        x = stage(x)
        shapes[name] = (x.shape[1], x.shape[2])
    return shapes


def kernels(model: nn.Module) -> list[tuple[int, ...]]:
    """Of all convolutions, in order."""
    return [module.kernel_size for module in model.modules() if isinstance(module, nn.Conv2d)]


def losses(model: nn.Module, steps: int) -> list[float]:
    """Of a few steps on sixteen grey images of 8x8 noise with ten labels."""
    images = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(16) % 10
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    found = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimiser.step()
        found.append(loss.item())
    return found

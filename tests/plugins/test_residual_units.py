"""Residual units against their papers: recomputed from their weights with torch.nn.functional, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import Block, Order, UnitShape
from ablate.config.compose import prepare
from ablate.testing import make_parts

Weights = Mapping[str, Tensor]
SAME = UnitShape(8, 8)
FIRST = UnitShape(8, 8, first=True)
CHANGES = UnitShape(4, 8, stride=2)
BLOCKS = {"basic": 2, "bottleneck": 3, "single": 1, "resnext": 3}
GROUPS = {"resnext": 2}


@pytest.fixture(autouse=True)
def _float64() -> None:
    prepare()


def build_unit(order: str, block: str, shape: UnitShape, shortcut: str = "projection") -> nn.Module:
    options = {"cardinality": 2, "base_width": 64} if block == "resnext" else {}
    parts = make_parts(order={"name": order}, block={"name": block, **options}, shortcut={"name": shortcut})
    chosen: Block = parts.make("block")
    widths = UnitShape(shape.in_channels * chosen.expansion, shape.out_channels * chosen.expansion, shape.stride)
    widths = UnitShape(widths.in_channels, widths.out_channels, shape.stride, first=shape.first)
    placed: Order = parts.make("order")
    unit = placed.unit(chosen.layers(widths.in_channels, shape.out_channels, shape.stride), None, widths).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in unit.parameters():
            parameter.normal_(0.1, 0.5, generator=generator)
    return unit


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    """Batch normalisation, from its definition: the batch's own mean and biased variance."""
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = (x - mean).square().mean((0, 2, 3), keepdim=True)
    gamma, beta = w[f"{name}.weight"][:, None, None], w[f"{name}.bias"][:, None, None]
    return (x - mean) / (variance + 1e-5).sqrt() * gamma + beta


def conv(w: Weights, block: str, number: int, stride: int, x: Tensor) -> Tensor:
    """The block's convolution of this number, with the stride where the papers have it."""
    kernel = w[f"branch.conv{number}.weight"]
    strided = 2 if block == "resnext" else 1
    groups = GROUPS.get(block, 1) if kernel.shape[-1] == 3 else 1
    return F.conv2d(x, kernel, None, stride if number == strided else 1, kernel.shape[-1] // 2, groups=groups)


def shortcut(w: Weights, stride: int, x: Tensor, *, normed: bool) -> Tensor:
    """Option B."""
    if "shortcut.path.conv.weight" not in w:
        return x
    y = F.conv2d(x, w["shortcut.path.conv.weight"], None, stride)
    return norm(w, "shortcut.path.norm", y) if normed else y


def post(w: Weights, block: str, shape: UnitShape, x: Tensor) -> Tensor:
    """Fig. 4a: conv BN ReLU ... conv BN, addition, ReLU."""
    y = x
    for number in range(1, BLOCKS[block] + 1):
        y = norm(w, f"branch.norm{number}", conv(w, block, number, shape.stride, y))
        y = F.relu(y) if number < BLOCKS[block] else y
    return F.relu(shortcut(w, shape.stride, x, normed=True) + y)


def bn_after_add(w: Weights, block: str, shape: UnitShape, x: Tensor) -> Tensor:
    """Fig. 4b: conv BN ReLU ... conv, addition, BN, ReLU."""
    y = x
    for number in range(1, BLOCKS[block] + 1):
        y = conv(w, block, number, shape.stride, y)
        y = F.relu(norm(w, f"branch.norm{number}", y)) if number < BLOCKS[block] else y
    return F.relu(norm(w, "after.norm", shortcut(w, shape.stride, x, normed=False) + y))


def relu_before_add(w: Weights, block: str, shape: UnitShape, x: Tensor) -> Tensor:
    """Fig. 4c: conv BN ReLU ... conv BN ReLU, addition."""
    y = x
    for number in range(1, BLOCKS[block] + 1):
        y = F.relu(norm(w, f"branch.norm{number}", conv(w, block, number, shape.stride, y)))
    return shortcut(w, shape.stride, x, normed=True) + y


def relu_only_pre(w: Weights, block: str, shape: UnitShape, x: Tensor) -> Tensor:
    """Fig. 4d: ReLU conv BN ... ReLU conv BN, addition; the ReLU shared in first and widening units."""
    y = x
    for number in range(1, BLOCKS[block] + 1):
        y = norm(w, f"branch.norm{number}", conv(w, block, number, shape.stride, F.relu(y)))
    start = F.relu(x) if shape.first or shape.widens else x
    return shortcut(w, shape.stride, start, normed=True) + y


def pre(w: Weights, block: str, shape: UnitShape, x: Tensor) -> Tensor:
    """Fig. 4e: BN ReLU conv ... BN ReLU conv, addition; the first BN-ReLU shared in first and widening units."""
    h = F.relu(norm(w, "preact.norm", x))
    y = conv(w, block, 1, shape.stride, h)
    for number in range(2, BLOCKS[block] + 1):
        y = conv(w, block, number, shape.stride, F.relu(norm(w, f"branch.norm{number - 1}", y)))
    start = h if shape.first or shape.widens else x
    return shortcut(w, shape.stride, start, normed=False) + y


ORDERS = [post, bn_after_add, relu_before_add, relu_only_pre, pre]


@pytest.mark.parametrize("shape", [SAME, FIRST, CHANGES], ids=["same", "first", "changes"])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
def test_a_unit_is_its_papers_figure(order: Callable[..., Tensor], block: str, shape: UnitShape) -> None:
    unit = build_unit(order.__name__, block, shape)
    weights = {name: parameter.detach().clone().requires_grad_() for name, parameter in unit.named_parameters()}
    channels = shape.in_channels * make_parts(block={"name": block}).make("block").expansion
    x = torch.randn(3, channels, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = unit(ours), order(weights, block, shape, theirs)
    torch.testing.assert_close(y, expected)
    pull = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    y.backward(pull)
    expected.backward(pull)
    torch.testing.assert_close(ours.grad, theirs.grad)
    for name, parameter in unit.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        ("changing_and_first", {"first": True, "changes": True, "same": False}),
        ("changing", {"first": False, "changes": True, "same": False}),
        ("never", {"first": False, "changes": False, "same": False}),
    ],
)
def test_where_the_shortcut_starts_behind_the_pre_activation(shared: str, expected: dict[str, bool]) -> None:
    for order in ("pre", "relu_only_pre"):
        for name, shape in {"first": FIRST, "changes": CHANGES, "same": SAME}.items():
            parts = make_parts(order={"name": order, "shared": shared})
            made: Order = parts.make("order")
            block: Block = parts.make("block")
            unit = made.unit(block.layers(shape.in_channels, shape.out_channels, shape.stride), None, shape)
            with torch.no_grad():
                for parameter in unit.branch.parameters():
                    parameter.zero_()
            x = -torch.rand(2, shape.in_channels, 4, 4)  # negative: a ReLU in the path shows as zeros
            starts_behind = bool((unit.eval()(x) == 0).all())
            assert starts_behind is expected[name], (order, name)


def test_the_stride_of_a_bottleneck_sits_where_the_option_says() -> None:
    for block, default in (("bottleneck", "1x1"), ("resnext", "3x3")):
        for place in ("1x1", "3x3", None):
            node = {"name": block, **({"stride_at": place} if place else {})}
            layers = make_parts(block=node).make("block").layers(8, 8, 2)
            strided = {"1x1": [2, 1, 1], "3x3": [1, 2, 1]}[place or default]
            assert [layer.stride[0] for layer in layers] == strided


@pytest.mark.parametrize(
    ("bias", "expected"), [("none", [False] * 3), ("last", [False, False, True]), ("all", [True] * 3)]
)
def test_biases_stand_where_the_option_says(bias: str, expected: list[bool]) -> None:
    layers = make_parts(block={"name": "bottleneck", "bias": bias}).make("block").layers(8, 8, 1)
    assert [layer.bias is not None for layer in layers] == expected
    pair = make_parts(block={"name": "basic", "bias": bias}).make("block").layers(8, 8, 1)
    assert [layer.bias is not None for layer in pair] == expected[1:]


def test_resnext_is_an_aggregation_of_paths() -> None:
    """Xie et al. 2016, eq. 2 and Fig. 3a: the sum over C paths, each 1x1, 3x3, 1x1 of its own."""
    layers = make_parts(block={"name": "resnext", "cardinality": 4, "base_width": 16}).make("block").layers(8, 16, 1)
    reduce, transform, expand = (layer.weight.detach().double() for layer in layers)
    x = torch.randn(2, 8, 5, 5, dtype=torch.float64)
    grouped = F.conv2d(F.conv2d(F.conv2d(x, reduce), transform, padding=1, groups=4), expand)
    paths = torch.zeros_like(grouped)
    for path in range(4):
        own = slice(4 * path, 4 * path + 4)
        paths += F.conv2d(F.conv2d(F.conv2d(x, reduce[own]), transform[own], padding=1), expand[:, own])
    torch.testing.assert_close(grouped, paths)
    assert [layer.groups for layer in layers] == [1, 4, 1]

"""Feature maps keep their memory format on the way back, and a kernel that PyTorch gets wrong is never asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import ablate
from ablate.network.memory_format import Conv2d, pixel_mean, replace_narrow_pointwise, subsampled

FORMATS = [torch.contiguous_format, torch.channels_last]
ORDERS = ["post", "pre", "bn_after_add", "relu_before_add", "relu_only_pre"]
SHORTCUTS = ["none", "identity", "projection", "max_pool", "exclusive_gate", "shortcut_gate", "conv1x1"]


def maps(*shape: int, memory_format: torch.memory_format) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x.contiguous(memory_format=memory_format).requires_grad_()


def gradient(x: Tensor, operation: Callable[[Tensor], Tensor]) -> Tensor:
    """Of a weighted sum of the outputs; unlike that of a plain sum it differs from place to place."""
    output = operation(x.relu())  # whose gradient has the format of what comes from behind
    weights = torch.arange(output.numel(), dtype=output.dtype).reshape(output.shape)
    return torch.autograd.grad((output * weights).sum(), x)[0]


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("stride", [1, 2, 3, (1, 2), (3, 2)])
def test_subsampling_takes_the_pixels_that_slicing_takes(stride: Any, memory_format: torch.memory_format) -> None:
    down, right = stride if isinstance(stride, tuple) else (stride, stride)
    x = maps(2, 3, 7, 8, memory_format=memory_format)
    assert torch.equal(subsampled(x, stride), x[:, :, ::down, ::right])
    back = gradient(x, lambda y: subsampled(y, stride))
    assert torch.equal(back, gradient(x, lambda y: y[:, :, ::down, ::right]))
    assert back.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_the_mean_over_pixels(memory_format: torch.memory_format) -> None:
    x = maps(2, 3, 7, 8, memory_format=memory_format)
    torch.testing.assert_close(pixel_mean(x), x.mean((2, 3)))
    back = gradient(x, pixel_mean)
    torch.testing.assert_close(back, gradient(x, lambda y: y.mean((2, 3))))
    assert back.is_contiguous(memory_format=memory_format)


class Operations(TorchDispatchMode):
    """What a forward and a backward pass consist of: each operation with its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls.append((str(func), args))
        return func(*args, **(kwargs or {}))


def is_in(x: Any, memory_format: torch.memory_format) -> bool:
    """Whether these are maps in this format and not in the other."""
    other = next(one for one in FORMATS if one != memory_format)
    return (
        isinstance(x, Tensor)
        and x.ndim == 4
        and x.is_contiguous(memory_format=memory_format)
        and not x.is_contiguous(memory_format=other)
    )


@pytest.mark.parametrize(("order", "shortcut"), [*itertools.product(ORDERS, SHORTCUTS)])
@pytest.mark.slow
def test_no_operation_of_a_step_meets_two_memory_formats(order: str, shortcut: str) -> None:
    net = ablate.build_model(ablate.compose([f"order={order}", f"shortcut={shortcut}", "depth=8", "image.channels=3"]))
    net.to(memory_format=torch.channels_last)
    x = torch.randn(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    with Operations() as operations:
        net(x).square().sum().backward()
    mixed = [name for name, args in operations.calls if all(any(is_in(x, one) for x in args) for one in FORMATS)]
    assert len(operations.calls) > 100
    assert mixed == []


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("groups", "stride", "bias"), [(1, 2, False), (1, (2, 3), True), (2, 2, True)])
def test_a_narrow_pointwise_convolution_computes_what_the_plain_one_does(
    groups: int, stride: Any, bias: bool, memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 8, 1, stride, groups=groups, bias=bias, dtype=torch.float64)
    narrow = nn.Conv2d(6, 8, 1, stride, groups=groups, bias=bias, dtype=torch.float64)
    narrow.load_state_dict(plain.state_dict())
    replace_narrow_pointwise(narrow)
    assert type(narrow) is Conv2d
    assert repr(narrow) == repr(plain)
    x = maps(3, 6, 7, 8, memory_format=memory_format)
    outputs = [conv(x) for conv in (plain, narrow)]
    torch.testing.assert_close(*outputs)
    results = [
        torch.autograd.grad(y.square().sum(), [x, *conv.parameters()])
        for y, conv in zip(outputs, (plain, narrow), strict=True)
    ]
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def replaced(conv: nn.Conv2d) -> bool:
    replace_narrow_pointwise(conv)
    return isinstance(conv, Conv2d)


def test_only_what_overruns_is_replaced() -> None:
    assert replaced(nn.Conv2d(15, 32, 1, 2))
    assert not replaced(nn.Conv2d(16, 32, 1, 2))
    assert replaced(nn.Conv2d(16, 32, 1, 2, groups=2))
    assert not replaced(nn.Conv2d(8, 16, 1))
    assert not replaced(nn.Conv2d(8, 16, 3, 2, padding=1))
    assert not replaced(nn.Conv2d(8, 16, 1, 2, padding=1))


@pytest.mark.parametrize(
    "overrides",
    [
        ["shortcut=projection", "width=0.5"],
        ["shortcut=conv1x1", "width=0.25"],
        ["arch=resnet50_keras", "width=0.05"],
        ["arch=resnet18_d2l", "width=0.2"],
        ["arch=resnet50_v2", "width=0.05"],
    ],
)
def test_a_network_never_asks_for_the_gradient_that_overruns(overrides: list[str]) -> None:
    """The kernel would end the process or be wrong: oneDNN's issue 6035."""
    net = ablate.build_model(ablate.compose([*overrides, "image.channels=3", "image.size=32"]))
    x = torch.randn(3, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    with Operations() as operations:
        net.to(memory_format=torch.channels_last)(x).square().mean().backward()
    backward = [args for name, args in operations.calls if name.startswith("aten.convolution_backward")]
    overruns = [
        (maps.shape, weight.shape)
        for _, maps, weight, _, stride, *_ in backward
        if weight.shape[2:] == (1, 1) and max(stride) > 1 and weight.shape[1] < 16
    ]
    assert len(backward) > 10
    assert overruns == []
    with torch.no_grad(), Operations() as operations:
        net(x)
    strided = [args for name, args in operations.calls if name.startswith("aten.convolution") and max(args[3]) > 1]
    assert strided, "without gradients the convolution is the one that the paper has"

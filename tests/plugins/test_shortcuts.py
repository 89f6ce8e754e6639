"""Shortcuts against the formulas of He et al. 2015 (options A, B, C) and 2016 (Table 1)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ablate import InputError, Shortcut, UnitShape
from ablate.config.compose import prepare
from ablate.testing import make_parts

SAME = UnitShape(4, 4)
CHANGES = UnitShape(4, 7, stride=2)


@pytest.fixture(autouse=True)
def _plugins() -> None:
    prepare()


def build(name: str, shape: UnitShape, **options: Any) -> Shortcut:
    made: Shortcut = make_parts(shortcut={"name": name, **options}).make("shortcut", shape)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0.2, 1, generator=generator)
    return made


def inputs(shape: UnitShape) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, shape.in_channels, 5, 5, generator=generator)
    height = -(-5 // shape.stride)
    return x, torch.randn(2, shape.out_channels, height, height, generator=generator)


def option_a(x: Tensor, shape: UnitShape, before: int) -> Tensor:
    """Channel by channel: x's pixels at every stride-th place, zeros in the added channels."""
    height = -(-5 // shape.stride)
    y = torch.zeros(2, shape.out_channels, height, height)
    for channel in range(shape.in_channels):
        for row in range(height):
            for column in range(height):
                y[:, channel + before, row, column] = x[:, channel, row * shape.stride, column * shape.stride]
    return y


def sigmoid_gate(shortcut: Shortcut, x: Tensor, stride: int) -> Tensor:
    weights = dict(shortcut.named_parameters())
    logits = F.conv2d(x, weights["gate.conv.weight"], weights["gate.bias"], stride)
    return 1 / (1 + torch.exp(-logits))


@pytest.mark.parametrize("shape", [SAME, CHANGES], ids=["same", "changes"])
def test_none_is_the_branch_alone(shape: UnitShape) -> None:
    x, residual = inputs(shape)
    assert torch.equal(build("none", shape)(x, residual), residual)


@pytest.mark.parametrize(("pad", "before"), [("both", 1), ("end", 0)])
@pytest.mark.parametrize("shape", [SAME, CHANGES], ids=["same", "changes"])
def test_identity_is_option_a(shape: UnitShape, pad: str, before: int) -> None:
    x, residual = inputs(shape)
    expected = option_a(x, shape, before if shape.widens else 0) + residual
    assert torch.equal(build("identity", shape, pad=pad)(x, residual), expected)


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize(
    ("name", "shape"), [("projection", CHANGES), ("projection_all", CHANGES), ("projection_all", SAME)]
)
def test_projection_is_options_b_and_c(name: str, shape: UnitShape, norm: bool) -> None:
    x, residual = inputs(shape)
    shortcut = build(name, shape, norm=norm)
    weights = dict(shortcut.named_parameters())
    path = F.conv2d(x, weights["path.conv.weight"], None, shape.stride)
    if norm:
        path = F.batch_norm(path, None, None, weights["path.norm.weight"], weights["path.norm.bias"], training=True)
    torch.testing.assert_close(shortcut(x, residual), path + residual)


def test_option_b_is_the_identity_where_nothing_changes() -> None:
    x, residual = inputs(SAME)
    assert torch.equal(build("projection", SAME)(x, residual), x + residual)


@pytest.mark.parametrize("name", ["projection", "projection_all", "max_pool", "concat"])
def test_null_norm_does_as_the_source_of_the_order(name: str) -> None:
    for norm_projection in (True, False):
        shape = UnitShape(4, 8, norm_projection=norm_projection)
        assert any("norm" in key for key in build(name, shape).state_dict()) is norm_projection


@pytest.mark.parametrize("shape", [SAME, CHANGES], ids=["same", "changes"])
def test_conv1x1_convolves_in_every_unit(shape: UnitShape) -> None:
    x, residual = inputs(shape)
    shortcut = build("conv1x1", shape)
    (weight,) = shortcut.parameters()
    torch.testing.assert_close(shortcut(x, residual), F.conv2d(x, weight, None, shape.stride) + residual)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [SAME, CHANGES, UnitShape(7, 4)], ids=["same", "changes", "narrows"])
def test_concat_convolves_x_beside_f_of_x(shape: UnitShape, bias: bool) -> None:
    x, residual = inputs(shape)
    shortcut = build("concat", shape, norm=False, bias=bias)
    weights = dict(shortcut.named_parameters())
    kernel = weights["path.conv.weight"][:, :, 0, 0]
    expected = torch.einsum("oc,nchw->nohw", kernel[:, : shape.in_channels], x[:, :, :: shape.stride, :: shape.stride])
    expected = expected + torch.einsum("oc,nchw->nohw", kernel[:, shape.in_channels :], residual)
    if bias:
        expected = expected + weights["path.conv.bias"][:, None, None]
    torch.testing.assert_close(shortcut(x, residual), expected)


def test_concat_of_two_identities_is_the_addition() -> None:
    x, residual = inputs(SAME)
    shortcut = build("concat", SAME, norm=False)
    with torch.no_grad():
        next(shortcut.parameters()).copy_(torch.cat([torch.eye(4), torch.eye(4)], 1)[:, :, None, None])
    assert torch.equal(shortcut(x, residual), build("identity", SAME)(x, residual))


@pytest.mark.parametrize("factors", [(0.5, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize("shape", [SAME, CHANGES], ids=["same", "changes"])
def test_scaled_weighs_both_terms(shape: UnitShape, factors: tuple[float, float]) -> None:
    x, residual = inputs(shape)
    scale, residual_scale = factors
    expected = scale * option_a(x, shape, int(shape.widens)) + residual_scale * residual
    torch.testing.assert_close(
        build("scaled", shape, scale=scale, residual_scale=residual_scale)(x, residual), expected
    )


@pytest.mark.parametrize("shape", [SAME, CHANGES], ids=["same", "changes"])
def test_exclusive_gate_shares_one_between_the_terms(shape: UnitShape) -> None:
    x, residual = inputs(shape)
    shortcut = build("exclusive_gate", shape)
    g = sigmoid_gate(shortcut, x, shape.stride)
    expected = (1 - g) * option_a(x, shape, int(shape.widens)) + g * residual
    torch.testing.assert_close(shortcut(x, residual), expected)


@pytest.mark.parametrize("shape", [SAME, CHANGES], ids=["same", "changes"])
def test_shortcut_gate_leaves_the_branch_alone(shape: UnitShape) -> None:
    x, residual = inputs(shape)
    shortcut = build("shortcut_gate", shape)
    g = sigmoid_gate(shortcut, x, shape.stride)
    torch.testing.assert_close(shortcut(x, residual), (1 - g) * option_a(x, shape, int(shape.widens)) + residual)


@pytest.mark.parametrize("name", ["shortcut_gate", "exclusive_gate"])
def test_a_gates_bias_starts_where_the_option_says(name: str) -> None:
    made: Shortcut = make_parts(shortcut={"name": name, "bias_init": -3}).make("shortcut", SAME)
    assert dict(made.named_parameters())["gate.bias"].eq(-3).all()


def test_dropout_drops_the_shortcut_in_training_only() -> None:
    x, residual = torch.ones(2, 4, 50, 50), torch.zeros(2, 4, 50, 50)
    shortcut = build("dropout", SAME, rate=0.25)
    torch.manual_seed(0)
    y = shortcut(x, residual)
    torch.testing.assert_close(y.unique(), torch.tensor([0, 4 / 3]))
    assert (y == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(shortcut.eval()(x, residual), x)


@pytest.mark.parametrize("kernel", [1, 3])
def test_max_pool_pools_where_the_size_shrinks(kernel: int) -> None:
    shape = UnitShape(4, 4, stride=2)
    x, residual = inputs(shape)
    padded = F.pad(x, [kernel // 2] * 4, value=-torch.inf)
    windows = padded.unfold(2, kernel, 2).unfold(3, kernel, 2)
    expected = windows.amax((-1, -2)) + residual
    assert torch.equal(build("max_pool", shape, kernel_size=kernel)(x, residual), expected)


def test_max_pool_projects_where_the_channels_change() -> None:
    x, residual = inputs(CHANGES)
    shortcut = build("max_pool", CHANGES, norm=False)
    (weight,) = shortcut.parameters()
    torch.testing.assert_close(shortcut(x, residual), F.conv2d(x[:, :, ::2, ::2], weight) + residual)


def test_max_pool_projects_the_first_unit_on_request() -> None:
    first = UnitShape(4, 4, first=True)
    counts = [
        len(list(build("max_pool", first, project_first=choice, norm=False).parameters())) for choice in (True, False)
    ]
    assert counts == [1, 0]
    assert list(build("max_pool", SAME, project_first=True).parameters()) == []


@pytest.mark.parametrize(
    ("name", "shape", "options", "message"),
    [
        ("identity", UnitShape(8, 4), {}, "8 channels to 4; choose shortcut=projection"),
        ("max_pool", SAME, {"kernel_size": 2}, "must be odd to keep its place, not 2"),
        ("dropout", SAME, {"rate": 1.5}, r"must lie in \[0, 1\), not 1.5"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, shape: UnitShape, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(name, shape, **options)

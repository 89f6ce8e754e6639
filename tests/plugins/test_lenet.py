"""LeNet-5: exact sizes, the paper's network layer by layer, its poolings, its output code, and other image sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import ablate
from ablate import InputError, registry
from ablate.config.compose import prepare
from ablate.network.build import count_flops, count_parameters
from ablate.network.describe import describe
from tests.plugins.functional import Weights, assert_same_network
from tests.plugins.presets import build, images, meta, sizes, train_once

MODERN, PAPER, CODE_001 = "lenet5", "lenet5_1998", "lenet5_001"
# Table I of the paper: a row for each map of S2, a column for each map of C3.
TABLE = [
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
]


@pytest.mark.parametrize(("arch", "count"), [(MODERN, 61_706), (PAPER, 60_000), (CODE_001, 520_082)])
def test_parameters(arch: str, count: int) -> None:
    assert count_parameters(meta(arch)) == count


def test_layers_have_the_papers_parameters() -> None:
    model = meta(PAPER)
    stages = {name: count_parameters(stage) for name, stage in model.stages.named_children()}
    assert stages == {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32}
    assert count_parameters(model.head.hidden.fc1) == 48_120  # C5
    assert count_parameters(model.head.hidden.fc2) == 10_164  # F6
    assert count_parameters(model.head) == 48_120 + 10_164  # and none in the output


def test_maps_have_the_papers_sizes() -> None:
    expected = [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5)]
    assert sizes(meta(PAPER), 1, 32) == sizes(meta(MODERN), 1, 32) == expected


def test_multiply_adds_are_the_papers_connections_and_not_the_zeros_between() -> None:
    """C1, C3 of 60 connected maps, C5, F6 and the output; the paper's 122,304 and 151,600 count biases too."""
    connections = 28 * 28 * 6 * 25 + 10 * 10 * 60 * 25 + 48_000 + 10_080 + 840
    assert connections == 326_520
    assert count_flops(meta(PAPER), (1, 1, 32, 32)) == connections
    assert count_flops(meta(PAPER), (3, 1, 32, 32)) == 3 * connections
    assert 28 * 28 * 6 * 25 + 28 * 28 * 6 == 122_304
    assert 10 * 10 * 60 * 25 + 10 * 10 * 16 == 151_600
    assert count_flops(build(PAPER), (1, 1, 32, 32)) == connections, "on the device itself too, as a cell counts"
    described = {row.name: row.flops for row in describe(ablate.compose([f"arch={PAPER}"])).rows}
    assert described["c3"] == 150_000
    full = count_flops(meta(PAPER, backbone={"c3": "full"}), (1, 1, 32, 32))
    assert full == connections + 10 * 10 * 36 * 25


def squash(x: Tensor) -> Tensor:
    return 1.7159 * torch.tanh(2 / 3 * x)


def subsample(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    windows = x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]
    return squash(windows * weight + bias)


def third_layer(x: Tensor, kernels: Tensor, biases: Tensor) -> Tensor:
    """One map after the other, as the table says; the kernels come in the order of its columns."""
    left, maps = list(kernels), []
    for column, bias in enumerate(biases):
        seen = [row for row in range(6) if TABLE[row][column] == "X"]
        terms = [F.conv2d(x[:, row : row + 1], left.pop(0)[None, None]) for row in seen]
        maps.append(sum(terms) + bias)
    assert left == []
    return squash(torch.cat(maps, 1))


def paper(weights: Weights, x: Tensor) -> list[Tensor]:
    x = squash(F.conv2d(x, *weights.take(2)))
    x = subsample(x, *weights.take(2))
    x = third_layer(x, *weights.take(2))
    x = subsample(x, *weights.take(2))
    weight, bias = weights.take(2)
    x = squash(F.conv2d(x, weight.view(-1, 16, 5, 5), bias)).flatten(1)  # C5 is a convolution of 5x5 maps
    x = squash(weights.linear(x))
    code = build(PAPER).head.code.double()  # fixed, and so no part of the state_dict
    return [-(x[:, None] - code).square().sum(2)]


def modern(weights: Weights, x: Tensor) -> list[Tensor]:
    x = F.max_pool2d(weights.unit(x), 2)
    x = F.max_pool2d(weights.unit(x), 2).flatten(1)
    return [weights.linear(F.relu(weights.linear(F.relu(weights.linear(x)))))]


def code_001(weights: Weights, x: Tensor) -> list[Tensor]:
    """Its summary prints 156, 2416 and 512,500 parameters, on maps of 32, 16 and 8 pixels."""
    assert 156 + 2_416 + 512_500 + 500 * 10 + 10 == 520_082
    x = F.max_pool2d(weights.unit(x, padding=2), 2)
    x = F.max_pool2d(weights.unit(x, padding=2), 2).flatten(1)
    assert x.shape[1] == 1024
    return [weights.linear(F.relu(weights.linear(x)))]


@pytest.mark.parametrize(("arch", "reference"), [(PAPER, paper), (MODERN, modern), (CODE_001, code_001)])
def test_it_is_the_reference(arch: str, reference: Any) -> None:
    assert_same_network(build(arch), reference, images(3, 1, 32, torch.float64), norm=False)


def test_the_table_has_the_papers_connections() -> None:
    model = build(PAPER)
    x = torch.randn(1, 6, 14, 14, requires_grad=True)
    for column in range(16):
        (grad,) = torch.autograd.grad(model.stages.c3.conv(x)[0, column].sum(), x)
        assert [bool(grad[0, row].any()) for row in range(6)] == [line[column] == "X" for line in TABLE]


def test_a_wider_table_has_blocks_of_maps() -> None:
    model = build(PAPER, width=2)
    layer = model.stages.c3.conv
    assert layer(torch.zeros(1, 12, 14, 14)).shape == (1, 32, 10, 10)
    assert count_parameters(layer) == 60 * 2 * 2 * 25 + 32
    deviation = layer.weight.detach()[: 2 * 6 * 6].std()  # the first twelve maps see six maps each
    assert float(deviation) == pytest.approx((2 / (6 * 25)) ** 0.5, rel=0.1)
    # The table cannot be thinned out, so that narrower networks keep its six and sixteen maps.
    assert sizes(meta(PAPER, width=0.25), 1, 32)[-1] == (16, 5, 5)
    assert sizes(meta(PAPER, width=0.25, backbone={"c3": "full"}), 1, 32)[-1] == (4, 5, 5)


def test_sub_sampling_starts_as_the_mean_and_is_squashed() -> None:
    model = build(PAPER)
    x = images(2, 6, 28)
    torch.testing.assert_close(model.stages.s2(x), squash(F.avg_pool2d(x, 2)))


@pytest.mark.parametrize(("pool", "function"), [("max", F.max_pool2d), ("avg", F.avg_pool2d)])
def test_the_other_poolings_have_no_parameters_and_leave_the_rest_alone(pool: str, function: Any) -> None:
    model, whole = build(PAPER, backbone={"pool": pool}), build(PAPER)
    assert count_parameters(model) == 60_000 - 12 - 32
    state = whole.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    x = images(2, 6, 28)
    torch.testing.assert_close(model.stages.s2(x), function(x, 2))


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_the_code_tells_classes_apart(classes: int) -> None:
    head = build(PAPER, image={"classes": classes}).head
    assert head.code.shape == (classes, 84)
    assert set(head.code.unique().tolist()) == {-1.0, 1.0}
    distance = (84 - head.code @ head.code.T) / 2
    assert float((distance + 84 * torch.eye(classes)).min()) >= 18
    assert torch.equal(head.code[:2], build(PAPER, seed=5).head.code[:2]), "it is fixed"
    assert "head.code" not in build(PAPER).state_dict()


def test_logits_are_minus_squared_distances() -> None:
    head = build(PAPER, width=0.5).double().head
    x = images(3, 16, 5, torch.float64)
    y = head.hidden(x)
    torch.testing.assert_close(head(x), -torch.cdist(y, head.code).square())
    assert head.hidden.fc1.out_features == 60
    assert y.shape == (3, 84), "as long as the code, at any width"


def test_the_squashing_function_passes_through_one() -> None:
    prepare()
    act = registry.build("act", {"name": "scaled_tanh"}, None)
    torch.testing.assert_close(act(torch.tensor([-1.0, 0.0, 1.0])), torch.tensor([-1.0, 0.0, 1.0]), atol=1e-4, rtol=0)
    other = registry.build("act", {"name": "scaled_tanh", "amplitude": 2.0, "slope": 0.5}, None)
    torch.testing.assert_close(other(torch.tensor([3.0])), 2 * torch.tanh(torch.tensor([1.5])))


@pytest.mark.parametrize(("arch", "before"), [(MODERN, "ReLU"), (PAPER, "ScaledTanh")])
def test_f6_can_have_an_activation_of_its_own(arch: str, before: str) -> None:
    model, whole = build(arch, head={"last_act": "sigmoid"}), build(arch)
    assert [type(m).__name__ for m in (model.head.hidden.act1, model.head.hidden.act2)] == [before, "Sigmoid"]
    assert type(whole.head.hidden.act2).__name__ == before
    state = whole.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("arch", [MODERN, PAPER])
@pytest.mark.parametrize("size", [1, 8, 28, 31])
def test_small_images_are_centred_in_a_field_of_zeros(arch: str, size: int) -> None:
    model, full = build(arch, image={"size": size}), build(arch)
    state = full.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    x = images(3, 1, size)
    before = (32 - size) // 2
    field = torch.zeros(3, 1, 32, 32)
    field[:, :, before : before + size, before : before + size] = x
    torch.testing.assert_close(model.eval()(x), full.eval()(field))
    train_once(model, x)


def test_large_images_are_averaged_to_the_papers_maps() -> None:
    model = build(PAPER, image={"channels": 3, "size": 48, "classes": 4})
    assert count_parameters(model) == 60_000 + 2 * 6 * 25
    train_once(model, images(4, 3, 48))


def test_images_may_be_oblong() -> None:
    source = type("Oblong", (), {"channels": 1, "size": (40, 20), "classes": 3})
    model = ablate.build_model(ablate.compose([f"arch={PAPER}"]), source)
    assert model(torch.randn(2, 1, 40, 20)).shape == (2, 3)


@pytest.mark.parametrize(("arch", "size"), [(MODERN, 32), (PAPER, 8)])
def test_it_compiles_as_one_graph(arch: str, size: int) -> None:
    model = build(arch, image={"size": size})
    x = images(2, 1, size)
    torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))


def test_it_can_be_exported() -> None:
    model = build(PAPER, image={"size": 8}).eval()
    program = torch.export.export(model, (images(2, 1, 8),))
    torch.testing.assert_close(program.module()(images(2, 1, 8) + 1), model(images(2, 1, 8) + 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": {"full_size": 0}, "image": {"size": 15}}, "at least 16x16 pixels, not 15x15"),
        ({"backbone": {"full_size": 0, "padding": 2}, "image": {"size": 3}}, "at least 4x4 pixels, not 3x3"),
        ({"backbone": {"padding": 3}}, "from 0 to 2 pixels, not 3"),
        ({"backbone": {"pool": "median"}}, "'median'"),
        ({"backbone": {"c3": "sparse"}}, "'sparse'"),
        ({"head": {"last_act": "sigmoyd"}}, "'sigmoyd'; did you mean 'sigmoid'"),
        ({"head": {"name": "fc", "hidden": [], "last_act": "tanh"}}, "no hidden layer to stand behind"),
        ({"head": {"hidden": [0]}}, "at least 1, not 0"),
        ({"image": {"classes": 1}}, "two classes"),
        ({"aux": {"name": "linear", "at": ["c2"]}}, "'c2'"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        meta(PAPER, **changes)


@pytest.mark.parametrize(("padding", "least"), [(0, 16), (1, 10), (2, 4)])
def test_the_least_size_is_the_least(padding: int, least: int) -> None:
    model = meta(PAPER, backbone={"full_size": 0, "padding": padding}, image={"size": least})
    assert sizes(model, 1, least)[-1] == (16, 1, 1)
    assert model.head.hidden.fc1.in_features == 16


def test_every_option_can_be_typed() -> None:
    typed = ["backbone.pool=max", "backbone.c3=full", "backbone.full_size=28", "head=fc", "head.hidden=[84]"]
    cfg = ablate.compose([f"arch={PAPER}", *typed, "head.grid=2", "act.amplitude=1", "act.slope=1", "image.size=28"])
    with torch.device("meta"):
        model = ablate.build_model(cfg)
    assert count_parameters(model) == 156 + 2_416 + (16 * 4 + 1) * 84 + 85 * 10

"""AlexNet: exact sizes, the same function as its references, the parts that an ablation changes, and small images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ablate
from ablate import InputError, registry
from ablate.config.compose import prepare
from ablate.network.build import count_flops, count_parameters
from tests.plugins.functional import Weights, assert_same_network
from tests.plugins.presets import build, images, meta, sizes, train_once

ONE, PAPER, CODE_001 = "alexnet", "alexnet_2012", "alexnet_001"
TINY: dict[str, Any] = {"width": 1 / 16, "head": {"dropout": 0.0}}


@pytest.mark.parametrize(("arch", "count"), [(ONE, 61_100_840), (PAPER, 60_965_224), (CODE_001, 49_516_520)])
def test_parameters(arch: str, count: int) -> None:
    assert count_parameters(meta(arch)) == count


@pytest.mark.parametrize(("size", "padding"), [(224, 2), (227, 0)])
def test_maps_have_the_papers_sizes(size: int, padding: int) -> None:
    model = meta(PAPER, image={"size": size}, backbone={"padding": padding})
    assert sizes(model, 3, size) == [(96, 27, 27), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 6, 6)]
    assert count_parameters(model) == 60_965_224


@pytest.mark.parametrize(
    ("arch", "changes", "message"),
    [
        (PAPER, {"backbone": {"padding": 0}}, r"grid of 6x6, and gets maps of 5x5: set head\.grid=5 or less, or"),
        (ONE, {"image": {"size": 80}}, r"grid of 6x6, and gets maps of 1x1"),
        ("vgg11", {"image": {"size": 96}}, r"grid of 7x7, and gets maps of 3x3"),
        ("resnet18", {"head": {"name": "fc", "grid": 7}, "image": {"size": 128}}, r"grid of 7x7, and gets maps of 4x4"),
        ("resnet18", {"head": {"name": "rbf"}, "image": {"size": 128}}, r"grid of 5x5, and gets maps of 4x4"),
    ],
)
def test_a_head_does_not_stretch_maps_to_its_grid(arch: str, changes: dict[str, Any], message: str) -> None:
    """Of any backbone, and before anything is trained: as its multiply-adds are counted for a plan."""
    image = {"channels": 3, "size": 224, "classes": 10} | changes.get("image", {})
    with pytest.raises(InputError, match=message):
        count_flops(meta(arch, **changes | {"image": image}), (1, 3, image["size"], image["size"]))


def dense(weights: Weights, x: Tensor) -> list[Tensor]:
    x = F.adaptive_avg_pool2d(x, min(6, x.shape[-1])).flatten(1)
    return [weights.linear(F.relu(weights.linear(F.relu(weights.linear(x)))))]


def torchvision(weights: Weights, x: Tensor) -> list[Tensor]:
    x = F.max_pool2d(weights.unit(x, 4, 2), 3, 2)
    x = F.max_pool2d(weights.unit(x, padding=2), 3, 2)
    x = weights.unit(weights.unit(x, padding=1), padding=1)
    return dense(weights, F.max_pool2d(weights.unit(x, padding=1), 3, 2))


def response_norm(x: Tensor) -> Tensor:
    """The paper's equation, channel by channel."""
    columns, last = [], x.shape[1] - 1
    for i in range(last + 1):
        near = x[:, max(0, i - 2) : min(last, i + 2) + 1]
        columns.append(x[:, i] / (2 + 1e-4 * near.square().sum(1)) ** 0.75)
    return torch.stack(columns, 1)


def towers(weights: Weights, x: Tensor, padding: int) -> Tensor:
    """A convolution that keeps the halves of its input apart, one on each GPU."""
    weight, bias = weights.take(2)
    halves = zip(x.chunk(2, 1), weight.chunk(2), bias.chunk(2), strict=True)
    return F.relu(torch.cat([F.conv2d(*half, padding=padding) for half in halves], 1))


def two_gpus(weights: Weights, x: Tensor) -> list[Tensor]:
    x = F.max_pool2d(response_norm(weights.unit(x, 4, 2)), 3, 2)
    x = F.max_pool2d(response_norm(towers(weights, x, 2)), 3, 2)
    x = towers(weights, weights.unit(x, padding=1), 1)
    return dense(weights, F.max_pool2d(towers(weights, x, 1), 3, 2))


@pytest.mark.parametrize(("size", "grid"), [(224, 6), (80, 1)])
def test_it_is_torchvisions_network(size: int, grid: int) -> None:
    head = {"dropout": 0.0, "grid": grid}
    model = build(ONE, width=1 / 16, head=head, image={"size": size, "classes": 5})
    assert_same_network(model, torchvision, images(2, 3, size, torch.float64), norm=False)


def test_it_is_the_papers_network() -> None:
    # Inputs of a size at which the response norm is far from a constant factor.
    model = build(PAPER, **TINY, image={"classes": 5})
    assert_same_network(model, two_gpus, 50 * images(2, 3, 224, torch.float64), norm=False)


def code_001(weights: Weights, x: Tensor) -> list[Tensor]:
    """Four convolutions, the first without padding."""
    x = F.max_pool2d(weights.unit(x, 4), 3, 2)
    x = F.max_pool2d(weights.unit(x, padding=2), 3, 2)
    x = weights.unit(x, padding=1)
    return dense(weights, F.max_pool2d(weights.unit(x, padding=1), 3, 2))


def test_it_is_the_code_of_source_001() -> None:
    model = build(CODE_001, **TINY, image={"classes": 5})
    assert_same_network(model, code_001, images(2, 3, 224, torch.float64), norm=False)
    # Of its summary, which ends there, the layers' parameters and maps.
    stages = list(meta(CODE_001).stages)
    assert [count_parameters(stage) for stage in stages] == [34_944, 614_656, 885_120, 884_992]
    dense_ones = (256 * 25 + 1) * 4096 + 4097 * 4096 + 4097 * 1000
    assert 34_944 + 614_656 + 885_120 + 884_992 + dense_ones == 49_516_520
    assert stages[0].conv(torch.zeros(1, 3, 224, 224, device="meta")).shape == (1, 96, 54, 54)
    assert sizes(meta(CODE_001), 3, 224) == [(96, 26, 26), (256, 12, 12), (384, 12, 12), (256, 5, 5)]


def test_a_network_for_one_size_takes_larger_ones() -> None:
    model = build(ONE, **TINY).double().eval()
    x = images(1, 3, 301, torch.float64)
    weights = Weights(list(model.state_dict().values()), training=False, norm=False)
    torch.testing.assert_close(model(x), torchvision(weights, x)[0])


@pytest.mark.parametrize(("arch", "inputs"), [(ONE, True), (PAPER, False)])
def test_dropout_stands_before_the_dense_layers_in_torchvision_and_behind_them_in_the_paper(
    arch: str, inputs: bool
) -> None:
    model = build(arch, width=1 / 16)
    x = images(2, 3, 224)
    torch.manual_seed(3)
    got = model.train()(x)
    torch.manual_seed(3)
    y = F.adaptive_avg_pool2d(model.stages(x), 6).flatten(1)
    for layer in (module for module in model.head.hidden if isinstance(module, nn.Linear)):
        y = F.relu(layer(F.dropout(y, 0.5))) if inputs else F.dropout(F.relu(layer(y)), 0.5)
    torch.testing.assert_close(got, model.head.linear(y))


def test_response_norm_is_the_papers_equation() -> None:
    prepare()

    def norm(**options: Any) -> Any:
        return registry.build("norm", {"name": "lrn", **options}, None, 7)

    x = 100 * images(2, 7, 3, torch.float64)
    torch.testing.assert_close(norm()(x), response_norm(x))
    torch.testing.assert_close(norm(n=1, k=1.0, alpha=0.5, beta=2.0)(x), x / (1 + 0.5 * x.square()) ** 2)
    for options in ({"n": 0}, {"k": 0.0}):
        with pytest.raises(InputError, match="n of at least 1 and k above 0"):
            norm(**options)


@pytest.mark.parametrize(
    ("changes", "removed", "added"),
    [
        ({"norm": {"name": "none"}}, "LocalResponseNorm", "Identity"),
        ({"act": {"name": "tanh"}}, "ReLU", "Tanh"),
        ({"act": {"name": "sigmoid"}}, "ReLU", "Sigmoid"),
        ({"backbone": {"pool": "avg"}}, "MaxPool2d", "AvgPool2d"),
    ],
)
def test_a_part_is_left_out_or_replaced_without_touching_the_weights(
    changes: dict[str, Any], removed: str, added: str
) -> None:
    def kinds(model: nn.Module) -> list[str]:
        return [type(module).__name__ for module in model.modules()]

    whole, changed = build(PAPER, **TINY), build(PAPER, **TINY, **changes)
    assert removed in kinds(whole)
    assert removed not in kinds(changed)
    assert kinds(changed).count(added) == kinds(whole).count(removed) + kinds(whole).count(added)
    state = changed.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in whole.state_dict().items())
    x = 50 * images(2, 3, 224)
    assert not torch.allclose(whole.eval()(x), changed.eval()(x))


def test_norms_stand_where_they_are_asked_for() -> None:
    def stages(**backbone: Any) -> list[list[str]]:
        model = meta(ONE, norm={"name": "batch"}, backbone=backbone)
        return [[name for name, _ in stage.named_children()] for stage in model.stages]

    everywhere = stages()
    assert everywhere[0] == ["conv", "norm", "act", "pool"]
    assert all("norm" in stage for stage in everywhere)
    two = stages(norm_at=[2, 4], norm_place="after_act")
    assert [place for place, stage in enumerate(two, start=1) if "norm" in stage] == [2, 4]
    assert two[1] == ["conv", "act", "norm", "pool"]
    assert not any("norm" in stage for stage in stages(norm_at=[]))
    assert meta(ONE, norm={"name": "batch"}, backbone={"bias": False}).stages.conv1.conv.bias is None


@pytest.mark.parametrize("size", [224, 32, 28, 9, 8])
def test_overlapping_and_separate_windows_give_maps_of_the_same_size(size: int) -> None:
    models = [meta(PAPER, image={"size": size}, backbone={"overlap": overlap}) for overlap in (True, False)]
    assert sizes(models[0], 3, size) == sizes(models[1], 3, size)
    assert count_parameters(models[0]) == count_parameters(models[1])
    assert [model.stages.conv1.pool.kernel_size for model in models] == [3, 2]


def test_the_papers_net_for_one_gpu_can_be_built() -> None:
    # Section 3.2, footnote: half the kernels, but the same number in the last convolution.
    half = meta(PAPER, backbone={"groups": 1, "channels": [48, 128, 192, 192, 256]})
    kernels = [stage.conv.weight.numel() for stage in half.stages]
    assert kernels == [48 * 3 * 121, 128 * 48 * 25, 192 * 128 * 9, 192 * 192 * 9, 256 * 192 * 9]
    assert half.head.hidden.fc1.in_features == 9216


@pytest.mark.parametrize(("size", "maps"), [(1, 1), (5, 1), (8, 1), (9, 1), (16, 2), (28, 3), (32, 4), (63, 7)])
@pytest.mark.parametrize("pool", ["max", "avg"])
def test_small_images_keep_the_convolutions(size: int, maps: int, pool: str) -> None:
    shape: dict[str, Any] = {"width": 0.05, "backbone": {"pool": pool}}
    image = {"channels": 1, "size": size, "classes": 4}
    assert sizes(meta(PAPER, **shape, image=image), 1, size)[-1][1:] == (maps, maps)
    model, full = (build(PAPER, **shape, image=image | {"size": side}) for side in (size, 224))
    state = model.stages.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in full.stages.state_dict().items())
    train_once(model, images(4, 1, size))


def test_images_may_be_oblong() -> None:
    source = type("Oblong", (), {"channels": 3, "size": (8, 20), "classes": 4})
    model = ablate.build_model(ablate.compose([f"arch={PAPER}", "width=0.05"]), source)
    assert model(torch.randn(2, 3, 8, 20)).shape == (2, 4)


@pytest.mark.parametrize(("arch", "size"), [(ONE, 224), (PAPER, 8)])
@pytest.mark.slow
def test_it_compiles_as_one_graph(arch: str, size: int) -> None:
    model = build(arch, **TINY, image={"size": size})
    x = images(2, 3, size)
    torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": {"groups": 3}}, "3 groups do not divide 256 channels"),
        ({"backbone": {"groups": 0}}, "groups must be at least 1, not 0"),
        ({"backbone": {"channels": [1, 2, 3]}}, "5 or 4 numbers from 1 on, not \\[1, 2, 3\\]"),
        ({"backbone": {"channels": [96, 256, 384, 0, 256]}}, "5 or 4 numbers from 1 on"),
        ({"backbone": {"norm_at": [0, 6]}}, "numbers the convolutions from 1 to 5, not 0, 6"),
        ({"backbone": {"norm_place": "before"}}, "'before'"),
        ({"backbone": {"padding": 6}}, "from 0 to 5 pixels, not 6"),
        ({"backbone": {"full_size": 0}, "image": {"size": 62}}, "at least 63x63 pixels, not 62x62"),
        ({"backbone": {"full_size": 0, "padding": 0}, "image": {"size": 66}}, "at least 67x67 pixels, not 66x66"),
        ({"backbone": {"full_size": 0, "overlap": False}, "image": {"size": 34}}, "at least 35x35 pixels, not 34x34"),
        ({"image": {"classes": 1}}, "two classes, not 3 and 1"),
        ({"head": {"dropout": 1.0}}, "share from 0 to below 1, not 1"),
        ({"head": {"grid": 0}}, "at least 1, not 0"),
        ({"head": {"hidden": [4096, 0]}}, "at least 1, not 0"),
        ({"aux": {"name": "linear", "at": ["conv6"]}}, "'conv6'; did you mean"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        meta(PAPER, **changes)


@pytest.mark.parametrize(("size", "options"), [(63, {}), (67, {"padding": 0}), (35, {"overlap": False})])
def test_the_least_sizes_are_the_least(size: int, options: dict[str, Any]) -> None:
    model = meta(PAPER, backbone={"full_size": 0, **options}, image={"size": size})
    assert sizes(model, 3, size)[-1][1:] == (1, 1)


def test_auxiliary_classifiers_stand_behind_any_stage() -> None:
    model = build(ONE, **TINY, image={"size": 8}, aux={"name": "linear", "at": ["conv1", "conv3"]})
    logits, auxiliary = model(images(2, 3, 8))
    assert [tuple(y.shape) for y in (logits, *auxiliary)] == [(2, 1000)] * 3


def test_every_option_can_be_typed() -> None:
    typed = ["backbone.groups=1", "backbone.channels=[8,8,8,8,8]", "backbone.pool=avg", "backbone.overlap=false"]
    typed += ["backbone.norm_at=null", "backbone.norm_place=before_act", "backbone.bias=false", "backbone.padding=0"]
    typed += ["backbone.full_size=300", "head.hidden=[16]", "head.grid=2", "head.dropout=0.1", "head.dropout_at=inputs"]
    typed += ["norm.n=3", "norm.k=1", "norm.alpha=1e-3", "norm.beta=0.5"]
    cfg = ablate.compose([f"arch={PAPER}", *typed])
    with torch.device("meta"):
        model = ablate.build_model(cfg)
    convolutions = 8 * 3 * 121 + 8 * 8 * 25 + 3 * 8 * 8 * 9
    assert count_parameters(model) == convolutions + (8 * 2 * 2 + 1) * 16 + 17 * 1000

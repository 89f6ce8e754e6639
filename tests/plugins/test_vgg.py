"""VGG: exact sizes, the same function as its references, where the parameters are, larger kernels, and small images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ablate
from ablate import InputError
from ablate.network.build import count_flops, count_parameters
from tests.plugins.functional import Weights, assert_same_network
from tests.plugins.presets import build, images, meta, sizes, train_once

COUNTS = {
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "vgg11_lrn": 132_863_336,  # the norm has no parameters
}
# The paper's Table 1, column by column: channels of the convolutions, "M" for max pooling.
COLUMNS: dict[int, list[int | str]] = {
    11: [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    13: [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    16: [64, 64, "M", 128, 128, "M", *[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"],
    19: [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"],
}
TINY: dict[str, Any] = {"width": 1 / 16, "head": {"dropout": 0.0}}


def on_maps_of(side: int) -> dict[str, Any]:
    """A tiny network whose head takes maps of this side, at most 7, as they are."""
    return {**TINY, "head": {"dropout": 0.0, "grid": side}}


@pytest.mark.parametrize(("arch", "count"), COUNTS.items(), ids=COUNTS)
@pytest.mark.slow
def test_parameters(arch: str, count: int) -> None:
    assert count_parameters(meta(arch)) == count


@pytest.mark.parametrize(("depth", "millions"), [(11, 133), (13, 133), (16, 138), (19, 144)])
def test_parameters_are_those_of_table_2(depth: int, millions: int) -> None:
    assert round(COUNTS[f"vgg{depth}"] / 1e6) == millions


def test_stages_have_the_papers_sizes() -> None:
    expected = [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]
    assert sizes(meta("vgg16"), 3, 224) == expected
    assert count_flops(meta("vgg16"), (1, 3, 224, 224)) / 1e9 == pytest.approx(15.47, abs=0.01)


def network(weights: Weights, x: Tensor, depth: int, kind: str) -> list[Tensor]:
    for number, entry in enumerate(COLUMNS[depth]):
        if entry == "M":
            x = F.max_pool2d(x, 2)
            continue
        x = F.conv2d(x, *weights.take(2), padding=1)
        x = weights.norm_relu(x) if kind == "bn" else F.relu(x)
        if kind == "lrn" and number == 0:
            x = F.local_response_norm(x, 5, alpha=5e-4, beta=0.75, k=2.0)
    x = F.adaptive_avg_pool2d(x, min(7, x.shape[-1])).flatten(1)
    return [weights.linear(F.relu(weights.linear(F.relu(weights.linear(x)))))]


@pytest.mark.parametrize("kind", ["", "bn"])
@pytest.mark.parametrize(("depth", "size"), [(11, 224), (13, 96), (16, 96), (19, 64)])
def test_it_is_torchvisions_network(depth: int, size: int, kind: str) -> None:
    def reference(weights: Weights, x: Tensor) -> list[Tensor]:
        return network(weights, x, depth, kind)

    arch = f"vgg{depth}_{kind}".rstrip("_")
    model = build(arch, **on_maps_of(size // 32), image={"size": size, "classes": 5})
    assert_same_network(model, reference, images(4, 3, size, torch.float64), norm=kind == "bn", eps=1e-5)


def test_net_a_lrn_has_a_norm_behind_its_first_layer() -> None:
    def reference(weights: Weights, x: Tensor) -> list[Tensor]:
        return network(weights, x, 11, "lrn")

    model = build("vgg11_lrn", **on_maps_of(3), image={"size": 96, "classes": 5})
    assert_same_network(model, reference, 50 * images(2, 3, 96, torch.float64), norm=False)
    plain = build("vgg11", **on_maps_of(3), image={"size": 96, "classes": 5})
    x = 50 * images(2, 3, 96)
    assert not torch.allclose(build("vgg11_lrn", **on_maps_of(3), image={"size": 96, "classes": 5})(x), plain(x))


def test_dropout_stands_behind_the_hidden_dense_layers() -> None:
    model = build("vgg11", width=1 / 16, image={"size": 64}, head={"grid": 2})
    x = images(2, 3, 64)
    torch.manual_seed(3)
    got = model.train()(x)
    torch.manual_seed(3)
    y = model.stages(x).flatten(1)
    y = F.dropout(F.relu(model.head.hidden.fc1(y)), 0.5)
    y = F.dropout(F.relu(model.head.hidden.fc2(y)), 0.5)
    torch.testing.assert_close(got, model.head.linear(y))


def test_most_parameters_are_in_the_dense_layers() -> None:
    model = meta("vgg16")
    dense = [count_parameters(m) for m in model.modules() if isinstance(m, nn.Linear)]
    assert dense == [102_764_544, 16_781_312, 4_097_000]
    # Note 001 prints 123,645,952: its last layer has 4096 biases, where 1000 classes have 1000.
    assert sum(dense) == 123_645_952 - 3096 == 123_642_856
    assert sum(dense) / count_parameters(model) == pytest.approx(0.894, abs=5e-4)


def test_global_average_pooling_removes_them() -> None:
    pooled = meta("vgg16", head={"name": "gap"})
    assert count_parameters(pooled.stages) == 138_357_544 - 123_642_856
    assert count_parameters(pooled) == 14_714_688 + 513 * 1000


def kernels(model: Any) -> list[list[int]]:
    return [[m.kernel_size[0] for m in stage.modules() if isinstance(m, nn.Conv2d)] for stage in model.stages]


@pytest.mark.parametrize(
    ("depth", "kernel", "expected"),
    [
        (13, 3, [[3, 3]] * 5),
        (13, 5, [[5]] * 5),
        (11, 5, [[3], [3], [5], [5], [5]]),
        (16, 5, [[5], [5], [5, 3], [5, 3], [5, 3]]),
        (16, 7, [[3, 3], [3, 3], [7], [7], [7]]),
        (19, 7, [[3, 3], [3, 3], [7, 3], [7, 3], [7, 3]]),
    ],
)
def test_a_larger_kernel_replaces_as_many_small_ones_as_see_the_same(
    depth: int, kernel: int, expected: list[list[int]]
) -> None:
    small, large = (meta("vgg11", depth=depth, backbone={"kernel": size}) for size in (3, kernel))
    assert kernels(large) == expected
    assert sizes(large, 3, 224) == sizes(small, 3, 224)
    seen = [[sum(size - 1 for size in stage) for stage in kernels(model)] for model in (small, large)]
    assert seen[0] == seen[1]


def test_two_3x3_have_18_25ths_of_the_weights_of_a_5x5_and_see_as_much() -> None:
    fields, weights = [], []
    for kernel in (3, 5):
        stage = build("vgg13", width=1 / 16, image={"size": 64}, backbone={"kernel": kernel}).stages.stage5
        convolutions = [module for module in stage if isinstance(module, nn.Conv2d)]
        weights.append(sum(conv.weight.numel() for conv in convolutions))
        x = torch.ones(1, 32, 17, 17, requires_grad=True)
        nn.Sequential(*convolutions)(x)[0, 0, 8, 8].backward()
        fields.append(x.grad[0, 0].nonzero().aminmax(dim=0))
    assert weights[0] * 25 == weights[1] * 18
    for least, most in fields:
        assert (least.tolist(), most.tolist()) == ([6, 6], [10, 10])


def test_net_c_has_1x1_convolutions_in_the_places_that_net_d_adds_to_b() -> None:
    """Table 1 and Table 2, which gives it 134 million parameters."""
    net_b, net_c, net_d = meta("vgg13"), meta("vgg16", backbone={"pointwise": True}), meta("vgg16")
    assert kernels(net_c) == [[3, 3], [3, 3], [3, 3, 1], [3, 3, 1], [3, 3, 1]]
    assert count_parameters(net_c) - count_parameters(net_b) == sum(c * c + c for c in (256, 512, 512))
    assert count_parameters(net_d) - count_parameters(net_c) == 8 * sum(c * c for c in (256, 512, 512))
    assert round(count_parameters(net_c) / 1e6) == 134
    assert sizes(net_c, 3, 224) == sizes(net_d, 3, 224)
    assert kernels(meta("vgg19", backbone={"pointwise": True}))[4] == [3, 3, 1, 1]


def test_a_linear_convolution_and_the_next_are_one_of_what_both_see() -> None:
    """Without the activation between them, two 3x3 act as one 5x5; with it they do not."""
    for linear_at, same in (([9], True), ([], False)):
        model = build("vgg13", **TINY, image={"size": 64}, backbone={"linear_at": linear_at}).double()
        stage = model.stages.stage5
        first, second = stage.conv1, stage.conv2
        one = F.conv2d(first.weight.transpose(0, 1), second.weight.flip(2, 3), padding=2).transpose(0, 1)
        x = images(1, 32, 9, torch.float64)
        torch.nn.init.zeros_(first.bias)
        whole = F.relu(F.conv2d(x, one, second.bias))  # its inner pixels, on which no padding acts
        assert torch.allclose(stage[:-1](x)[:, :, 2:-2, 2:-2], whole) == same
        assert [type(stage.act1), type(stage.act2)] == [nn.Identity if same else nn.ReLU, nn.ReLU]


@pytest.mark.parametrize(
    ("size", "maps"),
    [
        (1, [1, 1, 1, 1, 1]),
        (3, [3, 3, 3, 3, 1]),
        (8, [8, 8, 4, 2, 1]),
        (28, [28, 14, 7, 3, 1]),
        (32, [16, 8, 4, 2, 1]),
        (48, [24, 12, 6, 3, 1]),
    ],
)
def test_small_images_lose_the_first_poolings_and_keep_the_convolutions(size: int, maps: list[int]) -> None:
    image = {"channels": 1, "size": size, "classes": 4}
    found = sizes(meta("vgg16", width=1 / 16, image=image), 1, size)
    assert [height for _, height, width in found] == [width for _, height, width in found] == maps
    model, full = (build("vgg16", width=1 / 16, image=image | {"size": side}) for side in (size, 64))
    state = model.stages.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in full.stages.state_dict().items())
    assert model.head.hidden.fc1.in_features == 32 * maps[-1] ** 2
    train_once(model, images(4, 1, size))


@pytest.mark.parametrize("arch", ["vgg11_bn", "vgg11_lrn"])
def test_small_images_train_with_norms(arch: str) -> None:
    image = {"channels": 1, "size": 8, "classes": 4}
    train_once(build(arch, width=1 / 16, image=image), images(4, 1, 8))
    train_once(build(arch, width=1 / 16, image=image, head={"name": "gap"}), images(4, 1, 8))


def test_norms_stand_where_they_are_asked_for() -> None:
    everywhere = meta("vgg13_bn").stages
    assert [name for name, _ in everywhere.stage2.named_children()] == [
        *("conv1", "norm1", "act1", "conv2", "norm2", "act2", "pool")
    ]
    chosen = meta("vgg13_bn", backbone={"norm_at": [3, 10], "norm_place": "after_act"}).stages
    normed = [name for name, module in chosen.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert normed == ["stage2.norm1", "stage5.norm2"]
    assert [name for name, _ in chosen.stage2.named_children()][:3] == ["conv1", "act1", "norm1"]
    assert meta("vgg11_bn", backbone={"bias": False}).stages.stage1.conv1.bias is None


@pytest.mark.parametrize("arch", ["vgg11", "vgg11_bn", "vgg11_lrn"])
def test_it_compiles_as_one_graph(arch: str) -> None:
    torch._dynamo.reset()  # what other tests have compiled counts towards a limit
    model = build(arch, **TINY, image={"size": 32}).eval()
    x = images(2, 3, 32)
    torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 12}, "depth 12 does not exist: backbone vgg has 11, 13, 16, 19 layers; nearest: 11 and 13"),
        ({"depth": 34}, "nearest: 16 and 19"),
        ({"depth": None}, "depth None does not exist"),
        ({"backbone": {"kernel": 4}}, "odd and at least 3, not 4"),
        ({"backbone": {"kernel": 1}}, "odd and at least 3, not 1"),
        ({"backbone": {"norm_at": [1, 9]}}, "norm_at numbers the convolutions from 1 to 8, not 9"),
        ({"backbone": {"linear_at": [0]}}, "linear_at numbers the convolutions from 1 to 8, not 0"),
        ({"backbone": {"pointwise": True}}, "stages of three convolutions or more: depth=16 or depth=19"),
        ({"depth": 16, "backbone": {"pointwise": True, "kernel": 5}}, "pointwise=true and backbone.kernel=5 exclude"),
        ({"backbone": {"full_size": 8}, "image": {"size": 31}}, "at least 32x32 pixels, not 31x31"),
        ({"image": {"classes": 1}}, "two classes"),
        ({"aux": {"name": "linear", "at": ["stage6"]}}, "'stage6'; did you mean"),
        ({"norm": {"name": "group", "groups": 3}}, "3 groups do not divide 64 channels"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        meta("vgg11", **changes)


def test_every_option_can_be_typed() -> None:
    typed = ["depth=13", "backbone.kernel=5", "backbone.norm_at=[2]", "backbone.norm_place=after_act", "norm=batch"]
    typed += ["backbone.bias=false", "backbone.full_size=300", "backbone.pointwise=false", "backbone.linear_at=[1]"]
    cfg = ablate.compose(["arch=vgg11", *typed, "head=gap"])
    with torch.device("meta"):
        model = ablate.build_model(cfg)
    weights = 25 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 512)
    assert count_parameters(model) == weights + 2 * 128 + 513 * 1000

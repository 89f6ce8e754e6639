"""GoogLeNet: exact sizes, the same function as its references, the parts of its module, and small images."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import InputError
from ablate.network.build import count_flops, count_parameters
from tests.plugins.functional import Weights, assert_same_network, build, images, meta

PAPER, TORCHVISION, CODE_001 = "arch=googlenet", "arch=googlenet_bn", "arch=googlenet_001"
NO_DROPOUT = ["head.dropout=0", "aux.dropout=0"]
SMALL = ["width=0.07", "image.channels=1", "image.size=8", "image.classes=10"]


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        ([PAPER], 13_378_280),
        ([PAPER, "aux=none"], 6_998_552),
        ([CODE_001], 13_354_200),
        ([TORCHVISION], 13_004_888),
        ([TORCHVISION, "aux=none"], 6_624_904),
    ],
)
def test_parameters(overrides: list[str], count: int) -> None:
    assert count_parameters(meta(*overrides)) == count


def test_sizes_and_multiply_adds_are_those_of_table_1() -> None:
    # Channels, pixels, and millions of multiply-adds. For 5a the table has 54 million, which its filters do not make.
    table = {
        "inception3a": (256, 28, 128),
        "inception3b": (480, 28, 304),
        "pool3": (480, 14, 0),
        "inception4a": (512, 14, 73),
        "inception4b": (512, 14, 88),
        "inception4c": (512, 14, 100),
        "inception4d": (528, 14, 119),
        "inception4e": (832, 14, 170),
        "pool4": (832, 7, 0),
        "inception5a": (832, 7, 51),
        "inception5b": (1024, 7, 71),
    }
    # The table's 2.7 thousand parameters of the first layer are those of a separable convolution.
    model = meta(PAPER, "aux=none", "stem.multiplier=8")
    assert count_flops(model.stem, (1, 3, 224, 224)) == pytest.approx(34e6 + 360e6, rel=0.002)
    found, shape = {}, (1, 192, 28, 28)
    for name, stage in model.stages.named_children():
        flops = count_flops(stage, shape)
        shape = tuple(stage(torch.zeros(shape, device="meta")).shape)
        found[name] = (shape[1], shape[2], pytest.approx(flops / 1e6, abs=0.7))
    assert found == table


def module(weights: Weights, x: Tensor, kernel: int) -> Tensor:
    ones = weights.unit(x)
    threes = weights.unit(weights.unit(x), padding=1)
    fives = weights.unit(weights.unit(x), padding=kernel // 2)
    pooled = weights.unit(F.max_pool2d(x, 3, 1, 1))
    return torch.cat([ones, threes, fives, pooled], 1)


def auxiliary(weights: Weights, x: Tensor) -> Tensor:
    return weights.linear(F.relu(weights.linear(weights.unit(x).flatten(1))))


def paper(weights: Weights, x: Tensor) -> list[Tensor]:
    """Table 1 and Figure 3; the auxiliary classifiers are constructed behind the last module."""

    def normalised(x: Tensor) -> Tensor:
        return F.local_response_norm(x, 5, 1e-4, 0.75, 1.0)

    x = normalised(F.max_pool2d(weights.unit(x, 2, 3), 3, 2, ceil_mode=True))
    x = normalised(weights.unit(weights.unit(x), padding=1))
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    x = module(weights, module(weights, x, 5), 5)
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    fours = list(itertools.accumulate([x, *[5] * 5], lambda x, kernel: module(weights, x, kernel)))
    x = F.max_pool2d(fours[5], 3, 2, ceil_mode=True)
    x = module(weights, module(weights, x, 5), 5)
    aux = [auxiliary(weights, F.avg_pool2d(fours[number], 5, 3)) for number in (1, 4)]
    return _ending(weights, x, aux)


def torchvision(weights: Weights, x: Tensor) -> list[Tensor]:
    """With 3x3 convolutions for the 5x5, and 2x2 windows in the last pooling."""
    x = F.max_pool2d(weights.unit(x, 2, 3), 3, 2, ceil_mode=True)
    x = F.max_pool2d(weights.unit(weights.unit(x), padding=1), 3, 2, ceil_mode=True)
    x = module(weights, module(weights, x, 3), 3)
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    fours = list(itertools.accumulate([x, *[3] * 5], lambda x, kernel: module(weights, x, kernel)))
    x = module(weights, module(weights, F.max_pool2d(fours[5], 2, 2, ceil_mode=True), 3), 3)
    aux = [auxiliary(weights, F.adaptive_avg_pool2d(fours[number], 4)) for number in (1, 4)]
    return _ending(weights, x, aux)


def code_001(weights: Weights, x: Tensor) -> list[Tensor]:
    """As its code reads, but that TensorFlow pads the first convolution by 2 pixels before and 3 behind."""

    def inception(x: Tensor) -> Tensor:
        ones = weights.unit(x)
        threes = weights.unit(weights.unit(x), padding=1)
        fives = weights.unit(weights.unit(x), padding=2)
        return torch.cat([ones, threes, fives, F.max_pool2d(weights.unit(x), 3, 1, 1)], 1)

    def halved(x: Tensor) -> Tensor:
        return F.max_pool2d(F.pad(x, [1, 1, 1, 1]), 3, 2)

    x = halved(weights.unit(x, 2, 3))
    x = halved(weights.unit(weights.unit(x), padding=1))
    x = halved(inception(inception(x)))
    fours = list(itertools.accumulate([x, *[None] * 5], lambda x, _: inception(x)))
    x = inception(inception(halved(fours[5])))
    return _ending(weights, x, [auxiliary(weights, F.avg_pool2d(fours[number], 5, 3)) for number in (1, 4)])


def _ending(weights: Weights, x: Tensor, aux: list[Tensor]) -> list[Tensor]:
    main = weights.classifier(x)
    return [main, *aux] if weights.training else [main]


def test_it_is_the_papers_network() -> None:
    model = build(PAPER, "width=0.07", "image.classes=5", *NO_DROPOUT)
    assert_same_network(model, paper, images(2, 3, 224), norm=False)


def test_it_is_the_code_of_source_001() -> None:
    model = build(CODE_001, "width=0.07", "image.classes=5", *NO_DROPOUT)
    assert_same_network(model, code_001, images(2, 3, 224), norm=False)


def test_what_16_filters_fewer_in_4d_save() -> None:
    """In 4d, in what reads it in 4e, and in the head behind it."""
    in_4d, in_4e, in_head = 16 * (25 * 32 + 1), 16 * (256 + 160 + 32 + 128), 16 * 128
    assert in_4d + in_4e + in_head == 24_080 == 13_378_280 - 13_354_200
    assert count_parameters(meta(PAPER, "backbone.large_in_4d=48")) == 13_354_200


@pytest.mark.parametrize("named", [[], ["aux=googlenet"]], ids=["preset", "aux_named"])
@pytest.mark.parametrize("size", [224, 75])
def test_it_is_torchvisions_network(size: int, named: list[str]) -> None:
    model = build(TORCHVISION, *named, "width=0.07", f"image.size={size}", "image.classes=5", *NO_DROPOUT)
    assert_same_network(model, torchvision, images(2, 3, size))


@pytest.mark.slow
def test_reductions_and_projection_are_what_makes_it_affordable() -> None:
    whole, *naive = (
        count_parameters(meta(PAPER, "aux=none", *without))
        for without in (
            [],
            ["backbone.reductions=false"],
            ["backbone.projection=false"],
            ["backbone.reductions=false", "backbone.projection=false"],  # Figure 2(a)
        )
    )
    assert [count / whole for count in naive] == pytest.approx([3.6, 2.3, 13.9], abs=0.05)


def test_without_reductions_a_filter_spans_all_channels() -> None:
    stages = meta(PAPER, "backbone.reductions=false").stages
    assert [tuple(w.shape) for w in stages.inception3a.parameters() if w.ndim == 4] == [
        (64, 192, 1, 1),
        (128, 192, 3, 3),
        (32, 192, 5, 5),
        (32, 192, 1, 1),
    ]


@pytest.mark.parametrize(("large", "weights"), [("5x5", 25 * 16 * 32), ("3x3", 9 * 16 * 32)])
def test_the_large_filters_of_a_module(large: str, weights: int) -> None:
    branch = meta(PAPER, f"backbone.large={large}").stages.inception3a.conv5x5
    assert sum(w.numel() for w in branch.parameters()) == 192 * 16 + 16 + weights + 32


def test_two_3x3_see_what_a_5x5_sees() -> None:
    def seen(large: str) -> int:
        branch = build(PAPER, "width=0.07", f"backbone.large={large}").stages.inception3a.conv5x5.double()
        x = torch.rand(1, 13, 11, 11, dtype=torch.float64, requires_grad=True)
        nn.Sequential(*(layer.conv for layer in branch))(x)[:, :, 5, 5].sum().backward()
        assert x.grad is not None
        return int((x.grad[0].abs().sum(0) > 0).sum())

    assert (seen("5x5"), seen("two_3x3"), seen("3x3")) == (25, 25, 9)


def test_the_first_of_its_two_3x3_can_be_linear() -> None:
    branch = meta(PAPER, "backbone.large=two_3x3", "backbone.linear_factors=true").stages.inception3a.conv5x5
    assert [type(layer.act) for layer in branch] == [nn.ReLU, nn.Identity, nn.ReLU]
    with pytest.raises(InputError, match=r"linear_factors=true needs backbone\.large=two_3x3, not 5x5"):
        meta(PAPER, "backbone.linear_factors=true")


@pytest.mark.parametrize("branches", ["[1x1]", "[3x3]", "[5x5]", "[pool]", "[pool,1x1]", "[1x1,3x3,5x5,pool]"])
def test_any_of_its_branches_train(branches: str) -> None:
    model = build(PAPER, *SMALL, f"backbone.branches={branches}")
    assert len(model.stages.inception5b) == branches.count(",") + 1
    logits, _ = model(torch.randn(2, 1, 8, 8))
    logits.sum().backward()
    assert all(p.grad is not None for p in model.stages.parameters())


def test_a_branch_starts_the_same_whatever_stands_beside_it() -> None:
    alone, all_four = (build(PAPER, *SMALL, f"backbone.branches={names}") for names in ("[3x3]", "null"))
    name = "stages.inception3a.conv3x3.1.conv.weight"
    assert torch.equal(alone.state_dict()[name], all_four.state_dict()[name])


@pytest.mark.parametrize("size", [4, 8, 32, 63, 64])
@pytest.mark.parametrize("arch", [PAPER, TORCHVISION])
@pytest.mark.slow
def test_images_of_many_sizes_train(arch: str, size: int) -> None:
    model = build(arch, *SMALL, f"image.size={size}")
    x = torch.randn(4, 1, size, size, generator=torch.Generator().manual_seed(0))
    logits, auxiliary = model(x)
    assert len(auxiliary) == 2
    torch.stack([F.cross_entropy(y, torch.tensor([0, 1, 2, 3])) for y in (logits, *auxiliary)]).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.eval()(x[:1]).shape == (1, 10)


def test_auxiliary_classifiers_stand_where_they_are_told() -> None:
    model = build(PAPER, *SMALL, "aux.at=[inception3b]")
    _, auxiliary = model(torch.randn(2, 1, 8, 8))
    assert [tuple(y.shape) for y in auxiliary] == [(2, 10)]
    with pytest.raises(InputError, match=r"'inception4f'.*did you mean 'inception4"):
        build(PAPER, *SMALL, "aux.at=[inception4f]")


def test_the_stem_can_be_another() -> None:
    model = build(PAPER, *SMALL, "stem=cifar")
    assert model.stem(torch.zeros(1, 1, 8, 8)).shape == (1, 13, 8, 8)
    assert model(torch.zeros(2, 1, 8, 8))[0].shape == (2, 10)


@pytest.mark.slow
def test_it_compiles_as_one_graph() -> None:
    model = build(PAPER, *SMALL).eval()
    x = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="eager")(x), model(x))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["backbone.branches=[3x3,7x7]"], r"branch in backbone.branches.*'7x7'"),
        (["backbone.branches=[]"], r"one branch or more, each once, not \[\]"),
        (["backbone.branches=[3x3,3x3]"], r"one branch or more, each once"),
        (["backbone.large=7x7"], r"value of backbone.large.*'7x7'"),
        (["backbone.projection_first=true", "backbone.projection=false"], r"needs backbone\.projection=true"),
        (["backbone.padded_pools=true", "backbone.last_pool=2"], r"needs backbone\.last_pool=3"),
        (["backbone.last_pool=4"], r"last_pool must be 2 or 3, not 4"),
        (["image.size=3"], r"backbone googlenet needs images of at least 4x4 pixels, not 3x3"),
        (["stem.full_size=0"], r"stem googlenet with full_size=0 needs images of at least 31x31 pixels, not 8x8"),
    ],
)
def test_what_makes_no_sense_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(PAPER, *SMALL, *overrides)

"""Inception-v4: exact against timm's form, its factorised filters, small images, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ablate import InputError
from ablate.network.build import count_flops, count_parameters
from tests.plugins.functional import Weights, assert_same_network
from tests.plugins.inception_2016 import (
    average_pool,
    build,
    cat,
    conv,
    convs,
    kernels,
    losses,
    max_pool,
    meta,
    reduction_a,
    stage_shapes,
    stem_v4,
)

NARROW = ["arch=inception_v4", "width=0.125", "image.classes=10"]
SHALLOW = [*NARROW, "backbone.blocks=[1,1,1]"]


def block_a(read: Weights, x: Tensor) -> Tensor:
    return cat(conv(read, x), convs(read, x, 2), convs(read, x, 3), conv(read, average_pool(x)))


def block_b(read: Weights, x: Tensor) -> Tensor:
    return cat(conv(read, x), convs(read, x, 3), convs(read, x, 5), conv(read, average_pool(x)))


def reduction_b(read: Weights, x: Tensor) -> Tensor:
    short = conv(read, conv(read, x), 2, valid=True)
    return cat(short, conv(read, convs(read, x, 3), 2, valid=True), max_pool(x))


def block_c(read: Weights, x: Tensor) -> Tensor:
    outputs = [conv(read, x)]
    for before in (1, 3):
        y = convs(read, x, before)
        outputs += [conv(read, y), conv(read, y)]
    return cat(*outputs, conv(read, average_pool(x)))


def timm_inception_v4(read: Weights, x: Tensor) -> list[Tensor]:
    x = stem_v4(read, x)
    for _ in range(4):
        x = block_a(read, x)
    x = reduction_a(read, x)
    for _ in range(7):
        x = block_b(read, x)
    x = reduction_b(read, x)
    for _ in range(3):
        x = block_c(read, x)
    return [read.classifier(x)]


def test_it_has_timms_count() -> None:
    assert count_parameters(meta("arch=inception_v4")) == 42_679_816


def test_it_computes_what_timms_does_from_the_same_weights() -> None:
    images = torch.randn(2, 3, 139, 139, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert_same_network(build(*NARROW, "width=0.0625"), timm_inception_v4, images)


def test_it_has_the_sizes_of_figure_9_and_12_3_billion_multiply_adds() -> None:
    model = meta("arch=inception_v4")
    assert stage_shapes(model, 299) == {
        "stem": (384, 35),
        "inception_a": (384, 35),
        "reduction_a": (1024, 17),
        "inception_b": (1024, 17),
        "reduction_b": (1536, 8),
        "inception_c": (1536, 8),
    }
    assert count_flops(model, (1, 3, 299, 299)) / 1e9 == pytest.approx(12.3, abs=0.05)


@pytest.mark.parametrize(
    ("size", "maps"), [(4, (4, 2, 1)), (8, (8, 4, 2)), (32, (32, 16, 8)), (74, (74, 37, 19)), (75, (7, 3, 1))]
)
def test_the_stem_keeps_the_size_of_small_images(size: int, maps: tuple[int, int, int]) -> None:
    shapes = stage_shapes(meta(*SHALLOW, f"image.size={size}"), size)
    assert (shapes["stem"][1], shapes["inception_b"][1], shapes["inception_c"][1]) == maps


def test_the_form_for_small_images_has_the_same_weights() -> None:
    full, small = build(*SHALLOW), build(*SHALLOW, "image.size=8")
    assert list(full.state_dict()) == list(small.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(full.parameters(), small.parameters(), strict=True))
    assert small.eval()(torch.randn(1, 3, 8, 8)).shape == (1, 10)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["image.size=3"], "inception_v4 with full_size=75 needs images of at least 4x4 pixels, not 3x3"),
        (["backbone.full_size=32", "image.size=32"], "full_size=32 needs images of at least 75x75 pixels, not 32x32"),
        (["backbone.blocks=[4,7]"], "three numbers from 1 on, for A, B and C, not \\[4, 7\\]"),
        (["backbone.blocks=[4,0,3]"], "three numbers from 1 on, for A, B and C, not \\[4, 0, 3\\]"),
        (["aux=linear", "aux.at=[inception_d]"], "inception_d.*inception_a"),
    ],
)
def test_what_makes_no_sense_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        meta("arch=inception_v4", *overrides)


def test_blocks_say_how_many_stand_in_a_row() -> None:
    model = meta(*NARROW, "backbone.blocks=[1,2,3]")
    lengths = {name: len(stage) for name, stage in model.stages.named_children()}
    assert lengths == {"inception_a": 1, "reduction_a": 1, "inception_b": 2, "reduction_b": 1, "inception_c": 3}


def weights(outside: int, inside: int, area: int) -> int:
    """Of a convolution with batch normalisation."""
    return outside * (inside * area + 2)


def test_one_convolution_for_each_asymmetric_pair() -> None:
    factorised, whole = meta("arch=inception_v4"), meta("arch=inception_v4", "backbone.asymmetric=false")
    assert {kernel for kernel in kernels(whole) if kernel[0] != kernel[1]} == set()
    assert kernels(whole).count((7, 7)) == 1 + 7 * 3 + 1  # in the stem, in the blocks B, in Reduction-B
    # Figure 5's longest branch is 7x1, 1x7, 7x1, 1x7 with 192, 224, 224 and 256 channels behind a 1x1 of 192.
    chain = weights(192, 192, 7) + weights(224, 192, 7) + weights(224, 224, 7) + weights(256, 224, 7)
    square = weights(224, 192, 49) + weights(256, 224, 49)
    before, after = (count_parameters(model.stages.inception_b[0].conv13x13) for model in (factorised, whole))
    assert after - before == square - chain
    # Figure 6: 1x3 and 3x1 side by side, of 256 channels each, are a 3x3 of 512.
    before, after = (count_parameters(model.stages.inception_c[0].conv3x3) for model in (factorised, whole))
    assert after - before == weights(512, 384, 9) - 2 * weights(256, 384, 3)


def test_one_5x5_for_two_3x3_in_a_row() -> None:
    stacked, single = meta("arch=inception_v4"), meta("arch=inception_v4", "backbone.stacked=false")
    assert (kernels(stacked).count((5, 5)), kernels(single).count((5, 5))) == (0, 4 + 1)
    before, after = (count_parameters(model.stages.inception_a[0].conv5x5) for model in (stacked, single))
    assert after - before == weights(96, 64, 25) - weights(96, 64, 9) - weights(96, 96, 9)
    assert kernels(single.stem) == kernels(stacked.stem), "the stem's 3x3 in a row stand for no 5x5"


@pytest.mark.parametrize("size", [8, 75, 299])
@pytest.mark.slow
def test_factorisation_changes_no_shape(size: int) -> None:
    base = [*SHALLOW, f"image.size={size}"]
    expected = stage_shapes(meta(*base), size)
    for option in ("asymmetric", "stacked"):
        assert stage_shapes(meta(*base, f"backbone.{option}=false"), size) == expected, option


@pytest.mark.parametrize(("asymmetric", "stacked"), [(True, True), (False, True), (True, False), (False, False)])
@pytest.mark.slow
def test_a_branch_sees_what_its_name_says_however_it_is_factorised(asymmetric: bool, stacked: bool) -> None:
    options = [f"backbone.asymmetric={asymmetric}", f"backbone.stacked={stacked}"]
    stages = build(*SHALLOW, "norm=none", "act=tanh", *options).stages
    assert seen_by(stages.inception_a[0].conv5x5) == (5, 5)
    assert seen_by(stages.inception_b[0].conv7x7) == (7, 7)
    assert seen_by(stages.inception_b[0].conv13x13) == (13, 13)
    assert seen_by(stages.inception_c[0].conv3x3) == (3, 3)


def seen_by(branch: nn.Module) -> tuple[int, int]:
    """Height and width of what one output pixel depends on, by where its gradient is not zero."""
    first = next(module for module in branch.modules() if isinstance(module, nn.Conv2d))
    x = torch.randn(1, first.in_channels, 21, 21, generator=torch.Generator().manual_seed(0)).requires_grad_()
    branch(x)[0, :, 10, 10].sum().backward()
    assert x.grad is not None
    rows, columns = x.grad[0].abs().sum(0).nonzero().T
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def test_norm_and_activation_reach_inside() -> None:
    model = meta(*SHALLOW, "norm=none", "act=tanh", "image.size=8")
    kinds = {type(module) for module in model.modules()}
    assert nn.Tanh in kinds
    assert not kinds & {nn.BatchNorm2d, nn.ReLU}
    assert all(module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d))


def test_the_auxiliary_classifier_of_the_published_code_stands_behind_the_blocks_b() -> None:
    model = build(*SHALLOW, "aux=inception_v3", "image.size=32")
    images = torch.randn(2, 3, 32, 32)
    logits, (auxiliary,) = model(images)
    assert logits.shape == auxiliary.shape == (2, 10)
    assert list(model.aux_heads) == ["inception_b"]
    assert model.eval()(images).shape == (2, 10)


def test_it_learns_a_handful_of_small_images() -> None:
    found = losses(build(*SHALLOW, "image.size=8", "image.channels=1"), steps=15)
    assert found[-1] < 0.5 * found[0]

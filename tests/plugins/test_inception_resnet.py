"""Inception-ResNet v1 and v2: exact sizes, the published computation, residual connections, and small images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

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

V1, V2 = "arch=inception_resnet_v1", "arch=inception_resnet_v2"
FIGURES = [V2, "backbone.form=v2_figures"]
NARROW = ["width=0.0625", "image.classes=10", "head.dropout=0"]
SMALL = [V1, "width=0.125", "image={channels: 1, size: 8, classes: 10}", "backbone.blocks=[1,1,1]"]

Path = list[tuple[int, int]]
"""Output channels and kernel area of convolutions in a row."""
POOL: Path = []


def convolutions(inside: int, path: Path) -> int:
    """Parameters of a path, each convolution with batch normalisation and without bias."""
    total = 0
    for outside, area in path:
        total += outside * (inside * area + 2)
        inside = outside
    return total


def branches(inside: int, *paths: Path) -> int:
    return sum(convolutions(inside, path) for path in paths)


def residual(inside: int, *paths: Path) -> int:
    """Branches, and the 1x1 convolution with bias that brings them back to the channels of the input."""
    return branches(inside, *paths) + sum(path[-1][0] for path in paths) * inside + inside


def test_v1_has_the_count_of_the_papers_figures() -> None:
    """Convolutions with batch normalisation everywhere but in the linear ones, which have a bias (section 3.2)."""
    stem = convolutions(3, [(32, 9), (32, 9), (64, 9), (80, 1), (192, 9), (256, 9)])  # Figure 14
    a = residual(256, [(32, 1)], [(32, 1), (32, 9)], [(32, 1), (32, 9), (32, 9)])  # Figure 10
    reduce_a = branches(256, [(384, 9)], [(192, 1), (192, 9), (256, 9)])  # Figure 7, Table 1: to 896 channels
    b = residual(896, [(128, 1)], [(128, 1), (128, 7), (128, 7)])  # Figure 11
    reduce_b = branches(896, [(256, 1), (384, 9)], [(256, 1), (256, 9)], [(256, 1), (256, 9), (256, 9)])  # Figure 12
    c = residual(1792, [(192, 1)], [(192, 1), (192, 3), (192, 3)])  # Figure 13
    total = stem + 5 * a + reduce_a + 10 * b + reduce_b + 5 * c + 1792 * 1000 + 1000  # Figure 15
    assert count_parameters(meta(V1)) == total == 22_756_328


def v2_body(inside: int, blocks: tuple[int, int, int]) -> int:
    """Figures 7 and 16 to 19, behind a stem of so many channels."""
    a = residual(inside, [(32, 1)], [(32, 1), (32, 9)], [(32, 1), (48, 9), (64, 9)])
    reduce_a = branches(inside, [(384, 9)], [(256, 1), (256, 9), (384, 9)])
    middle = inside + 384 + 384
    b = residual(middle, [(192, 1)], [(128, 1), (160, 7), (192, 7)])
    reduce_b = branches(middle, [(256, 1), (384, 9)], [(256, 1), (288, 9)], [(256, 1), (288, 9), (320, 9)])
    c = residual(middle + 384 + 288 + 320, [(192, 1)], [(192, 1), (224, 3), (256, 3)])
    return blocks[0] * a + reduce_a + blocks[1] * b + reduce_b + blocks[2] * c


def test_v2_has_timms_count() -> None:
    trunk = convolutions(3, [(32, 9), (32, 9), (64, 9), (80, 1), (192, 9)])
    first = branches(192, [(96, 1)], [(48, 1), (64, 25)], [(64, 1), (96, 9), (96, 9)], [(64, 1)])
    total = trunk + first + v2_body(320, (10, 20, 10)) + convolutions(2080, [(1536, 1)]) + 1537 * 1000
    assert count_parameters(meta(V2)) == total == 55_843_464


def test_v2_of_the_figures_has_the_count_of_the_figures() -> None:
    """Figures 17 and 19 say 1154 and 2048 channels, which the branches before them do not make: 1152 and 2144."""
    stem = convolutions(3, [(32, 9), (32, 9), (64, 9), (96, 9)])  # Figure 3
    stem += branches(160, [(64, 1), (96, 9)], [(64, 1), (64, 7), (64, 7), (96, 9)]) + convolutions(192, [(192, 9)])
    total = stem + v2_body(384, (5, 10, 5)) + 2144 * 1000 + 1000
    assert count_parameters(meta(*FIGURES)) == total == 32_433_928


def residual_block(read: Weights, x: Tensor, lengths: list[int], scale: float, ends: bool = False) -> Tensor:
    y = F.conv2d(cat(*(convs(read, x, length) for length in lengths)), *read.take(2))
    return x + y if ends else F.relu(x + scale * y)


def reduction_b(read: Weights, x: Tensor) -> Tensor:
    short = [conv(read, conv(read, x), 2, valid=True) for _ in range(2)]
    return cat(*short, conv(read, convs(read, x, 2), 2, valid=True), max_pool(x))


def trunk(read: Weights, x: Tensor) -> Tensor:
    x = conv(read, conv(read, conv(read, x, 2, valid=True), valid=True))
    return conv(read, conv(read, max_pool(x)), valid=True)


def stem_v1(read: Weights, x: Tensor) -> Tensor:
    return conv(read, trunk(read, x), 2, valid=True)


def stem_v2(read: Weights, x: Tensor) -> Tensor:
    x = max_pool(trunk(read, x))
    return cat(conv(read, x), convs(read, x, 2), convs(read, x, 3), conv(read, average_pool(x)))


def reference(
    read: Weights, x: Tensor, stem: Callable[[Weights, Tensor], Tensor], blocks: tuple[int, int, int], released: bool
) -> list[Tensor]:
    """As facenet (v1) and timm (v2) construct it."""
    x = stem(read, x)
    for _ in range(blocks[0]):
        x = residual_block(read, x, [1, 2, 3], 0.17)
    x = reduction_a(read, x)
    for _ in range(blocks[1]):
        x = residual_block(read, x, [1, 3], 0.10)
    x = reduction_b(read, x)
    for left in reversed(range(blocks[2])):
        x = residual_block(read, x, [1, 3], 0.20, ends=released and left == 0)
    return [read.classifier(conv(read, x) if released else x)]


@pytest.mark.parametrize(
    ("overrides", "stem", "blocks", "released"),
    [([V1], stem_v1, (5, 10, 5), False), ([V2], stem_v2, (10, 20, 10), True), (FIGURES, stem_v4, (5, 10, 5), False)],
    ids=["v1", "v2", "v2_figures"],
)
def test_it_computes_what_the_published_code_does_from_the_same_weights(
    overrides: list[str], stem: Callable[[Weights, Tensor], Tensor], blocks: tuple[int, int, int], released: bool
) -> None:
    images = torch.randn(2, 3, 139, 139, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    theirs = partial(reference, stem=stem, blocks=blocks, released=released)
    assert_same_network(build(*overrides, *NARROW), theirs, images)


@pytest.mark.parametrize(
    ("overrides", "channels", "giga"),
    [([V1], (256, 896, 1792), 6.21), ([V2], (320, 1088, 2080), 13.16), (FIGURES, (384, 1152, 2144), 9.26)],
)
def test_maps_are_35_17_and_8_pixels_wide(overrides: list[str], channels: tuple[int, int, int], giga: float) -> None:
    model = meta(*overrides)
    a, b, c = channels
    assert stage_shapes(model, 299) == {
        "stem": (a, 35),
        "inception_a": (a, 35),
        "reduction_a": (b, 17),
        "inception_b": (b, 17),
        "reduction_b": (c, 8),
        "inception_c": (c, 8),
    }
    assert count_flops(model, (1, 3, 299, 299)) / 1e9 == pytest.approx(giga, abs=0.005)


def test_without_shortcuts_the_same_layers_stand_in_a_row() -> None:
    residual, plain = build(*SMALL), build(*SMALL, "shortcut=none")
    ours, theirs = residual.state_dict(), plain.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert list(ours) == list(theirs)
    block, bare = residual.stages.inception_b[0].eval(), plain.stages.inception_b[0].eval()
    x = torch.randn(2, 112, 4, 4)
    y = block.conv(block.branches(x))
    torch.testing.assert_close(block(x), F.relu(x + 0.10 * y))
    torch.testing.assert_close(bare(x), F.relu(y))


def test_the_scale_is_that_of_the_residuals() -> None:
    x = torch.randn(2, 1, 8, 8)
    for form in ("v1", "v2_figures"):
        model = build(*SMALL, f"backbone.form={form}", "backbone.residual_scale=[0,0,0]").eval()
        behind_stem = model.stem(x)
        assert torch.equal(model.stages.inception_a(behind_stem), behind_stem), "relu(x + 0 F(x)) is x"
    model = build(*SMALL, "backbone.residual_scale=[1,0.5,0.25]")
    stages = (model.stages.inception_a, model.stages.inception_b, model.stages.inception_c)
    assert [stage[0].scale for stage in stages] == [1, 0.5, 0.25]


@pytest.mark.parametrize("shortcut", ["identity", "none", "scaled", "shortcut_gate", "dropout", "projection_all"])
def test_other_shortcuts_fit(shortcut: str) -> None:
    model = build(*SMALL, f"shortcut={shortcut}")
    model(torch.randn(2, 1, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_factorisation_is_a_choice() -> None:
    base = [V1, *NARROW, "backbone.blocks=[1,1,1]"]
    factorised, whole, single = (
        meta(*base, *option) for option in ([], ["backbone.asymmetric=false"], ["backbone.stacked=false"])
    )
    count = len(kernels(factorised))
    assert [kernels(factorised).count(kernel) for kernel in ((1, 7), (7, 1), (1, 3), (3, 1))] == [1, 1, 1, 1]
    assert ([kernel for kernel in kernels(whole) if kernel[0] != kernel[1]], len(kernels(whole))) == ([], count - 2)
    assert (kernels(whole).count((7, 7)), kernels(factorised).count((5, 5))) == (1, 0)
    assert (kernels(single).count((5, 5)), len(kernels(single))) == (3, count - 3)  # in A and in both reductions
    assert stage_shapes(whole, 299) == stage_shapes(single, 299) == stage_shapes(factorised, 299)


@pytest.mark.parametrize("overrides", [[V1], [V2], FIGURES], ids=["v1", "v2", "v2_figures"])
@pytest.mark.parametrize(("size", "maps"), [(4, (4, 2, 1)), (8, (8, 4, 2)), (32, (32, 16, 8)), (75, (7, 3, 1))])
def test_the_stem_keeps_the_size_of_small_images(overrides: list[str], size: int, maps: tuple[int, int, int]) -> None:
    shapes = stage_shapes(meta(*overrides, *NARROW, "backbone.blocks=[1,1,1]", f"image.size={size}"), size)
    assert (shapes["stem"][1], shapes["inception_b"][1], shapes["inception_c"][1]) == maps


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["image.size=3"], "inception_resnet with full_size=75 needs images of at least 4x4 pixels, not 3x3"),
        (["backbone.full_size=32", "image.size=64"], "needs images of at least 75x75 pixels, not 64x64"),
        (["backbone.blocks=[1,1,-1]"], "three numbers from 1 on, for A, B and C, not \\[1, 1, -1\\]"),
        (["backbone.residual_scale=[0.1]"], "three numbers, for A, B and C, not \\[0.1\\]"),
        (["backbone.residual_scale=[0.1,0.1,nan]"], "backbone.residual_scale=nan: must be a finite number"),
        (["backbone.form=v3"], "v3.*v1"),
    ],
)
def test_what_makes_no_sense_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        meta(V1, *overrides)


def test_the_last_block_of_the_published_v2_is_open() -> None:
    model = meta(V2, "backbone.blocks=[1,1,2]")
    last_but_one, last = model.stages.inception_c
    assert (last_but_one.scale, type(last_but_one.act)) == (0.2, nn.ReLU)
    assert (last.scale, type(last.act)) == (1.0, nn.Identity)


@pytest.mark.parametrize("shortcut", ["identity", "none"])
def test_it_learns_a_handful_of_small_images(shortcut: str) -> None:
    found = losses(build(*SMALL, f"shortcut={shortcut}", "head.dropout=0"), steps=30)
    assert found[-1] < 0.5 * found[0]

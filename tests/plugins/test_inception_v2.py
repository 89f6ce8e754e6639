"""Inception v2: counted from the paper's table, the same function as that table describes, and small images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import InputError
from ablate.network.build import count_flops, count_parameters
from tests.plugins.functional import Weights, assert_same_network, build, images, meta

V2 = "arch=inception_v2"
DIGITS = ["image.channels=1", "image.size=8", "image.classes=10"]
# Ioffe and Szegedy 2015, Figure 5: 1x1, 3x3 reduce, 3x3, double 3x3 reduce, double 3x3, behind the pooling.
FIGURE_5 = {
    "3a": (64, 64, 64, 64, 96, 32),
    "3b": (64, 64, 96, 64, 96, 64),
    "3c": (0, 128, 160, 64, 96, 0),
    "4a": (224, 64, 96, 96, 128, 128),
    "4b": (192, 96, 128, 96, 128, 128),
    "4c": (160, 128, 160, 128, 160, 128),
    "4d": (96, 128, 192, 160, 192, 128),
    "4e": (0, 128, 192, 192, 256, 0),
    "5a": (352, 192, 320, 160, 224, 128),
    "5b": (352, 192, 320, 192, 224, 128),
}


def unit(inside: int, outside: int, kernel: int) -> int:
    """Weights of a convolution without bias, and the factor and the offset of each channel's norm."""
    return inside * outside * kernel**2 + 2 * outside


def counted(table: dict[str, tuple[int, ...]]) -> int:
    # The appendix: the first layer is a separable convolution, of 8 channels for each of the image.
    total = 3 * 8 * 7**2 + unit(3 * 8, 64, 1) + unit(64, 64, 1) + unit(64, 192, 3)
    inside = 192
    for ones, reduce3, threes, reduce5, fives, project in table.values():
        total += unit(inside, reduce3, 1) + unit(reduce3, threes, 3)
        total += unit(inside, reduce5, 1) + unit(reduce5, fives, 3) + unit(fives, fives, 3)
        total += unit(inside, ones, 1) + unit(inside, project, 1)
        inside = ones + threes + fives + (project or inside)
    return total + inside * 1000 + 1000


def test_parameters_are_counted_from_the_papers_table() -> None:
    assert count_parameters(meta(V2)) == counted(FIGURE_5) == 11_278_528
    # The table gives 4c and 4d 576 output channels: 96, not 128, behind the pooling.
    agreeing = FIGURE_5 | {name: (*FIGURE_5[name][:5], 96) for name in ("4c", "4d")}
    assert count_parameters(meta(V2, "backbone.figure=sizes")) == counted(agreeing) == 11_188_288


def test_parameters_of_published_forms() -> None:
    ordinary = meta(V2, "stem.multiplier=0")
    assert count_parameters(ordinary) == 11_285_224
    # Ports of a Caffe model that keep a bias in every convolution have 11,295,240.
    biases = sum(layer.out_channels for layer in ordinary.modules() if isinstance(layer, nn.Conv2d))
    assert count_parameters(ordinary) + biases == 11_295_240


def test_stages_have_the_sizes_of_the_table() -> None:
    def sizes(model: nn.Module) -> list[tuple[int, int]]:
        x, found = model.stem(torch.zeros(1, 3, 224, 224, device="meta")), []
        for stage in model.stages:
            x = stage(x)
            found.append((x.shape[1], x.shape[2]))
        return found

    stated = [256, 320, 576, 576, 576, 576, 576, 1024, 1024, 1024]
    pixels = [28, 28, 14, 14, 14, 14, 14, 7, 7, 7]
    assert sizes(meta(V2, "backbone.figure=sizes")) == list(zip(stated, pixels, strict=True))
    made = [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]
    assert sizes(meta(V2)) == list(zip(made, pixels, strict=True))


def figure_5(weights: Weights, x: Tensor) -> list[Tensor]:
    x = F.conv2d(x, *weights.take(1), stride=2, padding=3, groups=3)
    x = F.max_pool2d(weights.unit(x), 3, 2, ceil_mode=True)
    x = F.max_pool2d(weights.unit(weights.unit(x), padding=1), 3, 2, ceil_mode=True)
    for name in FIGURE_5:
        x = module(weights, x, name)
    return [weights.classifier(x)]


def module(weights: Weights, x: Tensor, name: str) -> Tensor:
    if name in {"3c", "4e"}:
        threes = weights.unit(weights.unit(x), 2, 1)
        double = weights.unit(weights.unit(weights.unit(x), padding=1), 2, 1)
        return torch.cat([threes, double, windowed(x)], 1)
    ones = weights.unit(x)
    threes = weights.unit(weights.unit(x), padding=1)
    double = weights.unit(weights.unit(weights.unit(x), padding=1), padding=1)
    pooled = F.max_pool2d(x, 3, 1, 1) if name == "5b" else F.avg_pool2d(x, 3, 1, 1)
    return torch.cat([ones, threes, double, weights.unit(pooled)], 1)


def windowed(x: Tensor) -> Tensor:
    """The largest of pixels 2i to 2i + 2, as far as there are so many, down and across."""
    for axis in (2, 3):
        windows = [part[..., :3] if axis == 3 else part[:, :, :3] for part in _from_every_second(x, axis)]
        x = torch.stack([window.amax(axis) for window in windows], axis)
    return x


def _from_every_second(x: Tensor, axis: int) -> list[Tensor]:
    return [x.narrow(axis, start, x.shape[axis] - start) for start in range(0, x.shape[axis], 2)]


@pytest.mark.parametrize(("height", "width"), [(28, 28), (14, 14), (7, 7), (15, 8), (2, 2), (1, 1), (1, 3)])
def test_what_passes_through_is_pooled_from_the_first_pixel_on(height: int, width: int) -> None:
    """Of even maps as Caffe rounds up; of odd ones as many pixels as the convolutions beside it leave."""
    pool = build(V2, "width=0.05", *DIGITS).stages.inception3c["pool"]
    x = torch.randn(2, 3, height, width) - 5
    assert torch.equal(pool(x), windowed(x))
    assert pool(x).shape == F.conv2d(x, torch.zeros(3, 3, 3, 3), stride=2, padding=1).shape
    if height % 2 == width % 2 == 0:
        assert torch.equal(pool(x), F.max_pool2d(x, 3, 2, ceil_mode=True))


def test_it_is_the_network_of_the_table() -> None:
    model = build(V2, "width=0.1", "image.size=96", "image.classes=5")
    assert_same_network(model, figure_5, images(3, 3, 96), eps=1e-5)


def test_the_first_of_two_3x3_can_be_linear() -> None:
    modules = meta(V2, "backbone.linear_factors=true").stages
    assert [type(layer.act) for layer in modules.inception3c.conv5x5] == [nn.ReLU, nn.Identity, nn.ReLU]
    with pytest.raises(InputError, match=r"linear_factors=true needs backbone\.stacked=true"):
        meta(V2, "backbone.linear_factors=true", "backbone.stacked=false")


def test_a_5x5_costs_more_than_the_two_3x3_that_see_as_much() -> None:
    stacked, large = (meta(V2, f"backbone.stacked={value}") for value in ("true", "false"))
    # Of a branch that goes from a to b channels: 9ab + 9bb weights with a norm more, against 25ab.
    saved = sum(25 * a * b - 9 * a * b - 9 * b * b - 2 * b for _, _, _, a, b, _ in FIGURE_5.values())
    assert count_parameters(large) - count_parameters(stacked) == saved
    assert count_flops(large, (1, 3, 224, 224)) > count_flops(stacked, (1, 3, 224, 224))


@pytest.mark.parametrize("size", [8, 9, 32, 63, 64])
def test_images_of_any_size_train(size: int) -> None:
    model = build(V2, "width=0.05", "image.channels=1", f"image.size={size}", "image.classes=10")
    x = torch.randn(4, 1, size, size)
    nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 2, 3])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.eval()(x[:1]).shape == (1, 10)


def test_small_images_are_shrunk_by_the_modules_alone() -> None:
    model = meta(V2, *DIGITS)
    x = model.stages(model.stem(torch.zeros(1, 1, 8, 8, device="meta")))
    assert x.shape[-2:] == (2, 2)


@pytest.mark.parametrize("options", [["norm=none"], ["act=tanh"], ["aux=linear", "aux.at=[inception4a]"]])
def test_other_parts_reach_inside(options: list[str]) -> None:
    model = build(V2, "width=0.1", *DIGITS, *options)
    output = model(torch.randn(4, 1, 8, 8))
    assert isinstance(output, tuple) == (options[0] == "aux=linear")


@pytest.mark.slow
def test_it_compiles_as_one_graph() -> None:
    model = build(V2, "width=0.05", *DIGITS).eval()
    x = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="eager")(x), model(x))


def test_images_too_small_for_the_full_stem_are_refused() -> None:
    with pytest.raises(InputError, match=r"stem googlenet with full_size=0 needs .* 31x31 pixels, not 30x30"):
        build(V2, "stem.full_size=0", "image.size=30")


def test_a_negative_multiplier_is_refused() -> None:
    with pytest.raises(InputError, match=r"stem.multiplier must be at least 0, not -1"):
        build(V2, "stem.multiplier=-1")

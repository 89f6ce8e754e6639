"""Inception v3: exact sizes, the same function as the released form, its factorised filters, and small images."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import InputError
from ablate.network.build import count_flops, count_parameters
from tests.plugins.functional import Weights, assert_same_network, build, images, meta

V3 = "arch=inception_v3"
SMALL = ["width=0.05", "image.channels=1", "image.classes=10"]


@pytest.mark.parametrize(("aux", "count"), [("inception_v3", 27_161_264), ("none", 23_834_568)])
def test_parameters(aux: str, count: int) -> None:
    assert count_parameters(meta(V3, f"aux={aux}")) == count


def test_source_001_has_norms_without_their_factors() -> None:
    """One parameter a channel of each convolution fewer than the released form, whose other sizes it has."""
    source, form = meta("arch=inception_v3_001"), meta(V3, "aux=none")
    channels = sum(layer.out_channels for layer in form.modules() if isinstance(layer, nn.Conv2d))
    assert count_parameters(source) == 23_834_568 - channels == 23_817_352
    assert sizes_of(source) == sizes_of(form)


def test_source_001_averages_pixels_alone() -> None:
    stages = build("arch=inception_v3_001", *SMALL, "image.size=16").stages
    pools = [layer for layer in stages.modules() if isinstance(layer, nn.AvgPool2d)]
    assert len(pools) == 9
    ones = torch.ones(1, 1, 4, 4)
    assert all(torch.equal(pool(ones), ones) for pool in pools)


def test_stages_have_the_sizes_of_the_paper() -> None:
    model = meta(V3, "aux=none")
    x = model.stem(torch.zeros(1, 3, 299, 299, device="meta"))
    assert x.shape[1:] == (192, 35, 35)
    sizes = []
    for stage in model.stages:
        x = stage(x)
        sizes.append((x.shape[1], x.shape[2]))
    assert sizes == [(256, 35), (288, 35), (288, 35), *[(768, 17)] * 5, (1280, 8), (2048, 8), (2048, 8)]


def released(weights: Weights, x: Tensor) -> list[Tensor]:
    return network(weights, x, stem, 0)


def small(weights: Weights, x: Tensor) -> list[Tensor]:
    """The form for small images: a stem that keeps their size, and padding in what halves it."""
    return network(weights, x, small_stem, 1)


def network(weights: Weights, x: Tensor, stem: Callable[[Weights, Tensor], Tensor], padding: int) -> list[Tensor]:
    x = stem(weights, x)
    for _ in range(3):
        x = module_35(weights, x)
    x = to_17(weights, x, padding)
    for _ in range(4):
        x = module_17(weights, x)
    # Its classifier is constructed, and so listed, right behind the stage.
    auxiliary = classifier_17(weights, x)
    x = to_8(weights, x, padding)
    for _ in range(2):
        x = module_8(weights, x)
    main = weights.classifier(x)
    return [main, auxiliary] if weights.training else [main]


def stem(weights: Weights, x: Tensor) -> Tensor:
    x = weights.unit(weights.unit(weights.unit(x, 2)), padding=1)
    x = weights.unit(weights.unit(F.max_pool2d(x, 3, 2)))
    return F.max_pool2d(x, 3, 2)


def small_stem(weights: Weights, x: Tensor) -> Tensor:
    for padding in (1, 1, 1, 0, 1):
        x = weights.unit(x, padding=padding)
    return x


def module_35(weights: Weights, x: Tensor) -> Tensor:
    ones = weights.unit(x)
    fives = weights.unit(weights.unit(x), padding=2)
    double = weights.unit(weights.unit(weights.unit(x), padding=1), padding=1)
    return torch.cat([ones, fives, double, weights.unit(F.avg_pool2d(x, 3, 1, 1))], 1)


def to_17(weights: Weights, x: Tensor, padding: int) -> Tensor:
    threes = weights.unit(x, 2, padding)
    double = weights.unit(weights.unit(weights.unit(x), padding=1), 2, padding)
    return torch.cat([threes, double, F.max_pool2d(x, 3, 2, padding)], 1)


def module_17(weights: Weights, x: Tensor) -> Tensor:
    wide, high = (0, 3), (3, 0)
    ones = weights.unit(x)
    sevens = weights.unit(x)
    for padding in (wide, high):
        sevens = weights.unit(sevens, padding=padding)
    double = weights.unit(x)
    for padding in (high, wide, high, wide):
        double = weights.unit(double, padding=padding)
    return torch.cat([ones, sevens, double, weights.unit(F.avg_pool2d(x, 3, 1, 1))], 1)


def to_8(weights: Weights, x: Tensor, padding: int) -> Tensor:
    threes = weights.unit(weights.unit(x), 2, padding)
    sevens = weights.unit(weights.unit(weights.unit(x), padding=(0, 3)), padding=(3, 0))
    sevens = weights.unit(sevens, 2, padding)
    return torch.cat([threes, sevens, F.max_pool2d(x, 3, 2, padding)], 1)


def module_8(weights: Weights, x: Tensor) -> Tensor:
    def split(y: Tensor) -> list[Tensor]:
        return [weights.unit(y, padding=(0, 1)), weights.unit(y, padding=(1, 0))]

    ones = weights.unit(x)
    threes = split(weights.unit(x))
    double = split(weights.unit(weights.unit(x), padding=1))
    return torch.cat([ones, *threes, *double, weights.unit(F.avg_pool2d(x, 3, 1, 1))], 1)


def classifier_17(weights: Weights, x: Tensor) -> Tensor:
    x = F.avg_pool2d(x, 5, 3) if min(x.shape[-2:]) >= 17 else F.adaptive_avg_pool2d(x, 5)
    return weights.classifier(weights.unit(weights.unit(x)))


def test_it_is_the_released_network() -> None:
    model = build(V3, "width=0.05", "image.classes=5", "head.dropout=0")
    assert_same_network(model, released, images(2, 3, 299))


def test_its_form_for_small_images() -> None:
    model = build(V3, *SMALL, "image.size=16", "head.dropout=0")
    assert_same_network(model, small, images(3, 1, 16))


def test_small_images_keep_the_weights() -> None:
    shapes = [
        {name: tuple(tensor.shape) for name, tensor in meta(V3, f"image.size={size}").state_dict().items()}
        for size in (8, 299)
    ]
    assert shapes[0] == shapes[1]


def test_multiply_adds_are_the_papers() -> None:
    # Section 1 says 5 billion, and the figure of torchvision is 5.71.
    assert count_flops(meta(V3), (1, 3, 299, 299)) == pytest.approx(5.71e9, rel=0.002)


def test_two_one_sided_filters_are_cheaper_than_a_square_one() -> None:
    pairs, squares = (meta(V3, "aux=none", f"backbone.asymmetric={value}") for value in ("true", "false"))
    # A branch of mixed6b: 1x7 and 7x1 against one 7x7, from 128 to 192 channels; norms have 2 parameters a channel.
    reduce = 768 * 128 + 2 * 128
    factorised, whole = (count_parameters(model.stages.mixed6b.conv7x7) - reduce for model in (pairs, squares))
    assert factorised == 7 * 128 * 128 + 2 * 128 + 7 * 128 * 192 + 2 * 192
    assert whole == 49 * 128 * 192 + 2 * 192
    assert count_flops(pairs, (1, 3, 299, 299)) < count_flops(squares, (1, 3, 299, 299))
    kernels = {layer.kernel_size for layer in squares.modules() if isinstance(layer, nn.Conv2d)}
    assert kernels == {(1, 1), (3, 3), (5, 5), (7, 7)}


@pytest.mark.parametrize(("stacked", "fives"), [("null", 3), ("true", 0), ("false", 7)])
def test_5x5_filters_can_all_be_stacked_or_none(stacked: str, fives: int) -> None:
    model = meta(V3, "aux=none", f"backbone.stacked={stacked}")
    found = [layer for layer in model.stages.modules() if getattr(layer, "kernel_size", None) == (5, 5)]
    assert len(found) == fives
    assert model(torch.zeros(1, 3, 299, 299, device="meta")).shape == (1, 1000)


SERIES, PARALLEL = "backbone.pairs=series", "backbone.pairs=parallel"


def kernels(module: nn.Module) -> list[tuple[int, int]]:
    return [layer.kernel_size for layer in module.modules() if isinstance(layer, nn.Conv2d)]


@pytest.mark.parametrize(("pairs", "weights"), [(SERIES, 128 * 128 + 128 * 192), (PARALLEL, 128 * 192)])
def test_factors_stand_in_a_row_or_side_by_side(pairs: str, weights: int) -> None:
    """A branch of mixed6b, 1x7 and 7x1 from 128 to 192 channels; side by side each has half of the 192."""
    drawn, changed = meta(V3, "aux=none"), meta(V3, "aux=none", pairs)
    assert sizes_of(changed) == sizes_of(drawn)
    branch = changed.stages.mixed6b.conv7x7
    assert count_parameters(branch[1:]) == 7 * weights + (2 * 128 if pairs == SERIES else 0) + 2 * 192
    x = torch.rand(1, 768, 9, 9, device="meta")
    assert branch(x).shape == (1, 192, 9, 9)
    # The last modules of the released form have theirs side by side.
    assert (len(changed.stages.mixed7b.conv3x3) == 3) == (pairs == SERIES)


@pytest.mark.parametrize(("pairs", "corners"), [(SERIES, 1), (PARALLEL, 0)])
def test_only_factors_in_a_row_see_the_corners_of_the_square(pairs: str, corners: int) -> None:
    branch = build(V3, *SMALL, "image.size=8", "act=sigmoid", pairs).stages.mixed6b.conv7x7[1:].eval()
    x = torch.rand(1, 6, 9, 9, requires_grad=True)
    branch(x)[:, :, 4, 4].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(0) > 0
    assert int(seen[1, 1]) == corners
    assert not seen[0].any()


def sizes_of(model: nn.Module) -> list[tuple[int, ...]]:
    x, found = model.stem(torch.zeros(1, 3, 299, 299, device="meta")), []
    for stage in model.stages:
        x = stage(x)
        found.append(tuple(x.shape))
    return found


def test_the_first_of_two_factors_can_be_linear() -> None:
    """Section 3.1; the second one keeps its activation, as does what no larger filter would do for."""
    model = meta(V3, "aux=none", "backbone.linear_factors=true")
    assert count_parameters(model) == 23_834_568

    def linear(path: nn.Module) -> list[bool]:
        return [isinstance(layer.act, nn.Identity) for layer in path if hasattr(layer, "act")]

    assert linear(model.stages.mixed5b.double3x3) == [False, True, False]
    assert linear(model.stages.mixed6b.conv13x13) == [False, True, False, True, False]
    assert linear(model.stages.mixed6a.conv5x5) == [False, True, False]
    assert not any(linear(model.stem))
    assert not any(linear(model.stages.mixed7b.conv3x3))


@pytest.mark.parametrize("option", ["backbone.pairs=series", "backbone.pairs=parallel", "backbone.linear_factors=true"])
def test_its_forms_of_factors_train_on_small_images(option: str) -> None:
    model = build(V3, *SMALL, "image.size=8", "aux=none", option)
    model(images(2, 1, 8).float()).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_pairs_need_factors() -> None:
    with pytest.raises(InputError, match=r"backbone\.pairs=series needs backbone\.asymmetric=true"):
        build(V3, "backbone.pairs=series", "backbone.asymmetric=false")


@pytest.mark.parametrize("size", [8, 32, 75])
def test_images_of_many_sizes_train(size: int) -> None:
    model = build(V3, *SMALL, f"image.size={size}")
    x = images(4, 1, size).float()
    logits, (auxiliary,) = model(x)
    labels = torch.tensor([0, 1, 2, 3])
    (F.cross_entropy(logits, labels) + F.cross_entropy(auxiliary, labels)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.eval()(x[:1]).shape == (1, 10)


def test_other_norms_reach_inside() -> None:
    model = build(V3, *SMALL, "image.size=8", "norm=none")
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert all(layer.bias is not None for layer in convolutions)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())


@pytest.mark.slow
def test_it_compiles_as_one_graph() -> None:
    model = build(V3, *SMALL, "image.size=8", "aux=none").eval()
    x = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(torch.compile(model, fullgraph=True, backend="eager")(x), model(x))


def test_images_too_small_for_the_full_form_are_refused() -> None:
    with pytest.raises(InputError, match=r"inception_v3 with full_size=0 needs images of at least 75x75 .* not 74x74"):
        build(V3, "backbone.full_size=0", "image.size=74")


def test_an_unknown_tap_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"Mixed_6e.*mixed6e"):
        build(V3, *SMALL, "aux.at=[Mixed_6e]")

"""The residual family: exact sizes, layouts, what is shared between arms, and what is refused."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

import ablate
from ablate import InputError, registry
from ablate.config.compose import prepare
from ablate.config.files import config_names
from ablate.network.build import build_model, count_flops, count_parameters
from ablate.testing import images, network_config

# Trainable parameters at 1000 classes (CIFAR: 10): the references are torchvision, timm, Keras, and the papers.
COUNTS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnet50_v2": 25_549_352,
    "resnet101_v2": 44_541_480,
    "resnet152_v2": 60_185_128,
    "resnet50_v2_keras": 25_568_360,
    "resnet101_v2_keras": 44_577_896,
    "resnet152_v2_keras": 60_236_904,
    "resnet50_keras": 25_583_592,
    "resnet101_keras": 44_601_832,
    "resnet152_keras": 60_268_520,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "resnet20_cifar": 269_722,
    "resnet32_cifar": 464_154,
    "resnet44_cifar": 658_586,
    "resnet56_cifar": 853_018,
    "resnet110_cifar": 1_727_962,
    "resnet1202_cifar": 19_421_274,
    "resnet164_cifar": 1_704_154,
    "resnet1001_cifar": 10_328_602,
    "preact_resnet164": 1_703_258,
    "preact_resnet1001": 10_327_706,
    # ResNet-18 less 990 classes and two input channels, plus a bias in each of its 20 convolutions, less the norms of
    # its three projections.
    "resnet18_d2l": 11_689_512 - 990 * 513 - 2 * 64 * 49 + 64 + 4 * 960 + 896 - 2 * 896,
    # Computed below, from the sizes that note 000 writes down.
    "resnet50_v2_000": 2_008_712,
    # Computed in test_source_nets.py, too.
    "resnet200": 64_673_832,
    "resnet200_v2": 64_666_152,
    "resnet18_001": 11_694_312,
    "resnet34_001": 21_806_184,
    "mini_v1_002": 347_402,
    "mini_v2_002": 347_434,
}
SHORTCUTS = {  # options A (as many as without shortcuts), B and C
    "resnet18": (11_515_688, 11_689_512, 12_043_816),
    "resnet34": (21_623_848, 21_797_672, 22_716_840),
    "resnet20_cifar": (269_722, 272_474, 283_962),
    "resnet32_cifar": (464_154, 466_906, 489_594),
    "resnet44_cifar": (658_586, 661_338, 695_226),
    "resnet56_cifar": (853_018, 855_770, 900_858),
    "resnet110_cifar": (1_727_962, 1_730_714, 1_826_202),
    "resnet1202_cifar": (19_421_274, 19_424_026, 20_538_714),
}


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def meta(*overrides: str) -> nn.Module:
    with torch.device("meta"):
        return ablate.build_model(ablate.compose(overrides))


def small(**changes: Any) -> nn.Module:
    return build_model(network_config(**changes))


def named(**plugins: str) -> dict[str, Any]:
    return {kind: {"name": name} for kind, name in plugins.items()}


@pytest.mark.parametrize(("arch", "count"), COUNTS.items(), ids=COUNTS)
@pytest.mark.slow
def test_every_named_network_has_its_count(arch: str, count: int) -> None:
    assert count_parameters(meta(f"arch={arch}")) == count


@pytest.mark.parametrize(("arch", "counts"), SHORTCUTS.items(), ids=SHORTCUTS)
@pytest.mark.slow
def test_options_a_b_and_c_have_their_counts(arch: str, counts: tuple[int, int, int]) -> None:
    config = OmegaConf.to_container(ablate.compose([f"arch={arch}"]))
    option_a, option_b, option_c = counts
    expected = {"none": option_a, "identity": option_a, "projection": option_b, "projection_all": option_c}
    with torch.device("meta"):
        models = {name: build_model({**config, "shortcut": {"name": name}}) for name in expected}
    assert {name: count_parameters(model) for name, model in models.items()} == expected


def test_the_net_of_note_000_has_the_count_of_its_sizes() -> None:
    def conv(inside: int, outside: int, kernel: int) -> int:
        return outside * (inside * kernel**2 + 1)

    total, channels = conv(3, 64, 7), 64
    for outside, units in zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True):
        total += conv(channels, outside, 1)  # the projection of the stage's first unit
        inner = outside // 4
        for _ in range(units):
            total += 2 * channels + conv(channels, inner, 1) + 2 * inner + conv(inner, inner, 3)
            total += 2 * inner + conv(inner, outside, 1)
            channels = outside
    assert COUNTS["resnet50_v2_000"] == total + channels * 1000 + 1000


def test_every_preset_says_what_it_is_and_its_source() -> None:
    for arch, count in COUNTS.items():
        package, what, source = config_names("arch")[arch].read_text(encoding="utf-8").splitlines()[:3]
        assert package == "# @package _global_"
        stated = re.search(r"([\d,]+) parameters", what)
        assert stated is None or stated[1] == f"{count:,}", arch
        assert re.search("arXiv|[Ss]ource", source), arch


@pytest.mark.parametrize(
    ("overrides", "giga"),
    [
        (["arch=resnet18"], 1.81),
        (["arch=resnet34", "shortcut=identity"], 3.64),  # He et al. 2015, Table 1: 1.8, 3.6, 3.8
        (["arch=resnet50", "block.stride_at=1x1"], 3.86),
        (["arch=resnet50"], 4.09),
        (["arch=resnext50_32x4d"], 4.23),
        (["arch=resnet20_cifar"], 0.0406),
    ],
)
def test_multiply_adds_are_the_papers(overrides: list[str], giga: float) -> None:
    size = 32 if "cifar" in overrides[0] else 224
    assert count_flops(meta(*overrides), (1, 3, size, size)) / 1e9 == pytest.approx(giga, rel=0.005)


@pytest.mark.parametrize(
    ("layout", "block", "depth", "units"),
    [
        ("cifar", "basic", 8, [1, 1, 1]),
        ("cifar", "basic", 56, [9, 9, 9]),
        ("cifar", "bottleneck", 29, [3, 3, 3]),
        ("cifar", "resnext", 29, [3, 3, 3]),
        ("cifar", "single", 20, [6, 6, 6]),
        ("imagenet", "basic", 34, [3, 4, 6, 3]),
        ("imagenet", "bottleneck", 152, [3, 8, 36, 3]),
        ("imagenet", "bottleneck", 200, [3, 24, 36, 3]),
        ("imagenet", "single", 18, [3, 4, 6, 3]),
    ],
)
def test_depth_is_units_by_stage(layout: str, block: str, depth: int, units: list[int]) -> None:
    with torch.device("meta"):
        model = small(backbone={"name": "resnet", "layout": layout}, depth=depth, width=1, **named(block=block))
    assert [len(stage) for stage in model.stages] == units
    convolutions = [m for name, m in model.named_modules() if isinstance(m, nn.Conv2d) and "shortcut" not in name]
    assert len(convolutions) + 1 == depth


@pytest.mark.parametrize(
    ("layout", "block", "depth", "message"),
    [
        ("cifar", "basic", 21, "depth 21 does not exist.*basic.*6n \\+ 2 layers; nearest: 20 and 26"),
        ("cifar", "basic", 2, "nearest: 8 and 14"),
        ("cifar", "bottleneck", 50, "9n \\+ 2 layers; nearest: 47 and 56"),
        ("cifar", "single", 21, "3n \\+ 2 layers; nearest: 20 and 23"),
        ("imagenet", "bottleneck", 34, "50, 101, 152, 200 layers; nearest: 50 and 101"),
        ("imagenet", "basic", 50, "18, 34 layers; nearest: 18 and 34"),
        ("cifar", "basic", None, "needs a depth"),
    ],
)
def test_other_depths_are_refused_with_the_nearest(layout: str, block: str, depth: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(backbone={"name": "resnet", "layout": layout}, depth=depth, **named(block=block))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm": {"name": "group", "groups": 3}}, "3 groups do not divide 8 channels; norm.groups=2 does"),
        ({"block": {"name": "resnext", "cardinality": 0}, "depth": 11}, "at least 1 path"),
        ({"image": {"channels": 1, "size": 3, "classes": 3}}, "at least 4x4 pixels, not 3x3"),
        ({"width": 0}, "width is a factor .* above 0, not 0"),
        ({"backbone": {"name": "resnet", "channels": 0}}, "at least 1, not 0"),
        ({"backbone": {"name": "resnet", "stem_channels": -4}}, "at least 1, not -4"),
        ({"backbone": {"name": "resnet", "strides": [1, 2]}}, "3 numbers from 1 on, one a stage, not \\[1, 2\\]"),
        ({"backbone": {"name": "resnet", "stem_channels": 64}}, "32 channels to 8; choose shortcut=projection"),
        ({"block": {"name": "bottleneck", "stride_at": "2x2"}, "depth": 11}, "'2x2'"),
    ],
)
def test_combinations_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**changes)


def choices(kind: str) -> list[str]:
    prepare()
    return [entry.name for entry in registry.entries(kind)]


@pytest.mark.parametrize("block", ["basic", "bottleneck", "single", "resnext"])
@pytest.mark.parametrize("order", ["post", "pre", "bn_after_add", "relu_before_add", "relu_only_pre"])
@pytest.mark.slow
def test_every_shortcut_trains_with_every_order_and_block(order: str, block: str) -> None:
    depth = {"basic": 8, "bottleneck": 11, "single": 5, "resnext": 11}[block]
    for shortcut in choices("shortcut"):
        model = small(depth=depth, **named(order=order, block=block, shortcut=shortcut))
        optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
        nn.functional.cross_entropy(model(images()), torch.tensor([0, 1, 2, 0])).backward()
        optimiser.step()
        assert model(images()).isfinite().all(), shortcut


@pytest.mark.parametrize(("norm", "act", "stem"), list(itertools.product(*map(choices, ("norm", "act", "stem")))))
@pytest.mark.slow
def test_every_norm_activation_and_stem_trains(norm: str, act: str, stem: str) -> None:
    node = {"name": norm, "groups": 1} if norm == "group" else {"name": norm}
    for order in ("post", "pre"):
        model = small(norm=node, **named(act=act, stem=stem, order=order))
        model(images()).square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_arms_that_share_a_parameter_start_equal() -> None:
    base = small(depth=14).state_dict()
    arms = [
        named(order=order, shortcut=shortcut, norm=norm)
        for order, shortcut, norm in itertools.product(choices("order"), choices("shortcut"), ["batch", "none"])
    ]
    for arm in arms:
        state = small(depth=14, **arm).state_dict()
        weights = [name for name in base if ".conv" in name or "head." in name]
        assert [name for name in weights if not torch.equal(state[name], base[name])] == [], arm
    deeper = small(depth=20).state_dict()
    assert torch.equal(deeper["stages.stage3.1.branch.conv2.weight"], base["stages.stage3.1.branch.conv2.weight"])


@pytest.mark.parametrize(("layout", "arch"), [("cifar", "resnet20_cifar"), ("imagenet", "resnet18")])
def test_maps_have_the_shapes_that_the_docstring_says(layout: str, arch: str) -> None:
    text = registry.lookup("backbone", "resnet").factory.__doc__ or ""
    place = {"cifar": 0, "imagenet": -1}[layout]
    row = re.compile(r"(\w+) +\(N, +(\d+), +(\d+), +(\d+)\)")
    rows = [row.findall(line)[place] for line in text.splitlines() if row.search(line)]
    if layout == "cifar":
        rows = [(name, *shape) for name, *shape in rows if name != "stage4"]
    (_, *image), *stated = [(name, *map(int, shape)) for name, *shape in rows]
    model = meta(f"arch={arch}")
    x = torch.zeros(1, *image, device="meta")
    found = []
    for name, part in [("stem", model.stem), *model.stages.named_children()]:
        x = part(x)
        found.append((name, *x.shape[1:]))
    assert found == stated


@pytest.mark.parametrize(("arch", "side"), [("resnet50_v2_000", 55), ("resnet18_d2l", 56)])
def test_the_first_pooling_is_padded_as_the_preset_says(arch: str, side: int) -> None:
    model = meta(f"arch={arch}")
    image = torch.zeros(1, model.stem.conv.in_channels, 224, 224, device="meta")
    assert model.stem(image).shape[2:] == (side, side)
    assert f"{side}x{side} pixels behind it" in config_names("arch")[arch].read_text(encoding="utf-8")


def test_small_images_keep_the_weights_of_an_imagenet_network() -> None:
    cfg = ablate.compose(["arch=resnet18", "width=0.125", "image.classes=10"])
    full = ablate.build_model(cfg)
    for size, after_stem in ((8, 8), (32, 32), (64, 16)):
        cfg.image.size = size
        model = ablate.build_model(cfg)
        x = torch.randn(2, 3, size, size)
        assert model.stem(x).shape[-1] == after_stem
        assert model(x).shape == (2, 10)
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), full.parameters(), strict=True))


@pytest.mark.parametrize(
    ("listed", "order", "expected"),
    [
        ("after_branch", "pre", ["preact", "branch", "shortcut"]),
        ("before_branch", "pre", ["preact", "shortcut", "branch"]),
        ("first", "pre", ["shortcut", "preact", "branch"]),
        ("first", "post", ["shortcut", "branch"]),
        ("after_branch", "bn_after_add", ["branch", "shortcut", "after"]),
    ],
)
def test_the_state_dict_lists_the_shortcut_where_asked(listed: str, order: str, expected: list[str]) -> None:
    changes = named(order=order, shortcut="projection")
    model = small(backbone={"name": "resnet", "shortcut_listed": listed}, **changes)
    parts = [name.split(".")[3] for name in model.state_dict() if name.startswith("stages.stage2.0.")]
    assert list(dict.fromkeys(parts)) == expected
    assert torch.equal(model.eval()(images()), small(**changes).eval()(images()))


def test_downsampling_in_the_last_unit_moves_the_stride_one_stage_back() -> None:
    first = small(depth=14, shortcut={"name": "projection"})
    last = small(depth=14, shortcut={"name": "max_pool"}, backbone={"name": "resnet", "downsample": "last"})

    def strides(model: nn.Module) -> list[list[int]]:
        return [[unit.branch.conv1.stride[0] for unit in stage] for stage in model.stages]

    assert strides(first) == [[1, 1], [2, 1], [2, 1]]
    assert strides(last) == [[1, 2], [1, 2], [1, 1]]
    assert first(images()).shape == last(images()).shape


def test_initialisation_is_he_normal() -> None:
    def deviation(name: str, **options: str) -> float:
        node = {"name": "he", **options}
        model = small(width=4, init=node, shortcut={"name": "projection"})
        return float(model.state_dict()[name].std())

    wide = "stages.stage3.0.branch.conv1.weight"  # 128 -> 256 channels, 3x3
    assert deviation(wide) == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.01)
    assert deviation(wide, mode="fan_in") == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.01)
    assert deviation("head.linear.weight") == pytest.approx((1 / 256 / 3) ** 0.5, rel=0.1)
    assert deviation("head.linear.weight", linear="he") == pytest.approx((2 / 3) ** 0.5, rel=0.1)
    model = small(block={"name": "basic", "bias": "all"})
    vectors = {name: vector for name, vector in model.named_parameters() if vector.ndim == 1}
    assert all(vector.eq(1 if name.endswith("weight") else 0).all() for name, vector in vectors.items())


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        ({}, lambda x: nn.functional.max_pool2d(x, 3, 2, 1)),
        ({"zero_padded_pool": True}, lambda x: nn.functional.max_pool2d(nn.functional.pad(x, [1] * 4), 3, 2)),
        ({"ceil_pool": True}, lambda x: nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)),
        ({"unpadded_pool": True}, lambda x: nn.functional.max_pool2d(x, 3, 2)),
    ],
)
def test_the_first_pooling_has_four_published_forms(options: dict[str, bool], reference: Any) -> None:
    """Of 112x112 pixels fb.resnet.torch, torchvision, Keras and the authors' Caffe models leave 56x56, 000 55x55."""
    chosen = [f"stem.{name}=true" for name in options]
    stem = ablate.build_model(ablate.compose(["arch=resnet18", "width=0.125", *chosen])).stem
    x = torch.randn(2, 8, 112, 112) - 2
    assert torch.equal(stem.pool(x), reference(x))
    side = 55 if "unpadded_pool" in options else 56
    assert stem.pool(x).shape[-2:] == (side, side)


def test_the_forms_of_the_first_pooling_exclude_each_other() -> None:
    for one, other in itertools.combinations(["zero_padded_pool", "ceil_pool", "unpadded_pool"], 2):
        with pytest.raises(InputError, match=rf"stem\.{one}=true and stem\.{other}=true exclude each other"):
            ablate.build_model(ablate.compose(["arch=resnet18", f"stem.{one}=true", f"stem.{other}=true"]))

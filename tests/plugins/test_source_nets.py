"""Residual networks of the sources, as written and as meant: exact sizes, computed from what each source says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ablate
from ablate import InputError
from ablate.config.compose import prepare
from ablate.network.build import build_model, count_parameters
from ablate.testing import images, network_config

STAGES = (64, 128, 256, 512)
R18, R34, R200 = (2, 2, 2, 2), (3, 4, 6, 3), (3, 24, 36, 3)


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def count(*overrides: str) -> int:
    with torch.device("meta"):
        return count_parameters(ablate.build_model(ablate.compose(overrides)))


def conv(inside: int, outside: int, kernel: int, bias: int = 1) -> int:
    return outside * (inside * kernel**2 + bias)


def norm(channels: int) -> int:
    return 2 * channels


def basic_001(units: tuple[int, ...]) -> int:
    """`resnet_block_wo_bottlneck` in its stages: biases, and a norm on the projection of the strided units."""
    total, inside = conv(3, 64, 7) + norm(64), 64
    for outside, number in zip(STAGES, units, strict=True):
        for _ in range(number):
            total += conv(inside, outside, 3) + conv(outside, outside, 3) + 2 * norm(outside)
            total += conv(inside, outside, 1) + norm(outside) if inside != outside else 0
            inside = outside
    return total + 513 * 1000


def bottleneck_200(*, pre: bool) -> int:
    """No biases; v1 norms what each convolution gives, v2 what goes into F's and into the classifier."""
    total, inside = conv(3, 64, 7, 0) + (0 if pre else norm(64)), 64
    for inner, number in zip(STAGES, R200, strict=True):
        outside = 4 * inner
        for _ in range(number):
            total += conv(inside, inner, 1, 0) + conv(inner, inner, 3, 0) + conv(inner, outside, 1, 0)
            total += 2 * norm(inner) + norm(inside if pre else outside)
            if inside != outside:
                total += conv(inside, outside, 1, 0) + (0 if pre else norm(outside))
            inside = outside
    return total + (norm(2048) if pre else 0) + 2049 * 1000


def mini_002(*, pre: bool) -> int:
    """Units of 16 and 32 channels at 32x32 pixels; v2 norms what goes into F's convolutions and into Flatten."""
    total = conv(3, 16, 3) + conv(32 * 32 * 32, 10, 1)
    for inside, outside in ((16, 16), (16, 32)):
        total += conv(inside, outside, 3) + conv(outside, outside, 3)
        total += norm(inside if pre else outside) + norm(outside)
        total += conv(inside, outside, 1) if inside != outside else 0
    return total + (norm(32) if pre else 0)


def d2l_003(*, dropped: bool) -> int:
    """The second convolution computed and thrown away, or in its place."""
    total, inside = conv(1, 64, 7) + norm(64), 64
    for outside in STAGES:
        for _ in range(2):
            total += conv(inside, outside, 3) + (0 if dropped else conv(outside, outside, 3)) + 2 * norm(outside)
            total += conv(inside, outside, 1) if inside != outside else 0
            inside = outside
    return total + 513 * 10


@pytest.mark.parametrize(
    ("overrides", "published", "computed"),
    [
        ("arch=resnet18_001", 11_694_312, basic_001(R18)),
        ("arch=resnet34_001", 21_806_184, basic_001(R34)),
        ("arch=resnet18_001 order.stem=norm_act order.between=norm_act", 11_694_312, basic_001(R18)),
        ("arch=resnet200", 64_673_832, bottleneck_200(pre=False)),
        ("arch=resnet200_v2", 64_666_152, bottleneck_200(pre=True)),
        ("arch=mini_v1_002", 347_402, mini_002(pre=False)),
        ("arch=mini_v2_002", 347_434, mini_002(pre=True)),
        ("arch=resnet18_d2l", 11_178_378, d2l_003(dropped=False)),
        ("arch=resnet18_d2l block.drop_second=true", 4_909_578, d2l_003(dropped=True)),
    ],
)
def test_a_net_has_its_published_count_and_that_of_its_layers(overrides: str, published: int, computed: int) -> None:
    assert count(*overrides.split()) == published == computed


def test_what_note_000_throws_away_are_two_norms_a_unit() -> None:
    thrown = sum(units * 2 * norm(channels // 4) for units, channels in zip((3, 4, 6, 3), STAGES, strict=True))
    assert count("arch=resnet50_v2_000") - count("arch=resnet50_v2_000", "order.between=nothing") == thrown == 3776


def test_nothing_between_the_layers_of_a_branch_leaves_it_linear() -> None:
    node = {"name": "bottleneck"}
    model = build_model(network_config(depth=11, block=node, order={"name": "pre", "between": "nothing"}))
    branch = model.stages.stage2[0].branch
    x, y = images(2, 32), images(2, 32).flip(0)
    torch.testing.assert_close(branch(x + 2 * y), branch(x) + 2 * branch(y), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("block", "order", "options", "names"),
    [
        ("basic", "post", {"between": "act_after_1x1"}, "conv1 norm1 conv2 norm2"),
        ("bottleneck", "post", {"between": "act_after_1x1"}, "conv1 norm1 act1 conv2 norm2 conv3 norm3"),
        ("bottleneck", "post", {"between": "nothing"}, "conv1 conv2 conv3 norm3"),
        ("bottleneck", "pre", {"between": "act_after_1x1"}, "conv1 norm1 act1 conv2 norm2 conv3"),
        ("bottleneck", "pre", {}, "conv1 norm1 act1 conv2 norm2 act2 conv3"),
    ],
)
def test_what_stands_between_the_layers_is_what_the_option_says(
    block: str, order: str, options: dict[str, str], names: str
) -> None:
    depth = {"basic": 8, "bottleneck": 11}[block]
    model = build_model(network_config(depth=depth, block={"name": block}, order={"name": order, **options}))
    assert [name for name, _ in model.stages.stage1[0].branch.named_children()] == names.split()


@pytest.mark.parametrize(
    ("order", "options", "behind_stem", "behind_stages"),
    [
        ("post", {}, "norm act", ""),
        ("post", {"stem": "norm"}, "norm", ""),
        ("post", {"stem": "act"}, "act", ""),
        ("pre", {}, "", "norm act"),
        ("pre", {"stem_act": True, "final_act": False}, "act", "norm"),
        ("pre", {"stem_norm": True, "final": False}, "norm act", ""),
    ],
)
def test_what_stands_behind_stem_and_stages_is_what_the_options_say(
    order: str, options: dict[str, Any], behind_stem: str, behind_stages: str
) -> None:
    model = build_model(network_config(order={"name": order, **options}))
    for part, names in ((model.stem.after, behind_stem), (model.final, behind_stages)):
        assert [name for name, _ in part.named_children()] == names.split()


def test_a_stem_with_a_norm_has_its_activation_already() -> None:
    with pytest.raises(InputError, match=r"order\.stem_norm=true and order\.stem_act=true exclude each other"):
        build_model(network_config(order={"name": "pre", "stem_norm": True, "stem_act": True}))

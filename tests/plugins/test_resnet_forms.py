"""Residual networks as the claims need them: widths that stay, all pixels to the classifier, biases, shortcuts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import ablate
from ablate import InputError
from ablate.config.compose import prepare
from ablate.network.build import build_model, count_parameters
from ablate.testing import images, network_config


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def small(**changes: Any) -> Any:
    return build_model(network_config(**changes))


def backbone(**options: Any) -> dict[str, Any]:
    return {"name": "resnet", **options}


def composed(*overrides: str) -> Any:
    with torch.device("meta"):
        return ablate.build_model(ablate.compose(overrides))


@pytest.mark.parametrize(("growth", "widths"), [(1, [8, 8, 8]), (2, [8, 16, 32]), (3, [8, 24, 72])])
def test_widths_grow_from_stage_to_stage_by_the_factor(growth: int, widths: list[int]) -> None:
    for shortcut in ("identity", "projection", "none"):
        model = small(backbone=backbone(growth=growth), shortcut={"name": shortcut})
        assert list(model.taps.values()) == widths
        assert model(images()).shape == (4, 3)


def test_a_stage_has_the_units_that_are_chosen_whatever_the_depth() -> None:
    for depth in (20, 21, None):
        model = small(backbone=backbone(units=[2, 1, 3, 1]), depth=depth)
        assert [len(stage) for stage in model.stages] == [2, 1, 3, 1]
        assert list(model.taps.values()) == [8, 16, 32, 64]


def test_chosen_units_are_those_of_the_depth_they_add_up_to() -> None:
    ours, theirs = small(backbone=backbone(units=[2, 2, 2])), small(depth=14)
    states = ours.state_dict(), theirs.state_dict()
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"growth": 0}, r"backbone\.growth is a factor on widths from 1 on, not 0"),
        ({"units": []}, r"backbone\.units must be numbers from 1 on, one a stage, not \[\]"),
        ({"units": [1, 0]}, r"backbone\.units must be numbers from 1 on, one a stage, not \[1, 0\]"),
        ({"units": [1, 1], "strides": [1, 2, 2]}, r"backbone\.strides must be 2 numbers"),
    ],
)
def test_what_makes_no_network_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(backbone=backbone(**options))


@pytest.mark.parametrize(
    ("size", "stem", "options", "maps"),
    [
        (8, "cifar", {}, 2), (8, "none", {}, 2), (9, "cifar", {}, 3), (32, "cifar", {"units": [1]}, 32),
        (8, "cifar", {"downsample": "last", "growth": 1}, 2), (64, "imagenet", {"layout": "imagenet"}, 2),
        (70, "imagenet", {"strides": [1, 3, 1]}, 6), (32, "googlenet", {}, 8),
    ],
)  # fmt: skip
def test_a_classifier_on_all_pixels_has_a_weight_for_each(
    size: int, stem: str, options: dict[str, Any], maps: int
) -> None:
    changes = {"head": {"name": "fc", "hidden": [], "grid": None}, "stem": {"name": stem}}
    image = {"channels": 1, "size": size, "classes": 3}
    depth = 18 if options.get("layout") == "imagenet" else 8
    model = small(backbone=backbone(**options), image=image, depth=depth, **changes).eval()
    x = images(2, 1, (size, size))
    y = model.final(model.stages(model.stem(x)))
    assert y.shape[2:] == (maps, maps)
    expected = nn.functional.linear(y.flatten(1), model.head.linear.weight, model.head.linear.bias)
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize("arch", ["googlenet", "vgg11"])
def test_a_family_that_does_not_say_how_large_its_maps_are_is_refused(arch: str) -> None:
    with pytest.raises(InputError, match=r"head\.grid=null: backbone \w+ does not say how large its maps are"):
        composed(f"arch={arch}", "head=fc", "head.grid=null")


@pytest.mark.parametrize(
    ("block", "bias", "shortcut"),
    [
        ("basic", "all", "identity"), ("basic", "all", "projection"), ("bottleneck", "all", "projection"),
        ("resnext", "all", "projection"), ("single", True, "projection_all"), ("basic", "all", "concat"),
        ("basic", "all", "conv1x1"), ("bottleneck", "all", "max_pool"),
    ],
)  # fmt: skip
def test_every_convolution_of_a_residual_network_can_have_a_bias_or_none(
    block: str, bias: str | bool, shortcut: str
) -> None:
    depth = {"basic": 8, "bottleneck": 11, "resnext": 11, "single": 5}[block]
    beside = {} if shortcut == "identity" else {"bias": True}  # it has no convolution
    for norm in ("batch", "none"):
        for has in (False, True):
            model = small(
                depth=depth,
                norm={"name": norm},
                block={"name": block, **({"bias": bias} if has else {})},
                stem={"name": "cifar", "bias": has},
                shortcut={"name": shortcut, **(beside if has else {})},
            )
            convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
            assert [conv for conv in convolutions if (conv.bias is not None) is not has] == []


@pytest.mark.parametrize(("bias", "expected"), [("none", [False] * 3), ("last", [False, False, True])])
def test_biases_of_resnext_stand_where_the_option_says(bias: str, expected: list[bool]) -> None:
    branch = small(depth=11, block={"name": "resnext", "bias": bias}).stages.stage1[0].branch
    assert [layer.bias is not None for layer in (branch.conv1, branch.conv2, branch.conv3)] == expected


@pytest.mark.parametrize("depth", [20, 38, 56])
def test_units_of_one_layer_come_in_the_depths_of_the_study(depth: int) -> None:
    model = small(block={"name": "single"}, depth=depth)
    assert sum(isinstance(module, nn.Conv2d) for module in model.modules()) == depth - 1


# He et al. 2016 (arXiv 1603.05027), Table 1, at depth 110: the shortcut and its options.
TABLE_1: dict[str, tuple[str, dict[str, float]]] = {
    "original": ("identity", {}),
    "constant scaling, 0 and 1": ("none", {}),
    "constant scaling, 0.5 and 1": ("scaled", {"scale": 0.5, "residual_scale": 1}),
    "constant scaling, 0.5 and 0.5": ("scaled", {"scale": 0.5, "residual_scale": 0.5}),
    "exclusive gating, bias 0": ("exclusive_gate", {"bias_init": 0}),
    "exclusive gating, bias -6": ("exclusive_gate", {"bias_init": -6}),
    "exclusive gating, bias -7": ("exclusive_gate", {"bias_init": -7}),
    "shortcut-only gating, bias 0": ("shortcut_gate", {"bias_init": 0}),
    "shortcut-only gating, bias -6": ("shortcut_gate", {"bias_init": -6}),
    "1x1 convolution": ("conv1x1", {}),
    "dropout 0.5": ("dropout", {"rate": 0.5}),
}


@pytest.mark.parametrize(("name", "options"), TABLE_1.values(), ids=TABLE_1)
def test_every_row_of_table_1_can_be_said(name: str, options: dict[str, float]) -> None:
    image = {"channels": 3, "size": 32, "classes": 10}
    with torch.device("meta"):
        model = small(depth=110, width=1, image=image, shortcut={"name": name, **options})
    convolutions = 18 * 16 * 16 + (16 + 17 * 32) * 32 + (32 + 17 * 64) * 64  # a 1x1 one in each of 54 units
    gates = convolutions + 18 * (16 + 32 + 64)
    added = {"conv1x1": convolutions, "exclusive_gate": gates, "shortcut_gate": gates}.get(name, 0)
    assert count_parameters(model) == 1_727_962 + added

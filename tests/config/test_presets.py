"""A preset beside other choices: what the user types wins, and the preset's options go with the preset's parts."""

from __future__ import annotations

import pytest

import ablate
from ablate import InputError
from ablate.study.plan import plan_study


def test_a_part_can_be_replaced_in_a_preset_that_sets_its_options() -> None:
    config = ablate.compose(["arch=resnet50_v2_keras", "norm=none", "shortcut=projection_all"])
    assert dict(config.norm) == {"name": "none"}
    assert config.shortcut.bias is False, "the preset's bias is that of its own shortcut"
    assert (config.depth, config.order.name, config.stem.bias) == (50, "pre", True), "the rest of the preset stays"


def test_the_presets_own_choice_keeps_its_options() -> None:
    config = ablate.compose(["arch=resnet50_v2_keras", "norm=batch"])
    assert config.norm.eps == 1.001e-5


def test_options_of_the_new_part_can_be_typed() -> None:
    config = ablate.compose(["arch=resnet50", "depth=18", "block=basic", "block.bias=all"])
    assert dict(config.block) == {"name": "basic", "bias": "all"}
    with pytest.raises(InputError, match="stride_at"):
        ablate.compose(["arch=resnet50", "depth=18", "block=basic", "block.stride_at=1x1"])


def test_an_option_of_the_same_name_is_the_new_parts_default() -> None:
    config = ablate.compose(["arch=resnet50_v2_keras", "norm=group"])
    assert config.norm.eps == ablate.compose(["norm=group"]).norm.eps


def test_arms_replace_parts_of_a_preset() -> None:
    arms = ["+study.arms.batch=[]", "+study.arms.none=['norm=none']"]
    study = plan_study(["arch=resnet50_keras", "width=0.1", "image.size=64", "seed=0", *arms])
    assert [cell.config["norm"].get("eps") for cell in study.cells] == [1.001e-5, None]

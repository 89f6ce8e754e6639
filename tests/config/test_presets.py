"""A preset beside other choices: what the user types wins, and the preset's options go with the preset's parts."""

from __future__ import annotations

from pathlib import Path

import pytest

import ablate
from ablate import InputError, registry
from ablate.cli.hydra_flags import through_hydra
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
    assert dict(config.block) == {"name": "basic", "bias": "all", "drop_second": False}
    with pytest.raises(InputError, match="stride_at"):
        ablate.compose(["arch=resnet50", "depth=18", "block=basic", "block.stride_at=1x1"])


def test_an_option_of_the_same_name_is_the_new_parts_default() -> None:
    config = ablate.compose(["arch=resnet50_v2_keras", "norm=group"])
    assert config.norm.eps == ablate.compose(["norm=group"]).norm.eps


def test_arms_replace_parts_of_a_preset() -> None:
    arms = ["+study.arms.batch=[]", "+study.arms.none=['norm=none']"]
    study = plan_study(["arch=resnet50_keras", "width=0.1", "image.size=64", "seed=0", *arms])
    assert [cell.config["norm"].get("eps") for cell in study.cells] == [1.001e-5, None]


# Scales


FIXED = '''
import torch
from ablate import DataSet, Split, Splits, register


@register("data", "fixed")
class Fixed(DataSet):
    """A set whose batches have one size: an attribute, and no option."""

    channels, size, classes, {declared} = 1, (8, 8), 2, 16

    def load(self):
        parts = [torch.zeros(n, 1, 8, 8, dtype=torch.uint8) for n in (64, 32)]
        return Splits(*(Split(one, torch.arange(len(one)) % 2) for one in parts))
'''


@pytest.fixture
def fixed(here: Path) -> Path:
    """The file of a data set with an attribute in place of the option that scales set."""
    (here / "plugins").mkdir()
    file = here / "plugins" / "fixed.py"
    file.write_text(FIXED.replace("{declared}", "batch_size"), encoding="utf-8")
    return file


@pytest.mark.parametrize("scale", ["quick", "tiny", "medium", "paper"])
def test_no_scale_changes_what_a_set_has_fixed(fixed: Path, scale: str) -> None:
    config = ablate.compose(["data=fixed", f"scale={scale}"])
    assert dict(config.data) == {"name": "fixed"}
    assert registry.build("data", config.data).batch_size == 16
    assert config.scale == scale
    rest = ablate.compose([f"scale={scale}"])
    assert (config.trainer, config.width, config.optim) == (rest.trainer, rest.width, rest.optim)


@pytest.mark.parametrize("text", ["data.batch_size=7", "+data.batch_size=7", "data={batch_size:7}"])
def test_a_value_typed_for_it_is_refused_by_name(fixed: Path, text: str) -> None:
    with pytest.raises(InputError) as error:
        ablate.compose(["data=fixed", text])
    assert str(error.value) == f"{text}: data 'fixed', {fixed}, has no option batch_size: it is fixed there"


def test_a_study_may_choose_such_a_set_and_an_arm_another(fixed: Path, here: Path) -> None:
    file = here / "conf" / "exp" / "mine.yaml"
    file.parent.mkdir(parents=True)
    head = "# @package _global_\ndefaults: [override /data: fixed, override /scale: tiny]\n"
    file.write_text(f"{head}study: {{name: mine, arms: {{a: [], b: [data=digits, data.batch_size=8]}}, seeds: 1}}\n")
    study = plan_study(["+exp=mine", "depth=8"])
    assert [cell.config["data"].get("batch_size") for cell in study.cells] == [None, 8]
    assert [cell.config["scale"] for cell in study.cells] == ["tiny", "tiny"]
    file.write_text(f"{head}study: {{name: mine}}\n")
    with pytest.raises(InputError, match=r"data\.batch_size=9: data 'fixed', .* has no option batch_size"):
        plan_study(["+exp=mine", "depth=8", "data.batch_size=9"])
    file.write_text(f"{head}data: {{batch_size: 9}}\nstudy: {{name: mine}}\n")
    with pytest.raises(InputError, match=r"conf/exp/mine\.yaml: unknown key 'data\.batch_size'"):
        plan_study(["+exp=mine", "depth=8"])


def test_files_that_build_on_a_plugin_are_what_they_build_on(fixed: Path, here: Path) -> None:
    files = {
        "data/mine.yaml": "defaults: [fixed, _self_]\n",
        "data/again.yaml": "defaults: [mine, _self_]\n",
        "scale/fast.yaml": "# @package _global_\ndefaults: [override /optim: he2015]\nscale: fast\noptim: {lr: 0.2}\n",
    }
    for name, text in files.items():
        (here / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "conf" / name).write_text(text)
    for name in ("mine", "again"):
        assert dict(ablate.compose([f"data={name}"]).data) == {"name": "fixed"}
        with pytest.raises(InputError, match=f"data.batch_size=7: data 'fixed', {fixed}, has no option"):
            ablate.compose([f"data={name}", "data.batch_size=7"])
    assert ablate.compose(["scale=fast"]).optim.lr == 0.2


def test_a_scales_options_for_its_own_set_go_with_it() -> None:
    """Its batch size is for any set; how many of the scans are taken is not."""
    assert ablate.compose(["scale=tiny"]).data.train == 128
    assert ablate.compose(["scale=tiny", "data=cluttered_digits"]).data.train == 128
    assert ablate.compose(["scale=tiny", "data=mnist"]).data.batch_size == 32


def test_a_scales_rate_is_that_of_its_own_optimiser() -> None:
    """A rate that suits SGD is none for Adam, and a file that is typed has its own."""
    quick = ablate.compose([]).optim
    assert (quick.name, quick.lr) == ("sgd", 0.05)
    assert ablate.compose(["optim=adamw"]).optim.lr == 0.001
    assert ablate.compose(["optim=he2015"]).optim.lr == 0.1
    assert ablate.compose(["optim=adamw", "optim.lr=0.01"]).optim.lr == 0.01
    (cell,) = plan_study(["+study.arms.adam=['optim=adamw']", "depth=8", "seed=0"]).cells
    assert cell.config["optim"]["lr"] == 0.001


def test_a_scales_warm_up_is_for_any_schedule() -> None:
    for schedule in ("step", "constant", "cosine"):
        config = ablate.compose([f"schedule={schedule}"]).schedule
        assert (config.name, config.warmup_epochs, config.warmup_linear) == (schedule, 2.0, True)


def test_a_mistake_in_a_scale_of_ones_own_is_named(here: Path) -> None:
    file = here / "conf" / "scale" / "own.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\ndefaults: [override /data: mnist]\ndata: {batchsize: 8}\n")
    with pytest.raises(InputError, match=r"conf/scale/own\.yaml: unknown key 'data\.batchsize'.*batch_size"):
        ablate.compose(["scale=own"])


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        (["-m", "data=fixed", "depth=8,14"], [["data=fixed", "depth=8"], ["data=fixed", "depth=14"]]),
        (["-m", "data=fixed", "scale=tiny", "seed=0,1"], [["data=fixed", "scale=tiny", f"seed={n}"] for n in (0, 1)]),
        (["-m", "arch=resnet50_v2_keras", "norm=none"], [["arch=resnet50_v2_keras", "norm=none"]]),
    ],
)
def test_the_jobs_of_a_multirun_get_what_was_typed(fixed: Path, arguments: list[str], jobs: list[list[str]]) -> None:
    """Hydra composes each once before it is composed here: it takes the presets that fit, and nobody sees them."""
    found: list[list[str]] = []
    through_hydra(arguments, lambda overrides: found.append(list(overrides)))
    assert found == jobs


def test_a_multirun_refuses_a_value_for_what_is_fixed(fixed: Path) -> None:
    with pytest.raises(InputError, match=r"data\.batch_size=3: data 'fixed', .* has no option batch_size"):
        through_hydra(["-m", "data=fixed", "data.batch_size=3", "depth=8,14"], lambda overrides: None)

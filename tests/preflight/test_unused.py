"""What is typed and has no effect is refused, in one line that says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.__main__ import main
from ablate.config.compose import compose, prepare
from ablate.network.profile import profile
from ablate.preflight.unused import refuse_unused
from ablate.study.plan import plan_study
from ablate.study.section import container

pytestmark = pytest.mark.usefixtures("here")

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

Refused = Callable[..., str]


@pytest.mark.parametrize("verb", ["plan", "describe", "run"])
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["arch=vgg16", "shortcut=none"],
            "shortcut=none has no effect: backbone vgg uses no shortcut; ",
        ),
        (
            ["arch=vgg16", "block.bias=all"],
            "block.bias=all has no effect: backbone vgg uses no block; ",
        ),
        (
            ["backbone=googlenet", "depth=56"],
            "depth=56 has no effect: backbone googlenet has no depth to choose; what it asks for: backbone, order, ",
        ),
        *(
            ([f"arch={net}", "order=pre"], f"order=pre has no effect: backbone {family} uses no order; ")
            for net, family in [
                ("googlenet", "googlenet"),
                ("googlenet_bn", "googlenet"),
                ("inception_v2", "inception_v2"),
            ]
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.slow
def test_a_choice_without_effect_is_refused(
    verb: str, arguments: list[str], line: str, refused: Refused, here: Path
) -> None:
    assert refused(*([] if verb == "run" else [verb]), *arguments).startswith(line)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("verb", [["plan"], []])
def test_the_data_decides_the_shape_of_the_images(verb: list[str], refused: Refused) -> None:
    line = "image.size=32 has no effect: data=digits decides the shape of the images; leave it out, or see the network "
    assert refused(*verb, "depth=8", "image.size=32").startswith(line)


def test_a_network_is_described_for_images_of_any_shape(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "depth=8", "image.size=32"]) == 0
    assert "32 x 32" in capsys.readouterr().out


@pytest.mark.parametrize(
    "typed",
    [
        ["depth=8", "shortcut=projection", "shortcut.norm=false", "block.bias=all", "norm=group", "norm.groups=2"],
        ["arch=vgg16", "norm=batch", "head=gap", "width=0.1"],
        ["arch=vgg16", "aux=none"],  # asks for what every network has
        ["backbone=googlenet", "depth=56", "trainer.epochs=${depth}"],  # something else is computed from it
        ["+study.arms.vgg=['backbone=vgg','depth=11']", "+study.arms.resnet=['depth=8']", "shortcut=none"],
        ["+study.grid.backbone=[vgg,googlenet]", "depth=11", "stem=googlenet", "width=0.25"],
        ["init.mode=fan_in", "optim.lr=0.1", "seed=3", "augment=none", "study.claims=[]"],
    ],
    ids=" ".join,
)
def test_what_some_network_asks_for_is_taken(typed: list[str]) -> None:
    refuse_unused(plan_study(typed))


def test_what_presets_scales_and_arms_set_is_not_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    refuse_unused(plan_study(["arch=lenet5"]))
    refuse_unused(
        plan_study(["+study.arms.a=['backbone=vgg','depth=11']", "+study.arms.b=['backbone=vgg','depth=13']"])
    )


def test_a_value_of_a_file_may_be_computed_from_what_is_typed() -> None:
    file = Path("conf/exp/mine.yaml")
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\ndefaults: [override /backbone: googlenet]\ntrainer: {epochs: '${depth}'}\n")
    study = plan_study(["+exp=mine", "depth=7"])
    assert study.cells[0].config["trainer"]["epochs"] == 7
    refuse_unused(study)


def test_a_key_taken_away_and_added_anew_is_no_repetition() -> None:
    study = plan_study(["+exp=degradation", "~study.grid.depth", "+study.grid.depth=[8]", "study.seeds=1"])
    assert study.grid["depth"] == [8]


@pytest.mark.parametrize(
    ("overrides", "uses"),
    [
        (["depth=8"], "backbone block order shortcut stem head aux norm act depth width"),
        (["arch=vgg11_bn"], "backbone head aux norm act depth width"),
        (["arch=googlenet", "aux=none"], "backbone stem head aux act norm width"),
    ],
    ids=["resnet", "vgg", "googlenet"],
)
def test_a_network_knows_what_it_asks_for(overrides: list[str], uses: str) -> None:
    assert set(profile(container(compose(overrides))).uses) == set(uses.split())


@pytest.mark.parametrize("verb", [["plan"], ["describe"]])
def test_a_key_that_is_typed_again_is_told(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, "depth=8", "depth=14"]) == 0
    assert "'depth=8' is overruled by 'depth=14', which comes later" in " ".join(capsys.readouterr().out.split())

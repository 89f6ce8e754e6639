"""From a study file and what the user typed to cells: what wins, what narrows, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import ablate
from ablate import InputError, registry
from ablate.config.compose import prepare
from ablate.study.plan import Study, plan_study

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

ORDERS = """# @package _global_
# A made-up source.
study:
  name: orders
  question: Which one?
  arms:
    post: [order=post]
    pre: [order=pre]
  grid: {depth: [8, 14]}
  seeds: 2
  claims:
    - {id: deep, contrast: {post@depth=14: 1, pre@depth=14: -1}, expect: positive, margin: 0.1}
  scales:
    paper:
      grid: {depth: [20, 32], width: [1.0]}
      seeds: [3, 4, 5]
      overrides: [optim.lr=0.3, schedule=cosine]
      claims:
        deep: {contrast: {post@depth=32: 1, pre@depth=32: -1}, margin: 0.7}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    exp(ORDERS, "orders")
    with registry.isolated():
        yield tmp_path


def exp(text: str, name: str = "mine") -> Path:
    file = Path(f"conf/exp/{name}.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text if text.startswith("#") else f"# @package _global_\n{text}", encoding="utf-8")
    return file


def points(study: Study) -> list[tuple[Any, ...]]:
    return [(cell.arm, *cell.factors.values(), cell.seed) for cell in study.cells]


def refusal(*overrides: str) -> str:
    with pytest.raises(InputError) as error:
        plan_study(overrides)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_study_is_arms_times_grid_times_seeds() -> None:
    study = plan_study(["+exp=orders"])
    assert points(study) == [(arm, depth, seed) for arm in ("post", "pre") for depth in (8, 14) for seed in (0, 1)]
    for cell in study.cells:
        assert (cell.config["order"]["name"], cell.config["depth"], cell.config["seed"]) == (
            cell.arm,
            cell.factors["depth"],
            cell.seed,
        )
    assert len({cell.id for cell in study.cells}) == 8
    assert (study.name, study.question, study.scale, study.open) == ("orders", "Which one?", "quick", False)
    assert [claim.id for claim in study.claims] == ["deep"]


def test_nothing_typed_is_one_cell_of_the_defaults() -> None:
    study = plan_study([])
    assert (points(study), study.name, study.open) == ([("base", 0)], "single", True)
    (cell,) = study.cells
    assert cell.config == {k: v for k, v in plain(ablate.compose([])).items() if k != "study"}


def plain(config: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]


def test_single_cells_are_known_by_what_was_typed() -> None:
    (cell,) = plan_study(["depth=8", "order=pre", "seed=3", "runs=elsewhere"]).cells
    assert (cell.arm, cell.factors, cell.seed) == ("depth=8,order=pre", {"depth": 8, "order": "pre"}, 3)
    assert [cell.seed for cell in plan_study(["depth=8", "study.seeds=3"]).cells] == [0, 1, 2]


def test_what_is_typed_last_wins_as_in_hydra_and_the_first_is_told() -> None:
    study = plan_study(["depth=8", "order=post", "depth=14"])
    assert [cell.config["depth"] for cell in study.cells] == [14]
    assert study.notes == ["'depth=8' is overruled by 'depth=14', which comes later"]
    assert plan_study(["depth=8", "order=post"]).notes == []


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["depth=14"], [14]),
        (["depth=32"], [32]),
        (["+depth=14"], None),
        (["depth=${oc.decode:'14'}"], [14]),
        (["study.grid.depth=[14,20]"], [14, 20]),
    ],
)
def test_naming_what_the_grid_sweeps_pins_it(typed: list[str], expected: list[int] | None) -> None:
    if expected is None:
        assert "depth exists already" in refusal("+exp=orders", "seed=0", *typed)
        return
    study = plan_study(["+exp=orders", "seed=0", *typed])
    assert points(study) == [(arm, depth, 0) for arm in ("post", "pre") for depth in expected]
    assert [cell.config["depth"] for cell in study.cells] == expected * 2


def test_a_typed_mapping_pins_too() -> None:
    exp("study: {name: mine, grid: {trainer.epochs: [1, 2], depth: [8]}, seeds: 1}")
    study = plan_study(["+exp=mine", "trainer={epochs: 5, eval_every: 2}"])
    assert [cell.factors for cell in study.cells] == [{"trainer.epochs": 5, "depth": 8}]
    assert study.cells[0].config["trainer"]["eval_every"] == 2


def test_a_grid_goes_over_plugins_and_presets_as_over_values() -> None:
    exp("study: {name: mine, grid: {arch: [resnet18, resnet34], act: [relu, elu]}, seeds: 1}")
    study = plan_study(["+exp=mine"])
    assert points(study) == [("base", arch, act, 0) for arch in ("resnet18", "resnet34") for act in ("relu", "elu")]
    assert [cell.config["depth"] for cell in study.cells] == [18, 18, 34, 34]
    assert [cell.config["act"]["name"] for cell in study.cells] == ["relu", "elu"] * 2
    study = plan_study(["+exp=mine", "arch=resnet34"])
    assert points(study) == [("base", "resnet34", act, 0) for act in ("relu", "elu")]


@pytest.mark.parametrize(
    ("typed", "seeds"),
    [
        ([], [0, 1]),
        (["seed=3"], [3]),
        (["study.seeds=3"], [0, 1, 2]),
        (["study.seeds=[0,1,7]"], [0, 1, 7]),
        (["study.seeds=null"], [0, 1, 2, 3, 4, 5]),
        (["scale=paper"], [3, 4, 5]),
        (["scale=paper", "study.seeds=1"], [0]),
        (["scale=paper", "study={seeds: [7]}"], [7]),
        (["scale=paper", "seed=9"], [9]),
    ],
)
def test_seeds_are_those_typed_else_those_of_the_scale_else_those_of_the_file(
    typed: list[str], seeds: list[int]
) -> None:
    assert plan_study(["+exp=orders", "~study.arms.pre", *typed]).seeds.values == seeds


@pytest.mark.parametrize("seeds", ["0", "-1", "abc", "[]", "[1,1]", "[-1]", "[1.5]", "true", "1.5"])
def test_what_are_no_seeds_is_refused(seeds: str) -> None:
    error = refusal("+exp=orders", f"study.seeds={seeds}")
    assert error.startswith("study.seeds=")
    assert "give a number such as 6, a list of different seeds such as [0,1,2], or {start: 6," in error


def test_one_seed_and_a_list_of_seeds_exclude_each_other() -> None:
    assert "type one of the two" in refusal("+exp=orders", "seed=3", "study.seeds=2")


def test_a_scale_changes_grid_seeds_claims_and_further_overrides() -> None:
    study = plan_study(["+exp=orders", "scale=paper"])
    assert study.grid == {"depth": [20, 32], "width": [1.0]}
    (claim,) = study.claims
    assert (claim.contrast, claim.margin, claim.expect) == (
        {"post@depth=32": 1.0, "pre@depth=32": -1.0},
        0.7,
        "positive",
    )
    for cell in study.cells:
        assert (cell.config["optim"]["lr"], cell.config["schedule"]["name"]) == (0.3, "cosine")
        assert (cell.config["data"]["name"], cell.config["trainer"]["epochs"]) == ("cifar10", 164)


def test_what_is_typed_wins_over_what_a_scale_changes() -> None:
    typed = ["optim.lr=0.5", "width=0.25", "study.grid.depth=[8]", "study.question=Why?", "trainer.epochs=1"]
    study = plan_study(["+exp=orders", "scale=paper", "data=digits", *typed])
    assert study.grid == {"depth": [8], "width": [0.25]}
    assert study.question == "Why?"
    for cell in study.cells:
        config = cell.config
        assert (config["optim"]["lr"], config["width"], config["trainer"]["epochs"]) == (0.5, 0.25, 1)
        assert (config["data"]["name"], config["schedule"]["name"]) == ("digits", "cosine")


def test_arms_can_be_dropped_added_and_changed_by_hand() -> None:
    def arms(*typed: str) -> dict[str, list[str]]:
        study = plan_study(["+exp=orders", "depth=8", "seed=0", *typed])
        return {name: arm.overrides for name, arm in study.arms.items()}

    assert arms("~study.arms.post") == {"pre": ["order=pre"]}
    assert list(arms("+study.arms.extra=['order=bn_after_add']")) == ["post", "pre", "extra"]
    assert arms("study.arms.post=['order=relu_before_add']")["post"] == ["order=relu_before_add"]
    assert "unknown key 'study.arms.extra'" in refusal("+exp=orders", "study.arms.extra=['act=elu']")
    assert refusal("+exp=orders", "~study.arms.psot") == "cannot delete 'study.arms.psot': it does not exist"


def test_claims_about_what_was_taken_away_are_no_error() -> None:
    for typed in (["depth=8"], ["depth=20"], ["~study.arms.post"], ["study.grid.depth=[8]"]):
        assert [claim.id for claim in plan_study(["+exp=orders", "seed=0", *typed]).claims] == ["deep"]


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("contrast: {psot: 1, pre: -1}, expect: positive", "unknown arm 'psot'; did you mean 'post'?"),
        ("contrast: {post@dept=8: 1, pre: -1}, expect: positive", "unknown grid factor 'dept'; did you mean 'depth'?"),
        ("contrast: {post@depth=9: 1, pre: -1}, expect: positive", "unknown value of depth '9'; known: 14, 8"),
        ("contrast: {post: 1, pre: -0.5}, expect: zero", "the weights of its contrast sum to 0.5; they must sum to 0"),
        (
            "contrast: {post: 1, pre: -1}, expect: psitive",
            "unknown expect of claim 'c' 'psitive'; did you mean 'positive",
        ),
        ("contrast: {}, expect: positive", "claim 'c' has an empty contrast"),
    ],
)
def test_a_claim_that_names_what_is_not_there_is_refused(claim: str, reason: str) -> None:
    claims = f"claims: [{{id: c, margin: 0.1, {claim}}}]"
    exp(f"study: {{arms: {{post: [order=post], pre: [order=pre]}}, grid: {{depth: [8, 14]}}, {claims}}}")
    assert reason in refusal("+exp=mine")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (["order=pre"], "'order=pre' names what the study's arms set (post: order=post; pre: order=pre); leave it out"),
        (["+study.arms.x=['depth=8']"], "arm 'x' sets depth=8, and study.grid.depth sweeps it; drop one"),
        (["+study.arms.x=['ordr=pre']"], "arm 'x': unknown key 'ordr'; did you mean 'order'?"),
        (["+study.arms.x=['order=rpe']"], "arm 'x': unknown order 'rpe'; did you mean 'pre'?"),
        (["+study.arms.x=['order']"], "arm 'x': cannot read 'order': an override has the form key=value"),
        (["+study.arms.x=['act=elu','act=relu']"], "arm 'x' sets act twice: act=elu and act=relu"),
        (["+study.arms.x=['seed=3']"], "arm 'x' sets seed=3, which is no part of what is compared"),
        (["+study.arms.x=['engine.slots=3']"], "arm 'x' sets engine.slots=3, which is no part of what is compared"),
        (["+study.arms.x=['study.name=y']"], "arm 'x' sets study.name=y, which is no part of what is compared"),
        (["+study.arms.x=['scale=paper']"], "arm 'x' sets scale=paper, which is no part of what is compared"),
        (
            ["+study.arms.x=['order=post']"],
            "arm 'post' at depth=8 and arm 'x' at depth=8 have the same config: nothing ",
        ),
        (
            ["study.arms.post=order"],
            "study.arms.post: must be a list, such as [order=pre], or a mapping with overrides,",
        ),
        (["study.arms=order"], "study.arms=order: has keys of its own; set one of those"),
        (["+study.grid.seed=[1,2]"], "study.grid.seed is no part of what is compared (seeds are in study.seeds)"),
        (["+study.grid.runs=[a,b]"], "study.grid.runs is no part of what is compared"),
        (["+study.grid.dept=[8]"], "arm 'post': unknown key 'dept'; did you mean 'depth'?"),
        (["study.grid.depth=[]"], "study.grid.depth=[]: give at least one value, and each of them once"),
        (["study.grid.depth=[8,8]"], "study.grid.depth=[8, 8]: give at least one value, and each of them once"),
        (["study.grid.depth=8"], "study.grid.depth=8: must be a list, such as study.grid.depth=[8]"),
        (
            ["study.grid.depth=[8,deep]"],
            "arm 'post': depth: Value 'deep' of type 'str' could not be converted to Integer",
        ),
        (["dept=3"], "arm 'post': unknown key 'dept'; did you mean 'depth'?"),
        (
            ["arch=resnet56_cifar"],
            "'arch=resnet56_cifar' sets depth=56, and this study sweeps depth; leave it out, or ",
        ),
        (
            ["arch=resnet20_cifar"],
            "'arch=resnet20_cifar' sets depth=20, and this study sweeps depth; leave it out, or ",
        ),
        (["arch=resnet5"], "unknown arch 'resnet5'; did you mean"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_stand_together_is_one_line(typed: list[str], reason: str) -> None:
    assert refusal("+exp=orders", *typed).startswith(reason)


def test_a_preset_beside_a_pinned_grid_is_the_base_of_every_arm() -> None:
    study = plan_study(["+exp=orders", "arch=resnet18", "depth=18", "seed=0"])
    assert [cell.config["backbone"]["layout"] for cell in study.cells] == ["imagenet"] * 2
    assert [cell.config["order"]["name"] for cell in study.cells] == ["post", "pre"]


def test_a_preset_that_every_arm_overrules_is_refused() -> None:
    exp("study: {name: mine, arms: {a: [shortcut=none], b: [shortcut=scaled]}}")
    error = refusal("+exp=mine", "arch=resnet18")
    assert error == "'arch=resnet18' sets shortcut=projection, and every arm of this study sets another; leave it out"


def test_an_option_of_a_plugin_that_only_the_arms_choose_can_be_typed() -> None:
    exp("study: {name: mine, arms: {a: [shortcut=projection], b: [shortcut=projection_all]}}")
    study = plan_study(["+exp=mine", "shortcut.norm=false", "seed=0"])
    assert [cell.config["shortcut"]["norm"] for cell in study.cells] == [False, False]


def test_a_mandatory_option_may_come_from_an_arm_or_the_grid() -> None:
    @ablate.register("act", "steep")
    def steep(*, slope: float) -> nn.Module:
        """A line."""
        return nn.LeakyReLU(slope)

    exp("defaults: [override /act: steep]\nstudy: {name: mine, grid: {act.slope: [1, 2]}, seeds: 1}")
    assert [cell.config["act"]["slope"] for cell in plan_study(["+exp=mine"]).cells] == [1.0, 2.0]
    exp("defaults: [override /act: steep]\nstudy: {name: mine, arms: {a: [act.slope=1], b: []}}")
    assert refusal("+exp=mine") == "arm 'b': act.slope needs a value: act.slope=..."


def test_a_scale_cannot_change_a_claim_that_is_not_there() -> None:
    exp(ORDERS.replace("        deep:", "        depe:"))
    assert refusal("+exp=mine", "scale=paper") == (
        "unknown claim in study.scales.paper.claims 'depe'; did you mean 'deep'?; known: deep"
    )


def test_a_scale_sets_only_what_is_compared() -> None:
    exp(ORDERS.replace("optim.lr=0.3", "engine.slots=2"))
    assert refusal("+exp=mine", "scale=paper").startswith(
        "study.scales.paper.overrides sets engine.slots=2, which is no "
    )


def test_a_study_without_a_name_has_that_of_its_file() -> None:
    """The folder of single cells stays theirs."""
    exp("study: {grid: {depth: [8]}, seeds: 1}", "sub/nameless")
    assert plan_study(["+exp=sub/nameless"]).name == "nameless"
    assert plan_study(["+study.grid.depth=[8]"]).name == "unnamed"
    assert plan_study(["+study.grid.depth=[8]", "study.name=mine"]).name == "mine"


def test_an_interpolation_of_the_seed_is_resolved_for_each_cell() -> None:
    exp("optim: {weight_decay: '${seed}'}\nstudy: {name: mine, grid: {depth: [8]}, seeds: [2, 5]}")
    study = plan_study(["+exp=mine"])
    assert [cell.config["optim"]["weight_decay"] for cell in study.cells] == [2.0, 5.0]


def test_an_interpolation_in_an_arm_is_that_of_its_cells() -> None:
    exp("study: {name: mine, arms: {a: ['optim.weight_decay=${seed}'], b: ['optim.lr=${width}']}, seeds: [2, 5]}")
    study = plan_study(["+exp=mine", "width=0.25"])
    assert [(cell.config["optim"]["weight_decay"], cell.config["optim"]["lr"]) for cell in study.cells] == [
        (2.0, 0.05),
        (5.0, 0.05),
        (0.0001, 0.25),
        (0.0001, 0.25),
    ]


def test_a_planned_study_does_not_change_with_its_files() -> None:
    file = exp("optim: {lr: 0.3}\nstudy: {name: mine, grid: {depth: [8]}, seeds: 1}")
    (cell,) = plan_study(["+exp=mine"]).cells
    exp(file.read_text().replace("0.3", "0.4"))
    assert cell.config["optim"]["lr"] == 0.3
    (other,) = plan_study(["+exp=mine"]).cells
    assert other.id != cell.id


@pytest.mark.parametrize(
    "name",
    ["degradation", *(pytest.param(name, marks=pytest.mark.slow) for name in ("preact_vs_postact", "preact_limit"))],
)
def test_the_built_in_studies_plan_at_the_papers_scale(name: str) -> None:
    study = plan_study([f"+exp={name}", "scale=paper"])
    assert study.seeds.values == [0, 1, 2, 3, 4]
    assert {cell.config["data"]["name"] for cell in study.cells} == {"cifar10"}
    warm = [cell for cell in study.cells if "schedule.warmup_epochs=0" not in study.arms[cell.arm].overrides]
    assert {cell.config["schedule"]["warmup_epochs"] for cell in warm} == {1.023}
    assert study.claims

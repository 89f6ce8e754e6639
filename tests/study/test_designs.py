"""Designs beyond the full grid: which cells each one makes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ablate.__main__ import main
from ablate.report.content import design
from ablate.report.inputs import gather
from ablate.run.results import load_history, load_results, load_study
from ablate.run.store import Store
from tests.studies import places, planned, refusal

ARMS = "arms: {post: [order=post], pre: [order=pre]}, seeds: 1"
ZIP = "zip: {depth: [8, 14, 20], width: [1.0, 0.5, 0.25]}"
PARTS = (
    "shortcut: {with: [shortcut=identity], without: [shortcut=none]}, order: [order=pre], "
    "augment: {with: [augment=shift], without: [augment=none]}"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_factors_that_are_zipped_vary_together_and_with_each_value_of_the_grid() -> None:
    study = planned(f"{ARMS}, grid: {{act: [relu, elu]}}, zip: {{depth: [8, 14], width: [1.0, 0.5]}}")
    points = [("relu", 8, 1.0), ("relu", 14, 0.5), ("elu", 8, 1.0), ("elu", 14, 0.5)]
    assert places(study) == [(arm, *point) for arm in ("post", "pre") for point in points]
    for cell in study.cells:
        values = cell.config["act"]["name"], cell.config["depth"], cell.config["width"]
        assert values == tuple(cell.factors.values())
    assert study.grid == {"act": ["relu", "elu"], "depth": [8, 14], "width": [1.0, 0.5]}
    assert study.zipped == {"depth": [8, 14], "width": [1.0, 0.5]}


def test_a_zipped_factor_may_take_a_value_twice() -> None:
    study = planned("zip: {depth: [8, 8, 14], width: [1.0, 0.5, 0.5]}, seeds: 1")
    assert places(study) == [("base", 8, 1.0), ("base", 8, 0.5), ("base", 14, 0.5)]
    assert study.grid == {"depth": [8, 14], "width": [1.0, 0.5]}


@pytest.mark.parametrize(
    ("typed", "points"),
    [
        (["depth=14"], [(14, 0.5)]),
        (["width=0.25"], [(20, 0.25)]),
        (["width=0.5", "depth=32"], [(32, 0.5)]),
        (["study.zip.depth=[8,14,32]"], [(8, 1.0), (14, 0.5), (32, 0.25)]),
        (["~study.zip.width"], [(8,), (14,), (20,)]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_pin_keeps_the_positions_with_its_value(typed: list[str], points: list[tuple[float, ...]]) -> None:
    assert places(planned(f"seeds: 1, {ZIP}", *typed)) == [("base", *point) for point in points]


def test_claims_name_zipped_factors_and_the_arms_of_a_design() -> None:
    claim = "claims: [{id: c, contrast: {no_order@depth=14: 1, full@width=0.5: -1}, expect: positive, margin: 0.1}]"
    assert [one.id for one in planned(f"leave_one_out: {{{PARTS}}}, {ZIP}, {claim}").claims] == ["c"]


def test_leave_one_out_takes_each_part_from_the_full_recipe() -> None:
    study = planned(f"leave_one_out: {{{PARTS}}}, seeds: 1")
    assert {name: arm.overrides for name, arm in study.arms.items()} == {
        "full": ["shortcut=identity", "order=pre", "augment=shift"],
        "no_shortcut": ["shortcut=none", "order=pre", "augment=shift"],
        "no_order": ["shortcut=identity", "augment=shift"],
        "no_augment": ["shortcut=identity", "order=pre", "augment=none"],
    }
    assert [arm.baseline for arm in study.arms.values()] == [None, "full", "full", "full"]
    assert [arm.changes for arm in study.arms.values()] == [[], ["shortcut"], ["order"], ["augment"]]
    chosen = [tuple(cell.config[kind]["name"] for kind in ("shortcut", "order", "augment")) for cell in study.cells]
    assert chosen == [
        ("identity", "pre", "shift"),
        ("none", "pre", "shift"),
        ("identity", "post", "shift"),
        ("identity", "pre", "none"),
    ]


def test_add_one_in_adds_each_part_to_the_bare_recipe() -> None:
    study = planned(f"add_one_in: {{{PARTS}}}, seeds: 1")
    assert {name: arm.overrides for name, arm in study.arms.items()} == {
        "bare": ["shortcut=none", "augment=none"],
        "only_shortcut": ["shortcut=identity", "augment=none"],
        "only_order": ["shortcut=none", "order=pre", "augment=none"],
        "only_augment": ["shortcut=none", "augment=shift"],
    }
    assert [arm.baseline for arm in study.arms.values()] == [None, "bare", "bare", "bare"]


@pytest.mark.slow
def test_each_arm_keeps_the_baseline_of_its_own_design() -> None:
    both = "leave_one_out: {order: [order=pre]}, add_one_in: {act: [act=elu]}"
    arms = "arms: {a: [norm=none], b: [norm=lrn], c: {overrides: [norm=layer], baseline: full, changes: [norm, order]}}"
    study = planned(f"{arms}, {both}, seeds: 1")
    baselines = {name: arm.baseline for name, arm in study.arms.items()}
    assert baselines == {
        "a": None, "b": "a", "c": "full", "full": None, "no_order": "full", "bare": None, "only_act": "bare",
    }  # fmt: skip
    assert (study.arms["b"].changes, study.arms["c"].changes) == (["norm"], ["norm", "order"])
    study = planned(f"{arms}, {both}, seeds: 1, baseline: b")
    assert [study.arms[name].baseline for name in ("a", "b", "c")] == ["b", None, "full"]


def test_arms_of_two_designs_that_come_to_one_config_share_its_cell(here: Path) -> None:
    """Without the order, the full recipe is the bare one with its shortcut."""
    parts = "shortcut: {with: [shortcut=identity], without: [shortcut=none]}, order: [order=pre]"
    study = planned(f"leave_one_out: {{{parts}}}, add_one_in: {{{parts}}}, seeds: 2")
    ids = {(cell.arm, cell.seed): cell.id for cell in study.cells}
    assert len(ids) == 12
    for seed in (0, 1):
        assert ids["no_order", seed] == ids["only_shortcut", seed]
        assert ids["no_shortcut", seed] == ids["only_order", seed]
    assert len(study.once) == 8
    assert len({cell.id for cell in study.once}) == 8


def test_a_shared_cell_is_trained_once_and_in_the_results_of_both_arms(here: Path) -> None:
    shortcut = "shortcut: {with: [shortcut=identity], without: [shortcut=none]}"
    parts = f"{shortcut}, augment: {{with: [augment=shift], without: [augment=none]}}"
    claim = "{id: c, contrast: {no_augment: 1, bare: -1}, metric: train/loss, expect: negative, margin: 0.1}"
    planned(f"leave_one_out: {{{parts}}}, add_one_in: {{{parts}}}, seeds: 1, claims: [{claim}]")
    assert main(["+exp=mine", "depth=8", "width=0.25", "trainer.epochs=2"]) == 0
    folder = Path("runs/mine")
    assert len(list(folder.glob("cells/*/result.json"))) == 4
    frame, history = load_results(folder), load_history(folder)
    assert list(frame["arm"]) == ["full", "no_shortcut", "no_augment", "bare", "only_shortcut", "only_augment"]
    loss = dict(zip(frame["arm"], frame["train/loss"], strict=True))
    assert loss["no_augment"] == loss["only_shortcut"] != loss["full"]
    inputs = gather(load_study(folder).to_dict(), frame, history)
    assert len(inputs.history) == 12, "two epochs of each arm"
    assert "= 6 cells (4 different: arms share the others)" in design(inputs)
    assert len(yaml.safe_load((folder / "verdicts.json").read_text())) > 0


@pytest.mark.parametrize(
    ("design", "line"),
    [
        (
            "arms: {a: [order=pre], b: [order=pre]}",
            "arm 'a' and arm 'b' have the same config: nothing to compare; give one of them an override that changes",
        ),
        (
            "leave_one_out: {order: [order=pre], act: [act=relu]}",
            "arm 'full' and arm 'no_act' have the same config: nothing to compare",
        ),
        (
            "add_one_in: {order: [order=post], act: [act=elu]}",
            "arm 'bare' and arm 'only_order' have the same config: nothing to compare",
        ),
        (
            "arms: {a: [], b: {overrides: [order=pre], baseline: full}}, leave_one_out: {order: [order=pre]}",
            "arm 'b' and arm 'full' have the same config: nothing to compare",
        ),
    ],
)
def test_an_arm_is_never_the_twin_of_its_baseline(design: str, line: str) -> None:
    assert refusal(f"{design}, seeds: 1").startswith(line)


def test_excluded_cells_are_left_out_where_all_keys_agree() -> None:
    grid = "grid: {depth: [8, 14], width: [0.5, 1.0]}"
    study = planned(f"{ARMS}, {grid}, exclude: [{{arm: post, depth: 14}}, {{width: 1.0, depth: 8}}]")
    assert places(study) == [("post", 8, 0.5), ("pre", 8, 0.5), ("pre", 14, 0.5), ("pre", 14, 1.0)]
    assert study.exclude == [{"arm": "post", "depth": 14}, {"width": 1.0, "depth": 8}]


def test_what_is_excluded_need_not_compose() -> None:
    study = planned("grid: {block: [basic, bottleneck], block.stride_at: [3x3]}, seeds: 1, exclude: [{block: basic}]")
    assert places(study) == [("base", "bottleneck", "3x3")]


def test_an_exclusion_holds_for_a_typed_interpolation_too() -> None:
    study = planned(f"{ARMS}, grid: {{depth: [8, 14]}}, exclude: [{{arm: pre, depth: 14}}]", "depth=${oc.decode:'14'}")
    assert places(study) == [("post", 14)]


def test_what_the_user_took_away_can_still_be_excluded() -> None:
    study = planned(
        f"{ARMS}, grid: {{depth: [8, 14]}}, exclude: [{{arm: pre, depth: 14}}]", "~study.arms.pre", "depth=8"
    )
    assert places(study) == [("post", 8)]


def test_a_scale_changes_zip_and_exclusions() -> None:
    scales = "scales: {paper: {zip: {depth: [20, 56], width: [1.0, 0.5]}, exclude: [{arm: pre, depth: 56}]}}"
    text = f"{ARMS}, {ZIP}, exclude: [{{depth: 20}}], {scales}"
    assert places(planned(text)) == [(arm, *point) for arm in ("post", "pre") for point in ((8, 1.0), (14, 0.5))]
    assert places(planned(text, "scale=paper")) == [("post", 20, 1.0), ("post", 56, 0.5), ("pre", 20, 1.0)]
    assert places(planned(text, "scale=paper", "study.exclude=[{depth:20}]", "~study.arms.pre")) == [("post", 56, 0.5)]


@pytest.mark.slow
def test_arms_and_parts_are_changed_by_hand() -> None:
    arms = "arms: {a: [], b: {overrides: [order=pre], changes: [order]}}"
    design = f"{arms}, leave_one_out: {{act: [act=elu], norm: [norm=none]}}"
    study = planned(
        design, "study.arms.b.changes=[order,act]", "~study.leave_one_out.norm", "+study.leave_one_out.x=['depth=8']"
    )
    assert study.arms["b"].changes == ["order", "act"]
    assert list(study.arms) == ["a", "b", "full", "no_act", "no_x"]
    study = planned(design, "study.arms.b.overrides=['order=relu_before_add']")
    assert study.arms["b"].overrides == ["order=relu_before_add"]
    study = planned(design, "~study.arms.b", "+study.arms.c.overrides=['norm=lrn']", "+study.arms.c.baseline=full")
    assert (study.arms["c"].overrides, study.arms["c"].baseline) == (["norm=lrn"], "full")


@pytest.mark.parametrize("typed", ["study.arms.a={match: params}", "study.arms.a.match=params", "study.arms.b=['x=y']"])
def test_a_short_arm_does_not_become_a_long_one_by_halves(typed: str) -> None:
    error = refusal("arms: {a: [order=pre], b: {overrides: [act=elu]}}", typed)
    assert "a list and a mapping do not go together; take the key away with ~KEY, and add it anew" in error
    whole = ["~study.arms.b", "+study.arms.b=['norm=none']"]
    assert planned("arms: {a: [], b: {changes: [act]}}", *whole).arms["b"].overrides == ["norm=none"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("arms: {a: {override: [order=pre]}}", "unknown field of study.arms.a 'override'; did you mean 'overrides'?"),
        ("arms: {a: {overrides: order=pre}}", "study.arms.a.overrides: must be a list, such as [order=pre], and not "),
        (
            "arms: {a: [], b: {changes: [ordr], overrides: [act=elu]}}",
            "arm 'b': unknown key 'ordr'; did you mean 'order'?",
        ),
        (
            "arms: {a: [], b: {overrides: [act=elu], baseline: aa}}",
            "unknown baseline of arm 'b' 'aa'; did you mean 'a'?",
        ),
        ("arms: {a: {baseline: b}, b: [act=elu]}", "baselines lead in a circle: a -> b -> a; name another with "),
        ("arms: {a: [], b: {baseline: b}}", "baselines lead in a circle: b -> b; name another with study.baseline"),
        (
            "arms: {post: [], pre: [order=pre]}, baseline: pst",
            "unknown arm in study.baseline 'pst'; did you mean 'post'",
        ),
        ("leave_one_out: {a: [act=elu]}, baseline: no_a", "study.baseline=no_a: it is that of the arms in study.arms"),
        ("arms: {a@b: [act=elu]}", "arm 'a@b': a name has no '@'"),
        (
            "arms: {full: []}, leave_one_out: {a: [act=elu]}",
            "arm 'full' is written in study.arms, and study.leave_one_out",
        ),
        (
            "leave_one_out: {a: act=elu}",
            "study.leave_one_out.a: must be a list, such as [order=pre], or a mapping with with",
        ),
        ("leave_one_out: {a: {wth: [act=elu]}}", "unknown field of study.leave_one_out.a 'wth'; did you mean 'with'?"),
        (
            "add_one_in: {a: []}",
            "study.add_one_in.a is the same with and without: a part needs an override that changes",
        ),
        ("leave_one_out: {a: [act=elu], b: [act=tanh]}", "arm 'full' sets act twice: act=elu and act=tanh"),
        ("leave_one_out: {a: [actt=elu]}", "arm 'full': unknown key 'actt'; did you mean 'act'?"),
        (
            "zip: {depth: [8, 14], width: [1.0]}",
            "study.zip takes one value of each list at a time, and their lengths diff",
        ),
        ("zip: {depth: [], width: []}", "study.zip has no values for depth, width; give at least one"),
        ("zip: {depth: [8, 8], width: [1, 1]}", "study.zip has depth=8,width=1 twice; give each position once"),
        ("zip: {depth: 8}", "conf/exp/mine.yaml: study.zip.depth: must be a list, such as [a,b]"),
        (
            "zip: {depth: [8]}, grid: {depth: [8]}",
            "depth is in study.grid and in study.zip; a factor varies in one of the",
        ),
        ("zip: {seed: [1]}", "study.zip.seed is no part of what is compared (seeds are in study.seeds)"),
        ("zip: {act: [relu]}, arms: {a: [act=elu]}", "arm 'a' sets act=elu, and study.zip.act sweeps it; drop one"),
        (
            f"{ARMS}, exclude: [{{arm: psot}}]",
            "unknown arm 'psot'; did you mean 'post'?; known: post, pre; (study.exclude,",
        ),
        (
            f"{ARMS}, {ZIP}, exclude: [{{dept: 8}}]",
            "unknown factor 'dept'; did you mean 'depth'?; known: arm, depth, width",
        ),
        (
            f"{ARMS}, {ZIP}, exclude: [{{depth: 9}}]",
            "unknown value of depth '9'; known: 14, 20, 8; (study.exclude, {depth",
        ),
        (
            f"{ARMS}, exclude: [{{}}]",
            "study.exclude has an empty entry, which would leave nothing; name an arm or a factor",
        ),
        (f"{ARMS}, exclude: [{{arm: pre}}, {{arm: post}}]", "study.exclude leaves no cell"),
    ],
)
def test_a_design_that_cannot_be_is_one_line(text: str, line: str) -> None:
    assert refusal(text).startswith(line)


@pytest.mark.parametrize(
    ("text", "typed", "line"),
    [
        (
            ZIP,
            "depth=9",
            "no position of study.zip has depth=9; positions: depth=8,width=1; depth=14,width=0.5; depth=20",
        ),
        (
            "leave_one_out: {a: [act=elu]}",
            "act=tanh",
            "'act=tanh' names what the study's arms set (full: act=elu); leave",
        ),
        (
            ZIP,
            "arch=resnet20_cifar",
            "'arch=resnet20_cifar' sets depth=20, and this study sweeps depth; leave it out, or",
        ),
        (f"{ARMS}, baseline: post", "~study.arms.post", "unknown arm in study.baseline 'post'; known: pre"),
    ],
)
def test_what_is_typed_and_does_not_fit_a_design_is_one_line(text: str, typed: str, line: str) -> None:
    assert refusal(text, typed).startswith(line)


def test_a_typed_part_is_dropped_or_changed_by_its_own_key() -> None:
    error = refusal("leave_one_out: {a: [act=elu]}", "act=tanh")
    assert "change the arm with study.leave_one_out.PART=[...], or drop it with ~study.leave_one_out.PART" in error


CLAIM = "claims: [{{id: c, contrast: {{{}}}, expect: positive, margin: 0.1}}]"


@pytest.mark.parametrize(
    ("contrast", "line"),
    [
        ("post@depth=14: 1, pre@depth=14: -1", "claim 'c', selector 'post@depth=14': the study has no such cell, by"),
        ("post: 1, pre: -1", "claim 'c' averages over different grid points: study.exclude takes depth=14 from post; "),
    ],
)
def test_a_claim_about_excluded_cells_is_refused(contrast: str, line: str) -> None:
    grid = "grid: {depth: [8, 14]}, exclude: [{arm: post, depth: 14}]"
    assert refusal(f"{ARMS}, {grid}, {CLAIM.format(contrast)}").startswith(line)


def test_a_claim_about_no_position_of_the_zip_is_refused() -> None:
    claim = CLAIM.format('"post@depth=8,width=0.5": 1, post@depth=14: -1')
    assert refusal(f"{ARMS}, {ZIP}, {claim}").startswith(
        "claim 'c', selector 'post@depth=8,width=0.5': the study has no"
    )


def test_averages_that_lost_the_same_points_can_be_compared() -> None:
    grid = "grid: {depth: [8, 14]}, exclude: [{depth: 14}]"
    assert planned(f"{ARMS}, {grid}, {CLAIM.format('post: 1, pre: -1')}").claims
    lopsided = (
        f"{ARMS}, grid: {{depth: [8, 14]}}, exclude: [{{arm: post, depth: 14}}], {CLAIM.format('post: 1, pre: -1')}"
    )
    assert planned(lopsided, "depth=8").claims, "at depth 8 nothing is missing"
    assert planned(lopsided, "depth=14").claims, "not tested: post has no cell there"


def test_study_yaml_keeps_what_the_report_reads(here: Path) -> None:
    study = planned(f"leave_one_out: {{order: [order=pre]}}, {ZIP}, exclude: [{{depth: 20}}], seeds: 1")
    store = Store("runs", study.name)
    store.prepare()
    store.write_study(study)
    kept = load_study("runs/mine")
    assert kept.arms == {"full": ["order=pre"], "no_order": []}
    assert kept.baselines == {"full": None, "no_order": "full"}
    assert kept.changes == {"full": [], "no_order": ["order"]}
    assert kept.grid == {"depth": [8, 14, 20], "width": [1.0, 0.5, 0.25]}
    assert (kept.zip, kept.exclude, kept.matched) == (kept.grid, [{"depth": 20}], [])
    frame = load_results("runs/mine")
    assert list(frame.columns[:5]) == ["cell", "arm", "depth", "width", "seed"]
    assert design(gather(kept.to_dict(), frame)) == (
        "2 arms (full, no_order) × depth with width 8 with 1, 14 with 0.5 × 1 seed = 4 cells, scale quick"
    )

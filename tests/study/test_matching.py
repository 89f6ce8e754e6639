"""Matched controls: the knob that makes an arm cost what its baseline does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate import InputError
from ablate.__main__ import main
from ablate.network.build import build_model, count_flops, count_parameters
from ablate.run.results import load_study
from ablate.run.store import Store
from ablate.study.plan import Cell, Study
from ablate.study.search import Knob, Search
from tests.studies import planned, refusal

BLOCKS = "arms: {basic: [block=basic], bottleneck: {overrides: [block=bottleneck], match: %s}}, seeds: 2"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cost(cell: Cell, metric: str) -> int:
    """Of the network that trains, on images of 8x8 pixels."""
    with torch.device("meta"):
        model = build_model(cell.config)
    return count_parameters(model) if metric == "params" else count_flops(model, (1, 1, 8, 8))


def by_place(study: Study) -> dict[tuple[str, str], Cell]:
    return {(cell.arm, cell.point): cell for cell in study.cells}


@pytest.mark.parametrize("metric", ["params", "flops"])
@pytest.mark.slow
def test_the_width_makes_an_arm_cost_what_its_baseline_does_at_each_point(metric: str) -> None:
    study = planned(BLOCKS % metric + ", grid: {depth: [20, 56]}", "seed=0")
    cells = by_place(study)
    assert list(study.matched) == [("bottleneck", "depth=20"), ("bottleneck", "depth=56")]
    for (arm, point), matched in study.matched.items():
        assert (matched.metric, matched.knob) == (metric, "width")
        assert matched.value == cells[arm, point].config["width"] != 0.5
        assert matched.cost == cost(cells[arm, point], metric)
        assert matched.target == cost(cells["basic", point], metric)
        assert abs(matched.difference) <= 0.02
        assert matched.difference == matched.cost / matched.target - 1
        assert cells["basic", point].config["width"] == 0.5, "the baseline is as it was"


def test_every_seed_of_an_arm_has_the_value_found() -> None:
    study = planned(BLOCKS % "params", "depth=20")
    widths = {cell.config["width"] for cell in study.cells if cell.arm == "bottleneck"}
    assert widths == {study.matched["bottleneck", ""].value}
    assert study.arms["bottleneck"].changes == ["block", "width"]


@pytest.mark.parametrize("block", ["single", "resnext"])
@pytest.mark.parametrize("metric", ["params", "flops"])
def test_other_blocks_are_matched_too(block: str, metric: str) -> None:
    options = "block.base_width=16, block.cardinality=1" if block == "resnext" else "order=post"
    arms = f"a: [block=bottleneck], b: {{overrides: [block={block}, {options}], match: {metric}}}"
    study = planned(f"arms: {{{arms}}}, seeds: 1", "depth=20")
    a, b = study.cells
    assert cost(b, metric) == pytest.approx(cost(a, metric), rel=0.02)


def test_a_named_whole_number_is_searched_among_whole_numbers() -> None:
    arms = "a: [block=basic], b: {overrides: [shortcut=conv1x1], match: flops, knob: backbone.channels}"
    scales = "scales: {quick: {overrides: [backbone.channels=64]}}"
    study = planned(f"arms: {{{arms}}}, seeds: 1, {scales}", "depth=8")
    (matched,) = study.matched.values()
    assert isinstance(matched.value, int)
    assert study.cells[1].config["backbone"]["channels"] == matched.value < 64
    assert cost(study.cells[1], "flops") == pytest.approx(cost(study.cells[0], "flops"), rel=0.02)


def test_an_arm_can_be_matched_with_a_matched_one() -> None:
    arms = "a: [], b: {overrides: [shortcut=conv1x1], match: params}, "
    arms += "c: {overrides: [shortcut=projection_all], match: params, baseline: b}"
    study = planned(f"arms: {{{arms}}}, seeds: 1", "depth=20")
    cells = by_place(study)
    assert study.matched["c", ""].target == study.matched["b", ""].cost == cost(cells["b", ""], "params")
    assert cost(cells["c", ""], "params") == pytest.approx(cost(cells["b", ""], "params"), rel=0.02)


def test_a_study_may_set_the_width_that_all_arms_start_from() -> None:
    text = BLOCKS % "params" + ", scales: {quick: {overrides: [width=0.75]}}"
    study = planned(text, "depth=20", "seed=0")
    basic, bottleneck = study.cells
    assert basic.config["width"] == 0.75
    assert cost(bottleneck, "params") == pytest.approx(cost(basic, "params"), rel=0.02)


@pytest.mark.slow
def test_what_is_excluded_at_the_baseline_is_matched_all_the_same() -> None:
    text = BLOCKS % "params" + ", grid: {depth: [20, 56]}, exclude: [{arm: basic, depth: 56}]"
    study = planned(text, "seed=0")
    assert [(cell.arm, cell.point) for cell in study.cells] == [
        ("basic", "depth=20"), ("bottleneck", "depth=20"), ("bottleneck", "depth=56"),
    ]  # fmt: skip
    assert set(study.matched) == {("bottleneck", "depth=20"), ("bottleneck", "depth=56")}


def test_study_yaml_says_how_near_each_arm_came() -> None:
    study = planned(BLOCKS % "flops" + ", grid: {depth: [20]}")
    store = Store("runs", study.name)
    store.prepare()
    store.write_study(study)
    (row,) = load_study("runs/mine").matched
    (matched,) = study.matched.values()
    assert row == {
        "arm": "bottleneck", "baseline": "basic", "factors": {"depth": 20}, "metric": "flops", "knob": "width",
        "value": matched.value, "cost": matched.cost, "target": matched.target, "difference": matched.difference,
    }  # fmt: skip


@pytest.mark.slow
def test_the_report_says_how_near_an_arm_came_and_compares_costs_with_its_baseline() -> None:
    arms = "a: [], b: {overrides: [shortcut=conv1x1], match: params}, c: {overrides: [norm=none], baseline: b}"
    study = planned(f"arms: {{{arms}}}, seeds: 1")
    assert main(["+exp=mine", "depth=8", "trainer.epochs=1"]) == 0
    (matched,) = planned(f"arms: {{{arms}}}, seeds: 1", "depth=8").matched.values()
    report = Path(f"runs/{study.name}/report.md").read_text(encoding="utf-8")
    near = f"{100 * matched.difference:+.1f} % of a".replace("-", "\u2212")
    assert f"| b | shortcut=conv1x1 | a | params, by width {matched.value:g}: {near} |" in report
    assert "| c | norm=none | b | \u2013 |" in report
    assert "In brackets: difference to the arm's baseline." in report


@pytest.mark.parametrize(
    ("arm", "rest", "typed", "line"),
    [
        ("match: parms", "", [], "unknown match of arm 'b' 'parms'; did you mean 'params'?"),
        ("knob: width", "", [], "arm 'b' has the knob width and nothing to match; add match: params or match: flops"),
        ("match: params", "baseline: b", [], "arm 'b' is the baseline itself: there is no other to match params with"),
        ("match: params, knob: widht", "", [], "arm 'b': unknown key 'widht'; did you mean 'width'?"),
        ("match: params, knob: act.name", "", [], "arm 'b': the knob act.name is relu, and it must be a number, such"),
        (
            "match: params, knob: seed",
            "",
            [],
            "arm 'b' adjusts seed to match its baseline, and seed is no part of what",
        ),
        ("match: params, knob: optim.nesterov", "", [], "arm 'b': the knob optim.nesterov is False, and it must be a"),
        (
            "match: params",
            "",
            ["width=0.25"],
            "arm 'b' adjusts width to match its baseline, and 'width=0.25' would be lost there; leave it out, or set ",
        ),
        (
            "match: params",
            "grid: {width: [0.5]}",
            [],
            "arm 'b' adjusts width to match its baseline, and study.grid.width sweeps it; drop one, or name another",
        ),
        (
            "match: params",
            "zip: {width: [0.5]}",
            [],
            "arm 'b' adjusts width to match its baseline, and study.zip.width sweeps it; drop one, or name another",
        ),
        (
            "match: params, overrides: [block=bottleneck, width=0.5]",
            "",
            [],
            "arm 'b' adjusts width to match its baseline, and sets width=0.5; drop one, or name another knob",
        ),
        (
            "match: params, knob: optim.lr",
            "",
            [],
            "arm 'b': no optim.lr brings its params within 2 % of those of its baseline 'a': the nearest is optim.lr=",
        ),
        ("match: flops", "", ["depth=9"], "arm 'b': its baseline 'a': depth 9 does not exist"),
    ],
)
def test_a_match_that_cannot_be_is_one_line(arm: str, rest: str, typed: list[str], line: str) -> None:
    overrides = "" if "overrides" in arm else "overrides: [block=bottleneck], "
    error = refusal(f"arms: {{a: [], b: {{{overrides}{arm}}}}}{', ' if rest else ''}{rest}", *typed)
    assert error.startswith(line)


def test_an_arm_before_its_baseline_says_that_the_baseline_cannot_be_built() -> None:
    error = refusal("baseline: a, arms: {b: {overrides: [block=bottleneck], match: flops}, a: []}", "depth=9")
    assert error.startswith("arm 'b': its baseline 'a': depth 9 does not exist")


@pytest.mark.slow
def test_the_nearest_value_is_named_where_none_is_near_enough() -> None:
    arms = "a: [block=basic], b: {overrides: [shortcut=conv1x1], match: params, knob: backbone.channels}"
    error = refusal(f"arms: {{{arms}}}", "depth=8", "width=0.25")
    assert error == (
        "arm 'b': no backbone.channels brings its params within 2 % of those of its baseline 'a': "
        "the nearest is backbone.channels=16 with 5,110 against 4,934 (+3.6 %)"
    )


def found(knob: Knob, cost: Callable[[float], int], target: int) -> tuple[float, int, int]:
    """The value, its cost, and how many values were tried."""
    tried: list[float] = []

    def counted(value: float) -> int:
        tried.append(value)
        return cost(value)

    value, at = Search(knob, counted, target).nearest()
    assert at == cost(value)
    assert len(set(tried)) == len(tried), "no value is tried twice"
    return value, at, len(tried)


def squares(value: float) -> int:
    return int(1000 * value**2)


def refusing(accepts: Callable[[float], Any], cost: Callable[[float], int]) -> Callable[[float], int]:
    def strict(value: float) -> int:
        if not accepts(value):
            raise InputError(f"not {value:g}")
        return cost(value)

    return strict


@pytest.mark.parametrize("target", [3, 500, 1000, 123_456, 50_000_000])
def test_a_real_knob_is_found_in_few_steps(target: int) -> None:
    value, cost, steps = found(Knob(1.0, whole=False), lambda v: int(1e6 * v**2), target * 1000)
    assert cost == pytest.approx(target * 1000, rel=0.005)
    assert steps <= 14
    assert value == float(f"{value:.4g}")


def test_of_whole_numbers_the_nearest_is_taken() -> None:
    assert found(Knob(4, whole=True), squares, 1000 * 49)[:2] == (7, 49_000)
    assert found(Knob(4, whole=True), squares, 1000 * 43)[:2] == (7, 49_000)
    assert found(Knob(4, whole=True), squares, 1000 * 42)[:2] == (6, 36_000)
    assert found(Knob(4, whole=True), squares, 1)[:2] == (1, 1000)


def test_a_cost_in_steps_ends_at_the_nearest_step() -> None:
    """As channels do, which are whole numbers."""
    value, cost, _ = found(Knob(1.0, whole=False), lambda v: 1000 * round(8 * v), 11_400)
    assert cost == 11_000
    assert round(8 * value) == 11


def test_a_knob_may_lower_the_cost() -> None:
    value, cost, _ = found(Knob(4, whole=True), lambda v: int(10_000 / v), 700)
    assert (value, cost) == (14, 714)


def test_values_that_a_network_refuses_are_skipped() -> None:
    even = refusing(lambda v: v % 2 == 0, squares)
    assert found(Knob(4, whole=True), even, 1000 * 81)[:2] == (8, 64_000)
    assert found(Knob(5, whole=True), even, 1000 * 99)[:2] == (10, 100_000)
    eighths = refusing(lambda v: round(16 * v) % 8 == 0 and round(16 * v), lambda v: round(16 * v) ** 2)
    assert found(Knob(0.5, whole=False), eighths, 40**2)[1] == 40**2


def test_a_network_that_refuses_every_value_says_why() -> None:
    with pytest.raises(InputError, match="not "):
        Search(Knob(1.0, whole=False), refusing(lambda v: False, squares), 10).nearest()

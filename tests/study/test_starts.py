"""Arms that start from the trained networks of another: which cell each cell starts from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ablate.study.plan import plan_study
from tests.studies import planned, refusal

SMALL = ["scale=tiny", "width=0.1"]
ARMS = "arms: {{shallow: [depth=8], grown: {{overrides: [depth=14], starts_from: {of}}}}}, seeds: 2"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_cell_starts_from_that_of_its_own_seed_whose_weights_are_kept() -> None:
    study = planned(ARMS.format(of="shallow"), *SMALL)
    by_arm = {arm: [cell for cell in study.cells if cell.arm == arm] for arm in study.arms}
    assert [cell.config["start"] for cell in by_arm["grown"]] == [f"cell:{cell.id}" for cell in by_arm["shallow"]]
    assert [cell.config.get("start") for cell in by_arm["shallow"]] == [None, None]
    assert study.keep == ("weights",)
    assert [cell.arm for cell in study.cells] == ["shallow", "shallow", "grown", "grown"]


@pytest.mark.slow
def test_what_changes_the_source_changes_the_name_of_what_starts_from_it() -> None:
    usual, other = (
        next(cell.id for cell in planned(ARMS.format(of="shallow"), *SMALL, *more).cells if cell.arm == "grown")
        for more in ((), ("optim.lr=0.01",))
    )
    longer = planned(ARMS.format(of="shallow").replace("[depth=8]", "[depth=8, trainer.epochs=2]"), *SMALL)
    assert len({usual, other, *(cell.id for cell in longer.cells if cell.arm == "grown")}) == 4


def test_an_arm_written_before_its_source_and_a_chain_keep_the_order_of_the_file() -> None:
    study = planned(
        "arms: {c: {overrides: [depth=20], starts_from: b}, b: {overrides: [depth=14], starts_from: a}, a: [depth=8]}",
        *SMALL, "study.seeds=1",
    )  # fmt: skip
    c, b, a = study.cells
    assert (c.arm, b.arm, a.arm) == ("c", "b", "a")
    assert (c.config["start"], b.config["start"]) == (f"cell:{b.id}", f"cell:{a.id}")


def test_what_a_claim_does_not_speak_of_is_trained_all_the_same_where_others_start_from_it() -> None:
    """As at a later look, for which only the cells of the claims are trained that are still open."""
    claim = "{id: c, metric: train/loss, contrast: {c: 1, other: -1}, expect: zero, margin: 1}"
    study = planned(
        "arms: {a: [depth=8], b: {overrides: [depth=14], starts_from: a}, c: {overrides: [depth=20], starts_from: b}, "
        f"other: [depth=26], idle: [depth=32]}}, seeds: 2, claims: [{claim}]",
        *SMALL,
    )
    assert [(cell.arm, cell.seed) for cell in study.cells_of([1], study.claims)] == [
        ("a", 1), ("b", 1), ("c", 1), ("other", 1)
    ]  # fmt: skip
    assert {cell.arm for cell in study.cells_of([0])} == {"a", "b", "c", "other", "idle"}


def test_a_source_that_does_not_exist_or_has_no_cell_there_is_one_line() -> None:
    text = refusal(ARMS.format(of="shalow"), *SMALL)
    assert "starts_from of arm 'grown'" in text
    assert "shallow" in text
    circle = "arms: {a: {overrides: [depth=8], starts_from: b}, b: {overrides: [depth=14], starts_from: a}}"
    assert "starts_from leads in a circle: a -> b -> a" in refusal(circle, *SMALL)
    excluded = ARMS.format(of="shallow") + ", grid: {act: [relu, tanh]}, exclude: [{arm: shallow, act: tanh}]"
    assert "starts from arm 'shallow', which has no cell at act=tanh" in refusal(excluded, *SMALL)
    both = ARMS.format(of="shallow").replace("depth=14", "depth=14, start=some.safetensors")
    assert "one of them" in refusal(both, *SMALL)
    assert "starts_from: ARM" in refusal("arms: {a: ['start=\"cell:abc\"'], b: [depth=8]}", *SMALL)


def test_a_file_counts_by_what_it_holds_and_must_be_there(tmp_path: Path) -> None:
    assert "start=none.safetensors: no such file" in refusal(
        "arms: {a: [depth=8], b: [start=none.safetensors]}", *SMALL
    )

    def cell(name: str, value: float) -> str:
        save_file({"head.linear.bias": torch.full((10,), value)}, tmp_path / name)
        return plan_study([*SMALL, "depth=8", f"start={name}"]).cells[0].id

    first = cell("one.safetensors", 1.0)
    assert cell("two.safetensors", 1.0) == first
    assert cell("three.safetensors", 2.0) != first
    assert plan_study([*SMALL, "depth=8"]).cells[0].id != first

"""Results that the store has already, copied into a study that asks for them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablate.run.store import of_cell
from ablate.run.takeover import take_over
from ablate.study.plan import Cell
from tests.cells import tiny_cell
from tests.stores import METRICS, finish, store, tree


@pytest.fixture
def cell() -> Cell:
    return tiny_cell("seed=5")


def result_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def test_a_result_of_another_study_is_copied_and_says_where_it_is_from(tmp_path: Path, cell: Cell) -> None:
    theirs = finish(store(tmp_path, "theirs"), cell)
    before = tree(theirs)
    here = store(tmp_path)
    take_over(here, [cell], same_code=True)
    taken = here.cell(cell.id)
    assert result_in(taken) == {**result_in(theirs), "reused_from": "theirs"}
    assert (taken / "history.csv").read_bytes() == (theirs / "history.csv").read_bytes()
    frozen = yaml.safe_load((taken / "cell.yaml").read_text())
    assert frozen == {**of_cell(cell), "config": cell.config}
    assert tree(theirs) == before

    third = store(tmp_path, "a third")
    take_over(third, [cell], same_code=True)
    origin = result_in(third.cell(cell.id))["reused_from"]
    assert origin == "theirs", "the study that trained it, however often it is taken over"


def test_what_belongs_to_a_finished_cell_is_copied_and_nothing_else(tmp_path: Path, cell: Cell) -> None:
    theirs = finish(store(tmp_path, "theirs"), cell)
    kept = ["weights.safetensors", "probes/norms.csv", "measurements/accuracy.csv"]
    for name in (*kept, "log.txt", "failure.json", "last.ckpt", "probes/notes.txt"):
        (theirs / name).parent.mkdir(exist_ok=True)
        (theirs / name).write_text(name)
    here = store(tmp_path)
    take_over(here, [cell], same_code=True)
    taken = here.cell(cell.id)
    files = {str(one.relative_to(taken)) for one in taken.rglob("*") if one.is_file()}
    assert files == {"cell.yaml", "history.csv", "result.json", *kept}
    assert all((taken / name).read_text() == name for name in kept)


@pytest.mark.parametrize(("same_code", "taken"), [(True, False), (False, True)])
def test_a_result_of_other_code_is_taken_only_where_that_is_no_matter(
    same_code: bool, taken: bool, tmp_path: Path, cell: Cell
) -> None:
    finish(store(tmp_path, "theirs"), cell, code="older")
    here = store(tmp_path)
    take_over(here, [cell], same_code=same_code)
    assert here.cell(cell.id).exists() == taken
    if taken:
        assert result_in(here.cell(cell.id))["code"] == "older"
        assert yaml.safe_load((here.cell(cell.id) / "cell.yaml").read_text())["code"] == "older"


def test_a_result_of_ones_own_stays_as_it_is(tmp_path: Path, cell: Cell) -> None:
    here = store(tmp_path)
    own = finish(here, cell)
    finish(store(tmp_path, "another"), cell, metrics={"test/error": 0.0})
    before = tree(own)
    take_over(here, [cell], same_code=True)
    assert tree(own) == before


@pytest.mark.parametrize("study", ["mine", "theirs"])
def test_a_result_of_an_earlier_id_is_taken_under_todays(study: str, tmp_path: Path, cell: Cell) -> None:
    older = finish(store(tmp_path, study), replace(cell, id="older"))
    before = tree(older)
    here = store(tmp_path)
    take_over(here, [replace(cell, earlier=("older",))], same_code=True)
    result = result_in(here.cell(cell.id))
    assert (result["id"], result["earlier_id"]) == (cell.id, "older")
    assert result.get("reused_from") == (None if study == "mine" else "theirs")
    assert result["metrics"] == result_in(older)["metrics"]
    assert tree(older) == before


def test_todays_id_comes_before_an_earlier_one(tmp_path: Path, cell: Cell) -> None:
    here = store(tmp_path)
    finish(here, replace(cell, id="older"), metrics={**METRICS, "seconds": 1, "test/error": 0.9})
    finish(store(tmp_path, "theirs"), cell, metrics={**METRICS, "seconds": 1, "test/error": 0.1})
    take_over(here, [replace(cell, earlier=("older",))], same_code=True)
    assert result_in(here.cell(cell.id))["metrics"]["test/error"] == 0.1


def test_what_nobody_has_leaves_nothing(tmp_path: Path, cell: Cell) -> None:
    here = store(tmp_path)
    before = tree(tmp_path)
    take_over(here, [cell], same_code=False)
    assert tree(tmp_path) == before


def test_a_broken_result_elsewhere_is_none(tmp_path: Path, cell: Cell) -> None:
    folder = finish(store(tmp_path, "theirs"), cell)
    (folder / "result.json").write_text("{")
    here = store(tmp_path)
    take_over(here, [cell], same_code=True)
    assert here.find(cell) is None

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ablate.errors import InputError
from ablate.run.results import load_history, load_results, load_study
from ablate.run.store import Store
from ablate.run.takeover import take_over
from ablate.study.plan import Cell, Study
from ablate.system.files import write_json
from tests.cells import tiny_study
from tests.stores import METRICS, finish, store, tree


@pytest.fixture
def study() -> Study:
    return copy.deepcopy(
        tiny_study("+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.seeds=2")
    )


@pytest.fixture
def cell(study: Study) -> Cell:
    return study.cells[0]


def test_a_frozen_cell_says_all_that_its_process_needs(tmp_path: Path, cell: Cell) -> None:
    folder = store(tmp_path).freeze(cell)
    assert folder == tmp_path / "mine" / "cells" / cell.id
    frozen = yaml.safe_load((folder / "cell.yaml").read_text())
    place = {"arm": cell.arm, "factors": cell.factors}
    assert frozen == {"id": cell.id, "code": cell.code, **place, "contents": {}, "config": cell.config}


def test_a_cell_without_result_has_none(tmp_path: Path, cell: Cell) -> None:
    here = store(tmp_path)
    here.freeze(cell)
    assert here.find(cell) is None


def test_a_result_is_found_again(tmp_path: Path, cell: Cell) -> None:
    here = store(tmp_path)
    finish(here, cell)
    found = here.find(cell)
    assert found is not None
    assert found.folder == here.cell(cell.id)
    assert found.result["metrics"]["train/loss"] == 0.5


def test_a_result_of_another_study_is_found_where_it_lies_and_nothing_is_written(tmp_path: Path, cell: Cell) -> None:
    theirs = finish(store(tmp_path, "theirs"), cell)
    here = store(tmp_path)
    before = tree(tmp_path)
    found = here.find(cell, cell.code)
    assert found is not None
    assert found.folder == theirs
    assert "reused_from" not in found.result
    assert tree(tmp_path) == before


def test_a_result_of_an_earlier_id_is_found_after_those_of_todays(tmp_path: Path, cell: Cell) -> None:
    here, theirs = store(tmp_path), store(tmp_path, "theirs")
    older = replace(cell, id="older", earlier=())
    newer = replace(cell, earlier=("oldest", "older"))
    places = [finish(one, which) for which in (older, cell) for one in (theirs, here)]
    for place in reversed(places):
        found = here.find(newer)
        assert found is not None
        assert found.folder == place
        shutil.rmtree(place)
    assert here.find(newer) is None


def test_a_result_of_other_code_counts_only_where_any_code_does(tmp_path: Path, cell: Cell) -> None:
    here = store(tmp_path)
    finish(here, cell, code="older")
    assert here.find(cell, cell.code) is None
    found = here.find(cell)
    assert found is not None
    assert found.result["code"] == "older"


def test_a_result_of_the_same_code_is_found_in_another_study_before_ones_own_of_other_code(
    tmp_path: Path, cell: Cell
) -> None:
    here = store(tmp_path)
    finish(here, cell, code="older")
    finish(store(tmp_path, "theirs"), cell)
    found = here.find(cell, cell.code)
    assert found is not None
    assert (found.result["code"], found.folder) == (cell.code, store(tmp_path, "theirs").cell(cell.id))


def test_freezing_sets_a_result_of_other_code_aside_and_harms_no_other_study(tmp_path: Path, cell: Cell) -> None:
    here, theirs = store(tmp_path), store(tmp_path, "theirs")
    for one in (here, theirs):
        finish(one, cell, code="older")
    here.freeze(cell)
    assert not (here.cell(cell.id) / "result.json").exists()
    assert json.loads((here.cell(cell.id) / "result.stale.json").read_text())["code"] == "older"
    assert (theirs.cell(cell.id) / "result.json").exists()


def test_freezing_keeps_a_result_of_the_same_code(tmp_path: Path, cell: Cell) -> None:
    """Another process may have ended the cell a moment ago."""
    here = store(tmp_path)
    finish(here, cell)
    here.freeze(cell)
    assert here.find(cell) is not None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"status": "done", "metrics": 3, "code": "x"}', "\0\0\0"])
def test_a_broken_result_is_none_and_the_table_says_so(tmp_path: Path, cell: Cell, study: Study, content: str) -> None:
    here = store(tmp_path)
    here.write_study(study)
    path = here.freeze(cell) / "result.json"
    path.write_text(content)
    assert here.find(cell) is None
    row = load_results(here.folder).set_index("cell").loc[cell.id]
    assert row["status"] == "failed"
    assert re.fullmatch(f"{path} .*; run the study again, which trains this cell anew", row["reason"])
    assert path.read_text() == content, "reading never writes"


@pytest.mark.parametrize("name", ["", "a/b", "../elsewhere", ".hidden", ".."])
def test_a_study_has_the_name_of_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"study\.name="):
        Store(tmp_path, name)


def test_a_cells_folder_knows_its_store(tmp_path: Path, cell: Cell) -> None:
    here = store(tmp_path)
    found = Store.of(here.cell(cell.id))
    assert (found.runs, found.folder) == (here.runs, here.folder)


def test_a_store_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(
        InputError, match=r"cannot write to .*runs/mine/cells: .*; choose another store with runs=FOLDER"
    ):
        Store(tmp_path / "runs", "mine").prepare()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir(mode=0o500)
    with pytest.raises(InputError, match=r"cannot write to .*Permission denied"):
        Store(tmp_path / "runs", "mine").prepare()


def test_preparing_leaves_no_trace_but_the_folders(tmp_path: Path) -> None:
    store(tmp_path)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == [".locks", "mine", "mine/cells"]


# study.yaml


def test_a_study_is_written_as_it_was_planned(tmp_path: Path, study: Study) -> None:
    here = store(tmp_path)
    here.write_study(study)
    written = load_study(here.folder)
    assert written.arms == {"post": ["order=post"], "pre": ["order=pre"]}
    assert written.seeds == [0, 1]
    assert [(c.arm, c.seed) for c in written.cells] == [("post", 0), ("post", 1), ("pre", 0), ("pre", 1)]
    assert [c.id for c in written.cells] == [c.id for c in study.cells]


def test_the_command_can_be_pasted_into_a_shell(tmp_path: Path, study: Study) -> None:
    import shlex

    written = store(tmp_path).write_study(study)
    assert shlex.split(written.command) == ["python", "-m", "ablate", *study.typed]


def open_study(*overrides: str) -> Study:
    return tiny_study("study.name=mine", *overrides)


def test_an_open_study_gathers_the_cells_of_all_its_runs(tmp_path: Path) -> None:
    here = store(tmp_path)
    for overrides in (["seed=0"], ["seed=1"], ["order=pre", "seed=1"], ["seed=0"]):
        here.write_study(open_study(*overrides))
    cells = load_study(here.folder).cells
    assert len(cells) == 3
    assert load_study(here.folder).seeds == [0, 1]


def test_a_cell_that_has_another_id_today_stands_there_once(tmp_path: Path) -> None:
    here, study = store(tmp_path), open_study("seed=0")
    (cell,) = study.cells
    here.write_study(replace(study, cells=[replace(cell, id="older")]))
    here.write_study(replace(study, cells=[replace(cell, earlier=("older", cell.id))]))
    assert [one.id for one in load_study(here.folder).cells] == [cell.id]


def test_open_studies_that_write_at_once_lose_no_cell(tmp_path: Path) -> None:
    here = store(tmp_path)
    studies = [open_study(f"seed={seed}") for seed in range(4)]
    threads = [threading.Thread(target=here.write_study, args=(one,)) for one in studies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load_study(here.folder).seeds == [0, 1, 2, 3]


def test_a_closed_study_holds_what_was_planned_last(tmp_path: Path, study: Study) -> None:
    here = store(tmp_path)
    here.write_study(study)
    here.write_study(replace(study, cells=study.cells[:1]))
    assert len(load_study(here.folder).cells) == 1


def test_a_study_that_is_not_there_names_the_nearest(tmp_path: Path, study: Study) -> None:
    store(tmp_path, "preact_vs_postact").write_study(study)
    with pytest.raises(
        InputError, match=r"no study in .*; did you mean .*preact_vs_postact\?; studies there: preact_vs"
    ):
        load_study(tmp_path / "preact_vs_posact")


@pytest.mark.parametrize("content", ["", "name: [", "name: x\ncells: 3\n"])
def test_a_broken_study_file_is_one_line_that_names_it(tmp_path: Path, content: str) -> None:
    here = store(tmp_path)
    (here.folder / "study.yaml").write_text(content)
    with pytest.raises(InputError, match=f"^{here.folder}/study.yaml .*; run the study again, which writes it anew$"):
        load_study(here.folder)


# the frames


def test_results_hold_a_row_a_cell(tmp_path: Path, study: Study) -> None:
    here = store(tmp_path)
    here.write_study(study)
    done, diverged, failed, pending = study.cells
    finish(here, done)
    finish(here, diverged, "diverged", reason="the loss was not finite in epoch 2", metrics=dict.fromkeys(METRICS))
    write_json(here.freeze(failed) / "failure.json", {"reason": "killed"})
    frame = load_results(here.folder)
    assert frame["status"].tolist() == ["done", "diverged", "failed", "pending"]
    assert frame["reason"].tolist() == ["", "the loss was not finite in epoch 2", "killed", ""]
    assert frame["arm"].tolist() == ["post", "post", "pre", "pre"]
    assert frame["seed"].tolist() == [0, 1, 0, 1]
    assert frame["train/loss"].iloc[0] == 0.5
    assert frame.loc[1:, ["train/loss", "test/error", "seconds"]].isna().all(axis=None)
    assert frame["cell"].tolist() == [done.id, diverged.id, failed.id, pending.id]


def test_results_have_their_columns_before_any_cell_is_done(tmp_path: Path, study: Study) -> None:
    here = store(tmp_path)
    here.write_study(study)
    frame = load_results(here.folder)
    columns = ["cell", "arm", "seed", "stream", "status", "reason", "reused_from", "stale"]
    measured = ["train/loss", "train/error", "test/loss", "test/error", "params", "flops", "seconds"]
    measured += ["receptive_field"]
    assert list(frame.columns) == columns + measured
    assert frame["train/loss"].dtype == float


def test_grid_factors_are_columns(tmp_path: Path) -> None:
    here = store(tmp_path)
    here.write_study(tiny_study("+study.grid.act=[relu,gelu]", "seed=0"))
    frame = load_results(here.folder)
    assert frame["act"].tolist() == ["relu", "gelu"]


def test_a_list_that_was_typed_is_a_column_of_text(tmp_path: Path) -> None:
    here = store(tmp_path)
    study = tiny_study("augment=chain", "augment.steps=[crop_flip,color_pca]", "seed=0")
    here.write_study(replace(study, cells=[replace(study.cells[0], factors={"steps": ["crop_flip", "color_pca"]})]))
    finish(here, study.cells[0])
    for frame in (load_results(here.folder), load_history(here.folder)):
        assert set(frame["steps"]) == {"['crop_flip', 'color_pca']"}


def test_results_say_what_was_taken_over_and_what_is_stale(tmp_path: Path, study: Study) -> None:
    here = store(tmp_path)
    here.write_study(study)
    finish(store(tmp_path, "theirs"), study.cells[0])
    take_over(here, study.cells, same_code=False)
    finish(here, study.cells[1], code="older")
    frame = load_results(here.folder)
    assert frame["reused_from"].tolist() == ["theirs", "", "", ""]
    assert frame["stale"].tolist() == [False, True, False, False]


def test_a_result_wins_over_an_earlier_failure(tmp_path: Path, study: Study) -> None:
    here = store(tmp_path)
    here.write_study(study)
    write_json(finish(here, study.cells[0]) / "failure.json", {"reason": "an earlier run"})
    assert load_results(here.folder)["status"].iloc[0] == "done"


def test_history_holds_a_row_a_cell_and_epoch(tmp_path: Path, study: Study) -> None:
    here = store(tmp_path)
    here.write_study(study)
    for cell in study.cells[1:3]:
        finish(here, cell)
    frame = load_history(here.folder)
    assert list(frame.columns) == ["cell", "arm", "seed", "epoch", "lr", "train/loss", "seconds"]
    assert frame["arm"].tolist() == ["post", "post", "pre", "pre"]
    assert frame["epoch"].tolist() == [1, 2, 1, 2]
    assert frame["train/loss"].tolist() == [0.9, 0.5, 0.9, 0.5]


def test_history_is_empty_before_the_first_epoch(tmp_path: Path, study: Study) -> None:
    here = store(tmp_path)
    here.write_study(study)
    pd.testing.assert_frame_equal(load_history(here.folder), pd.DataFrame())


@pytest.mark.parametrize("content", [b"", b"epoch\n1\n1,2,3\n", b"\xff\xfe\x00\x01", b"hello\n1\n"])
def test_a_broken_history_is_left_out_and_named(tmp_path: Path, study: Study, content: bytes) -> None:
    here = store(tmp_path)
    here.write_study(study)
    path = finish(here, study.cells[0]) / "history.csv"
    path.write_bytes(content)
    finish(here, study.cells[1])
    frame = load_history(here.folder)
    assert set(frame["cell"]) == {study.cells[1].id}
    (line,) = frame.attrs["broken"]
    assert re.fullmatch(f"{path} .*; delete the cell's folder and run the study again", line)

"""Tables of probes and measurements, read for the charts of a report."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from ablate import Chart, InputError, Probe, register
from ablate.interfaces.chart import ChartedTable
from ablate.run.reporting import report_study
from ablate.run.store import Store
from ablate.run.tables import load_tables
from tests.cells import tiny_study
from tests.stores import finish, store, tree

RESPONSE = "epoch,step,layer,place,std\n1,0,a,1,0.5\n1,0,b,2,0.25\n2,9,a,1,1\n2,9,b,2,\n"
STEPS = "epoch,step,loss,mean\n1,0,2,2\n1,4,1,1.5\n1,8,0.5,0.75\n"


@pytest.fixture
def study(tmp_path: Path) -> Store:
    """Two finished cells, of two seeds."""
    planned = tiny_study("study.seeds=2", "study.name=mine", "+study.arms.post=['order=post']")
    made = store(tmp_path)
    made.write_study(planned)
    for cell in planned.cells:
        finish(made, cell)
    return made


def put(study: Store, name: str, text: str, cells: Sequence[int] = (0, 1)) -> list[Path]:
    folders = sorted((study.folder / "cells").iterdir())
    paths = [folders[cell] / name for cell in cells]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return paths


def tables(study: Store) -> dict[str, ChartedTable]:
    found, broken = load_tables(study.folder)
    assert broken == []
    return {table.name: table for table in found}


def test_a_table_has_what_its_charts_need_for_each_cell_and_reading_writes_nothing(study: Store) -> None:
    put(study, "probes/response.csv", RESPONSE)
    before = tree(study.folder)
    (table,) = tables(study).values()
    assert table.name == "probes/response"
    assert table.rows.columns.tolist() == ["cell", "step", "place", "std"], "no chart asks for names and epochs"
    assert table.rows["std"].tolist()[:3] == [0.5, 0.25, 1.0]
    assert math.isnan(table.rows["std"][3])
    assert table.rows["cell"].nunique() == 2
    assert tree(study.folder) == before


def test_of_many_looks_the_first_and_the_last_are_read_unless_the_steps_are_drawn(study: Store) -> None:
    rows = "".join(f"1,{step},a,1,{step}\n" for step in range(50))
    put(study, "probes/response.csv", f"epoch,step,layer,place,std\n{rows}", [0])
    put(study, "probes/steps_to.csv", STEPS, [0])
    found = tables(study)
    assert found["probes/response"].rows["step"].tolist() == [0, 49]
    assert found["probes/steps_to"].rows["mean"].tolist() == [2, 1.5, 0.75]


def test_a_study_without_tables_has_none(study: Store) -> None:
    assert tables(study) == {}


def test_a_table_of_nobody_s_and_one_without_the_columns_are_not_read(study: Store) -> None:
    put(study, "probes/gone.csv", "place,value\n1,2\n")
    put(study, "probes/response.csv", "place,height\n1,2\n")
    assert tables(study) == {}


def test_a_row_that_is_being_written_comes_with_the_next_look(study: Store) -> None:
    put(study, "probes/response.csv", RESPONSE + "3,12,a,1", [0])
    assert len(tables(study)["probes/response"].rows) == 4


@pytest.mark.parametrize("text", [RESPONSE + "3,12\n", RESPONSE + "3,12,a,1,many\n", "\0"], ids=repr)
def test_a_table_that_is_not_whole_is_told_and_the_others_are_drawn(study: Store, text: str) -> None:
    (path, _) = put(study, "probes/response.csv", RESPONSE)
    path.write_text(text)
    found, (line,) = load_tables(study.folder)
    assert str(path) in line
    assert "delete the cell's folder and run the study again" in line
    assert found[0].rows["cell"].nunique() == 1
    console = Console(file=io.StringIO(), width=400)
    report_study(study.folder, console)
    assert isinstance(console.file, io.StringIO)
    assert line in console.file.getvalue()
    assert (study.folder / "figures" / "probes_response_std_by_place.svg").exists()


def test_a_probe_of_the_user_s_own_has_a_chart_of_its_values_by_place(study: Store, here: Path) -> None:
    register("probe", "mine")(type("Mine", (Probe,), {"__doc__": "Mine."}))
    put(study, "probes/mine.csv", "epoch,step,layer,place,value\n1,0,a,1,2\n1,0,b,2,3\n")
    report_study(study.folder, Console(file=io.StringIO()))
    assert (study.folder / "figures" / "probes_mine_value_by_place.svg").exists()
    assert "Mine: value by place" in (study.folder / "report.md").read_text()


def test_a_probe_says_how_its_table_is_drawn(study: Store, here: Path) -> None:
    chart = Chart("heat", over="hour", title="Heat by the hour")
    register("probe", "mine")(type("Mine", (Probe,), {"__doc__": "Mine.", "charts": (chart,)}))
    put(study, "probes/mine.csv", "epoch,step,hour,heat\n1,0,1,2\n1,0,2,3\n")
    (table,) = tables(study).values()
    assert table.charts == [chart]
    assert table.rows["heat"].tolist() == [2, 3, 2, 3]


def test_charts_that_are_none_are_refused(here: Path) -> None:
    with pytest.raises(InputError, match=r"charts of probe 'mine': must be a tuple of ablate\.Chart"):
        register("probe", "mine")(type("Mine", (Probe,), {"__doc__": "Mine.", "charts": ("heat",)}))


def test_plugins_that_do_not_import_cost_the_charts_and_not_the_report(study: Store, here: Path) -> None:
    put(study, "probes/response.csv", RESPONSE)
    (here / "plugins").mkdir()
    (here / "plugins" / "bad.py").write_text("1 / 0\n")
    found, (line,) = load_tables(study.folder)
    assert found == []
    assert line.startswith("charts of probes and measurements are not drawn: ")
    assert "bad.py" in line

"""`trainer=auto`: one choice for all cells of a study, and the same one the next time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ablate import Attempt, Engine, InputError, Job, Slot, register, registry
from ablate.report.inputs import gather
from ablate.report.tables import reproduction
from ablate.run.results import load_results, load_study
from ablate.run.settle import settled
from ablate.run.store import Store
from ablate.study.plan import Study, plan_study
from ablate.tuning import settle
from tests.cells import TINY

ARMS = ["+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=two", "study.seeds=2"]
FIRST = {"precision": "bf16", "compile": "none", "channels_last": False, "text": "bf16, contiguous, eager (made up)"}
OTHER = {"precision": "fp32", "compile": "none", "channels_last": True, "text": "fp32, channels_last, eager (made up)"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory and a cache of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache")


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Configs that were measured; the first search finds `FIRST`, every later one `OTHER`."""
    asked: list[dict[str, Any]] = []

    def search(config: dict[str, Any], fixed: dict[str, Any], slot: Any, wanted: list[str]) -> dict[str, Any]:
        asked.append(config)
        found = FIRST if len(asked) == 1 else OTHER
        return {key: value for key, value in found.items() if key in (*wanted, "text")}

    monkeypatch.setattr(settle, "_search", search)
    return asked


HANGS = """import os, time
import torch
from ablate import Optim, register

@register("optim", "hangs")
class Hangs(Optim):
    \"\"\"Waits for ever where steps are timed.\"\"\"

    def __init__(self, *, lr: float = 0.1):
        self.lr = lr

    def build(self, model):
        time.sleep(3600)
"""


def planned(*overrides: str) -> Study:
    return settled(plan_study([*TINY, *overrides]))


def trainers(study: Study) -> list[dict[str, Any]]:
    keys = ("precision", "compile", "channels_last")
    return [{key: cell.config["trainer"][key] for key in keys} for cell in study.cells]


def test_without_auto_nothing_is_measured(searches: list[Any]) -> None:
    study = planned(*ARMS)
    assert searches == []
    assert study.chosen == {}
    assert trainers(study) == [{"precision": "fp32", "compile": "none", "channels_last": True}] * 4


def test_all_cells_get_what_one_search_found(searches: list[Any]) -> None:
    grid = ["width=0.25", *ARMS, "+study.grid.depth=[8,14]"]
    study = settled(plan_study([*grid, "trainer=auto"]))
    assert len(searches) == 1
    assert searches[0]["depth"] == 14, "the costliest network is measured"
    assert trainers(study) == [{"precision": "bf16", "compile": "none", "channels_last": False}] * 8
    typed = plan_study([*grid, "trainer=bf16", "trainer.channels_last=false"])
    assert [cell.id for cell in study.cells] == [cell.id for cell in typed.cells], "a cell is what it is frozen as"


def test_what_is_typed_beside_it_stays(searches: list[Any]) -> None:
    study = planned("trainer=auto", "trainer.precision=fp32")
    assert trainers(study) == [{"precision": "fp32", "compile": "none", "channels_last": False}]
    assert study.cells[0].config["trainer"]["epochs"] == 2


def test_an_arm_may_have_a_precision_of_its_own(searches: list[Any]) -> None:
    arms = ["+study.arms.full=['trainer.precision=fp32']", "+study.arms.narrow=['trainer.precision=bf16']"]
    study = planned(*arms, "trainer.channels_last=auto", "study.seeds=1")
    assert [(one["precision"], one["channels_last"]) for one in trainers(study)] == [("fp32", False), ("bf16", False)]


def test_the_study_in_the_store_decides(searches: list[Any], tmp_path: Path, speeds: Path) -> None:
    study = planned(*ARMS, "trainer=auto")
    store = Store("runs", study.name)
    store.prepare()
    store.write_study(study)
    speeds.rename(tmp_path / "lost")
    wider = planned(*ARMS, "trainer=auto", "+study.arms.more=['order=bn_after_add']", "study.seeds=3")
    assert len(searches) == 1
    assert {cell.id for cell in study.cells} < {cell.id for cell in wider.cells}


def test_single_runs_of_one_store_are_all_computed_alike(searches: list[Any]) -> None:
    first = planned("trainer=auto")
    store = Store("runs", first.name)
    store.prepare()
    store.write_study(first)
    store.write_study(planned("seed=1"))
    assert load_study(store.folder).chosen == FIRST
    assert trainers(planned("trainer=auto", "depth=14")) == trainers(first)


def test_before_there_is_a_study_the_machine_remembers(searches: list[Any]) -> None:
    first, again = planned(*ARMS, "trainer=auto"), planned(*ARMS, "trainer=auto", "study.name=elsewhere")
    assert len(searches) == 1
    assert trainers(first) == trainers(again)
    planned(*ARMS, "trainer=auto", "depth=14")
    assert len(searches) == 2, "another network may have another answer"


def test_the_report_tells_what_was_picked(searches: list[Any]) -> None:
    study = planned("trainer=auto")
    store = Store("runs", study.name)
    store.prepare()
    content = store.write_study(study)
    rows = dict(reproduction(gather(content.to_dict(), load_results(store.folder))).rows)
    assert rows["trainer=auto"] == FIRST["text"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.precision=half", "unknown trainer.precision 'half'; known: auto, bf16, fp32"),
        ("trainer.compile=triton", "unknown trainer.compile 'triton'"),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(override: str, message: str, searches: list[Any]) -> None:
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        planned("trainer=auto", override)
    assert searches == []


def test_an_engine_that_does_not_know_where_cells_run_cannot_be_measured_on() -> None:
    with registry.isolated():

        @register("engine", "elsewhere")
        class Elsewhere(Engine):
            """Somewhere."""

            def start(self, job: Job, slot: Slot) -> Attempt:
                """Nothing."""
                raise AssertionError

            def slots(self, jobs: int, threads: int = 1) -> list[Slot]:
                """Nobody knows."""
                return []

        with pytest.raises(
            InputError, match=r"engine=elsewhere does not know that beforehand; set trainer\.precision=\.\.\."
        ):
            planned("trainer=auto", "engine=elsewhere")


@pytest.mark.slow
def test_a_search_in_a_process_of_its_own(speeds: Path) -> None:
    study = planned("trainer=auto")
    (one,) = trainers(study)
    assert one["precision"] in ("fp32", "bf16")
    assert one["channels_last"] in (True, False)
    assert one["compile"] == "none", "a cell of a second is not worth compiling"
    assert study.chosen["text"].count("bf16, ") >= 2, "both formats were measured"
    assert "milliseconds a step of resnet8 on " in study.chosen["text"]
    (kept,) = speeds.iterdir()
    assert json.loads(kept.read_text()) == study.chosen


@pytest.mark.slow
def test_a_search_that_hangs_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "slow.py").write_text(HANGS)
    with registry.isolated(), pytest.raises(InputError, match="no processor time for 2 s") as error:
        planned("optim=hangs", "trainer=auto", "engine.cell_timeout=2")
    assert str(error.value).startswith("trainer=auto: the process that measures hangs")


def test_the_error_of_a_search_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^CIFAR-10 is not in nowhere"):
        planned("trainer=auto", "data=cifar10", "data.root=nowhere")

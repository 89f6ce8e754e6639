"""A store that version 0.1 made still works: it is reported, and nothing of it is trained again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ablate import load_results, registry
from ablate.__main__ import main
from ablate.run.results import load_history
from tests.cells import FORMER_QUICK, last_wins
from tests.stores import tree

STORED = Path(__file__).resolve().parents[1] / "stored" / "version_0_1"
ORDERS = last_wins(
    *FORMER_QUICK,
    "+study.arms.post=[order=post]", "+study.arms.pre=[order=pre]", "+study.grid.depth=[8,14]", "study.name=orders",
    "study.seeds=2", "width=0.25", "trainer.epochs=2",
)  # fmt: skip
SINGLE = [
    ["depth=8", "width=0.25", "trainer.epochs=1"],
    ["depth=8", "width=0.25", "trainer.epochs=1", "order=pre", "seed=1"],
    ["backbone=vgg", "depth=11", "width=0.1", "trainer.epochs=1", "head=fc"],
    ["arch=googlenet", "width=0.05", "trainer.epochs=1", "data=digits"],
    [
        "data=cluttered_digits", "data.train=64", "data.test=32", "data.batch_size=32", "depth=8", "width=0.25",
        "trainer.epochs=1",
    ],
]  # fmt: skip
MEASURED = ["train/loss", "train/error", "test/loss", "test/error", "params"]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(STORED, "store")
    with registry.isolated():
        yield tmp_path / "store"


@pytest.fixture
def nothing_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*arguments: Any) -> None:
        raise AssertionError("something is to be trained")

    monkeypatch.setattr("ablate.run.execution._train", train)


def results(study: str) -> list[list[float]]:
    """What the cells measured, whatever their names and their order."""
    return sorted(load_results(f"store/{study}")[MEASURED].to_numpy().tolist())


def test_it_is_reported(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = tree(store / "orders" / "cells")
    assert main(["report", "store/orders"]) == 0
    assert capsys.readouterr().out.count("(n 2)") == 4, "both seeds of two arms at two depths"
    assert (store / "orders" / "report.html").exists()
    assert tree(store / "orders" / "cells") == cells


@pytest.mark.usefixtures("nothing_trains")
def test_its_study_run_again_trains_nothing_and_marks_the_cells_stale(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, history = results("orders"), load_history("store/orders")
    for _ in range(2):
        assert main(["runs=store", *ORDERS]) == 0
        assert capsys.readouterr().err == ""
        frame = load_results("store/orders")
        assert frame["status"].tolist() == ["done"] * 8
        assert frame["stale"].all()
        assert frame["reused_from"].tolist() == [""] * 8
        assert results("orders") == before
    assert sorted(load_history("store/orders")["train/loss"]) == sorted(history["train/loss"])


@pytest.mark.usefixtures("nothing_trains")
@pytest.mark.parametrize("command", SINGLE, ids=lambda command: command[0])
def test_a_single_run_finds_its_result(command: list[str], store: Path) -> None:
    before = results("single")
    assert main(["runs=store", *last_wins(*FORMER_QUICK, *command)]) == 0
    frame = load_results("store/single")
    assert frame["status"].tolist() == ["done"] * 5
    assert frame["stale"].sum() == 1
    assert results("single") == before, "a cell that has another ID today stands there once"


@pytest.mark.usefixtures("nothing_trains")
def test_another_study_takes_over_what_it_has(store: Path) -> None:
    other = ["study.name=other" if text == "study.name=orders" else text for text in ORDERS]
    assert main(["runs=store", *other]) == 0
    assert load_results("store/other")["reused_from"].tolist() == ["orders"] * 8


def test_another_design_under_its_name_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(store / "orders")
    longer = ["trainer.epochs=4" if text == "trainer.epochs=2" else text for text in ORDERS]
    assert main(["runs=store", *longer]) == 2
    assert "trainer.epochs is 2 there and 4 here" in capsys.readouterr().err
    assert tree(store / "orders") == before

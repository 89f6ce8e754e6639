"""`history.csv` holds the rows so far after every epoch, whatever their columns."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ablate import InputError
from ablate.training.history import HistoryFile, Row

ROWS: list[Row] = [
    {"epoch": 1, "lr": 0.1},
    {"epoch": 2, "lr": 0.1, "test/error": 0.5},
    {"epoch": 3, "lr": 1 / 3},
    {"epoch": 4, "lr": 0.01, "test/error": float("inf")},
]


def read(path: Path) -> list[Row]:
    """The rows as they were; a value that was not measured is not there."""
    with path.open(newline="") as file:
        return [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]


def test_every_epoch_leaves_all_rows_so_far(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path / "history.csv")
    for epoch in range(1, 5):
        file.update(ROWS[:epoch])
        assert read(file.path) == ROWS[:epoch]
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"], "nothing is left beside it"


def test_what_a_killed_process_wrote_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    HistoryFile(path).update(ROWS[:3])
    with path.open("a") as file:
        file.write("4,0.0")
    HistoryFile(path).update(ROWS[:2])
    assert read(path) == ROWS[:2]


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path / "cell" / "history.csv")
    with pytest.raises(InputError, match=r"cannot write .*cell/history\.csv: No such file or directory"):
        file.update(ROWS[:1])
    file.path.parent.mkdir()
    file.update(ROWS[:2])
    file.path.unlink()
    file.path.mkdir()
    with pytest.raises(InputError, match=r"cannot write .*cell/history\.csv: Is a directory"):
        file.update(ROWS[:3])

"""What MLflow and TensorBoard have of a study, read with their own readers and held against the store."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate.run.following import Followers
from ablate.testing.tracker import Study

DATABASE = Path("runs/mlflow.db")


def rows(cell: str, study: str = "orders") -> list[dict[str, str]]:
    with Path("runs", study, "cells", cell, "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def an_epoch_is_trained_again(study: Study, follow: Callable[[Study, Callable[[Followers], None]], object]) -> None:
    """A cell is killed when two of its epochs were told, and its next process trains the second one again.

    Args:
        study: of the cell `one`.
        follow: lets a run of the study tell what happens in it.
    """
    history = study.place("one") / "history.csv"

    def killed(followers: Followers) -> None:
        study.train("one", rows=2)
        followers.tick()

    def resumed(followers: Followers) -> None:
        study.train("one", rows=3)
        lines = history.read_text().splitlines()
        history.write_text("\n".join([*lines[:2], lines[2].replace(",0.25", ",0.75"), *lines[3:]]) + "\n")
        study.end("one")
        followers.ended(study.job("one"))

    study.train("one", rows=0)  # its process has the config before it trains
    follow(study, killed)
    follow(study, resumed)


# TensorBoard


def boards(folder: Path = Path("runs/orders/tensorboard")) -> dict[str, Any]:
    """Each run as TensorBoard's own reader has it."""
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    multiplexer = EventMultiplexer(size_guidance={"scalars": 0, "tensors": 0}).AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    return {name: multiplexer.GetAccumulator(name) for name in multiplexer.Runs()}


def scalars(run: Any) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by tag."""
    return {tag: [(one.step, one.value) for one in run.Scalars(tag)] for tag in run.Tags()["scalars"]}


def assert_boards(study: str = "orders") -> None:
    """Every cell's run has the rows of its history, each once."""
    runs = boards(Path("runs", study, "tensorboard"))
    cells = {path.parent.name for path in Path("runs", study, "cells").glob("*/history.csv")}
    assert {name.rpartition("/")[2] for name in runs if name != "."} == cells
    for name, one in runs.items():
        if name != ".":
            found, expected = scalars(one), rows(name.rpartition("/")[2], study)
            for tag in expected[0].keys() - {"epoch"}:
                told = [(int(row["epoch"]), pytest.approx(float(row[tag]), rel=1e-6)) for row in expected if row[tag]]
                assert found[tag] == told, tag


# MLflow


def client(uri: str = "") -> Any:
    from ablate.plugins.trackers._mlflow_client import prepare

    prepare()
    from mlflow import MlflowClient

    return MlflowClient(uri or f"sqlite:///{DATABASE.absolute()}")


def runs(uri: str = "") -> dict[str, Any]:
    """All runs by their names, which must differ."""
    of = client(uri)
    found = [run for one in of.search_experiments() for run in of.search_runs([one.experiment_id], max_results=1000)]
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def course(run: Any, metric: str, uri: str = "") -> list[tuple[int, float]]:
    return sorted((one.step, one.value) for one in client(uri).get_metric_history(run.info.run_id, metric))


def assert_runs(study: str = "orders", uri: str = "") -> dict[str, Any]:
    """Every cell's run lies below its study's, with the rows of the cell's history, each once."""
    found = runs(uri)
    cells = [path.parent.name for path in Path("runs", study, "cells").glob("*/history.csv")]
    for cell in cells:
        assert found[cell].data.tags["mlflow.parentRunId"] == found[study].info.run_id
        expected = rows(cell, study)
        for metric in expected[0]:
            told = [(int(row["epoch"]), float(row[metric])) for row in expected if row[metric]]
            assert course(found[cell], metric, uri) == told, metric
    return found

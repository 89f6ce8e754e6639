"""Studies told to MLflow by hand or by a run, in the working directory of a test."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablate import registry
from ablate.run.execution import run_study
from ablate.run.following import Followers
from ablate.study.plan import plan_study
from ablate.testing.tracker import Study
from tests.mirrors import DATABASE
from tests.run.in_process import register_engine

TINY = ("depth=8", "width=0.25", "trainer.epochs=3", "data.batch_size=256", "engine=here", "tracker=mlflow")
ARMS = ("+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=orders", "study.seeds=1")
CLAIM = (
    "+study.claims=[{id: pre_wins, says: Pre ends lower., metric: train/loss, contrast: {post: 1, pre: -1}, "
    "expect: positive, margin: 0.1, margin_because: it is a test}]"
)


def empty_database(path: Path) -> Path:
    """One without runs, which takes a second to make."""
    from ablate.plugins.trackers._mlflow_client import Client

    Client(f"sqlite:///{path}").experiment("ablate", None, None)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM experiment_tags")
        database.execute("DELETE FROM experiments WHERE name = 'ablate'")
    return path


@contextmanager
def store_in(folder: Path, monkeypatch: pytest.MonkeyPatch, empty: Path) -> Iterator[None]:
    """A working directory whose store has a database without runs, and no settings of MLflow but that it asks once."""
    monkeypatch.chdir(folder)
    for name in ("TRACKING_URI", "TRACKING_USERNAME", "TRACKING_PASSWORD", "TRACKING_TOKEN", "EXPERIMENT_NAME"):
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    DATABASE.parent.mkdir()
    shutil.copy(empty, DATABASE)
    with registry.isolated():
        register_engine()
        yield


def run(*typed: str) -> str:
    text = io.StringIO()
    run_study(plan_study([*TINY, *typed]), Console(file=text, width=300))
    return text.getvalue()


def dump() -> list[str]:
    with closing(sqlite3.connect(DATABASE)) as database:
        return list(database.iterdump())


def follow(study: Study, until: Callable[[Followers], None] | None = None, *, cell: str = "one", **options: Any) -> str:
    """A run of a study whose cell is trained by hand; what it says, but for where to look."""
    said = io.StringIO()
    tracker = registry.build("tracker", {"name": "mlflow", **options})
    with Followers({"mlflow": tracker}, study.folder, Console(file=said, width=500)) as followers:
        followers.begin(study.record)
        followers.started(study.job(cell))
        if until is not None:
            until(followers)
    return "".join(line for line in said.getvalue().splitlines(keepends=True) if "shows it" not in line)


def trained(study: Study, rows: int = 3) -> Callable[[Followers], None]:
    """What a run does whose cell trains to its end."""

    def train(followers: Followers) -> None:
        study.train("one", rows=rows)
        followers.tick()
        study.end("one")
        followers.ended(study.job("one"))

    return train


def forget(study: Study) -> None:
    for path in study.folder.glob("trackers/mlflow*.json"):
        path.unlink()

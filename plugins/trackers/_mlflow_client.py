"""The calls to MLflow that a mirror needs: bounded in time, silent, and told in one line where they fail."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ablate import atomic, locked, make_folder

from ._mlflow_names import EXPERIMENT_LENGTH, KEY_LENGTH, PARAM_LENGTH, TAG_LENGTH, file_of, key, value_of
from ._stored import plain, redacted, shortened

AT_ONCE, METRICS = 100, 800  # parameters or tags, and metrics of one request; the same, where all together are 1000
PATIENCE_S = {"MLFLOW_HTTP_REQUEST_TIMEOUT": 20, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": 2}
"""In place of MLflow's own 120 s and 7 tries, which make minutes of a server that is gone; the environment wins."""
DATABASE_TRIES = 4  # in place of ten, which take more than a minute
TRAINING = "custom_model_development"  # MLflow's pages show another kind of experiment where none is named
LOGGERS = ("mlflow", "alembic", "sqlalchemy.engine", "urllib3.connectionpool")


class Unreachable(Exception):
    """MLflow did not take something."""


class Client:
    """What is used of `mlflow.MlflowClient`; connects with the first call.

    Args:
        uri: of the server or the database.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._client: Any = None

    def experiment(self, name: str, id: str | None, artifacts: str | None) -> str:
        """The ID of an experiment, made where there is none of this name.

        Args:
            name: of it.
            id: of one that must be there, in place of a name.
            artifacts: where files of its runs go; None: where the server wants them.
        """
        with self._reaching() as client:
            if id is not None:
                return str(client.get_experiment(id).experiment_id)
            name = shortened(plain(name), EXPERIMENT_LENGTH)
            found = client.get_experiment_by_name(name)
            if found is None:
                try:
                    return str(client.create_experiment(name, artifacts, {"mlflow.experimentKind": TRAINING}))
                except Exception:  # another process was first, or the answer was lost and this is the second request
                    if (found := client.get_experiment_by_name(name)) is None:
                        raise
            if found.lifecycle_stage == "deleted":
                raise Unreachable(f"the experiment {name!r} of {self._shown} was deleted: restore it, or name another")
            return str(found.experiment_id)

    def only(self, experiment: str, mark: str, name: str, start_ms: int, tags: Mapping[str, str]) -> Any:
        """The one run with a mark, of the same code where a tag names it, found or made.

        A request to make it whose answer is lost may have made one all the same, so more of them go again.

        Args:
            experiment: of the run.
            mark: kept as tag `ablate.key`.
            name: for people, where it is made; one that other code has made is followed by `NAME-2`.
            start_ms: of the run.
            tags: others of it, as it is made; of them `ablate.code` must be right.
        """
        found = self._find(experiment, mark)
        if not (same := _of_code(found, tags.get("ablate.code", ""))):
            made = {key(tag): value_of(value, TAG_LENGTH) for tag, value in {**tags, "ablate.key": mark}.items()}
            name = shortened(plain(name), KEY_LENGTH - 4) + (f"-{len(found) + 1}" if found else "")
            with self._reaching() as client:
                run = client.create_run(experiment, start_ms, made, name)
            same = _of_code(self._find(experiment, mark), tags.get("ablate.code", "")) or [run]
        for run in same[1:]:
            self.delete(run.info.run_id)
        return same[0]

    def _find(self, experiment: str, mark: str) -> list[Any]:
        with self._reaching() as client:
            return list(client.search_runs([experiment], f"tags.`ablate.key` = '{mark}'", max_results=1000))

    def run(self, id: str) -> Any:
        """A run, with the last value of each metric."""
        with self._reaching() as client:
            return client.get_run(id)

    def log(
        self,
        run: str,
        *,
        params: Mapping[str, str] = {},
        tags: Mapping[str, str] = {},
        rows: Iterable[tuple[int, int, Mapping[str, float]]] = (),
    ) -> None:
        """Add to a run; with the fewest requests, since each is a transaction.

        Args:
            run: its ID.
            params: set once.
            tags: set anew where they are there.
            rows: step, time in ms, values by name. A row arrives as a whole, or not at all.
        """
        from mlflow.entities import Metric, Param, RunTag

        asked = [Param(key(name), value_of(value, PARAM_LENGTH)) for name, value in params.items()]
        marks = [RunTag(key(name), value_of(value, TAG_LENGTH)) for name, value in tags.items()]
        metrics = [[Metric(key(name), value, at, step) for name, value in row.items()] for step, at, row in rows]
        with self._reaching() as client:
            for batch in zip_longest(_packed(metrics), _cut(asked), _cut(marks), fillvalue=()):
                if any(batch):
                    client.log_batch(run, *batch, synchronous=True)

    def course(self, run: str, metric: str) -> list[tuple[int, float]]:
        """Steps and values of a metric, in the order of the steps."""
        with self._reaching() as client:
            return sorted((one.step, one.value) for one in client.get_metric_history(run, key(metric)))

    def status(self, run: str, status: str, end_ms: int | None = None) -> None:
        """Say how a run stands: RUNNING, SCHEDULED, FINISHED, FAILED or KILLED."""
        with self._reaching() as client:
            if end_ms is None:
                client.update_run(run, status=status)
            else:
                client.set_terminated(run, status, end_ms)

    def delete(self, run: str) -> None:
        """Remove a run, which MLflow keeps among the deleted ones."""
        with self._reaching() as client:
            client.delete_run(run)

    def file(self, run: str, path: Path, folder: str | None = None) -> None:
        """Keep a file beside a run."""
        with self._reaching() as client:
            client.log_artifact(run, str(path), folder)

    @contextmanager
    def _reaching(self) -> Iterator[Any]:
        try:
            if self._client is None:
                prepare()  # which makes the loggers
            with _silence():
                if self._client is None:
                    self._client = self._connect()
                yield self._client
        except Unreachable:
            raise
        except Exception as error:  # of MLflow, requests, SQLAlchemy, the disk
            raise Unreachable(f"{self._shown} does not take it: {redacted(_line(error))}") from error

    def _connect(self) -> Any:
        if (database := file_of(self.uri)) is not None:
            make_folder(database.parent)
            with locked(database.with_name(f".{database.name}.lock")):
                if not database.exists():
                    _make(database)
        from mlflow import MlflowClient

        if not self.uri.startswith(("http:", "https:")):
            import mlflow.store.db.utils

            mlflow.store.db.utils.MAX_RETRY_COUNT = DATABASE_TRIES
        client = MlflowClient(self.uri)
        if database is not None:
            # MLflow keeps what it has opened, which may be a file that somebody has removed since.
            client._tracking_client.store.engine.dispose()
        return client

    @property
    def _shown(self) -> str:
        return redacted(self.uri)


def _of_code(runs: Sequence[Any], code: str) -> list[Any]:
    """Runs of a code, or of one that was not known yet; that with most epochs first, always in the same order."""
    same = [run for run in runs if run.data.tags.get("ablate.code", "") in ("", code)]
    return sorted(same, key=lambda run: (-run.data.metrics.get("epoch", 0), run.info.start_time, run.info.run_id))


def _make(database: Path) -> None:
    """Make a database in memory, and from there the file: whole, and in one second instead of six.

    A process that is killed while MLflow makes the tables in a file leaves half of them, which it cannot read again.
    """
    from mlflow.store.tracking import sqlalchemy_store

    make: Any = sqlalchemy_store.SqlAlchemyStore
    engine = make("sqlite:///:memory:", "mlruns").engine  # a database of this thread
    with (
        atomic(database) as temporary,
        closing(sqlite3.connect(temporary)) as target,
        closing(engine.raw_connection()) as source,
    ):
        source.driver_connection.backup(target)


def prepare() -> None:
    """Import MLflow, and set what is to hold of its calls from here."""
    # What is done with it is not ours to report to MLflow's makers. Read when it is imported, and with each call.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # SQLAlchemy 2.1 on how MLflow 3.17 uses it.
    warnings.filterwarnings("ignore", message=".*``noload`` loader strategy", category=DeprecationWarning)
    import mlflow.environment_variables

    for name, value in PATIENCE_S.items():
        getattr(mlflow.environment_variables, name).default = value


def _cut(those: Sequence[Any]) -> list[Sequence[Any]]:
    """In as many parts as one request takes."""
    return [those[at : at + AT_ONCE] for at in range(0, len(those), AT_ONCE)]


def _packed(rows: Iterable[list[Any]]) -> list[list[Any]]:
    """Rows in as few requests as take them; one row alone may need several."""
    packed: list[list[Any]] = [[]]
    for row in rows:
        for at in range(0, len(row), METRICS):
            part = row[at : at + METRICS]
            if len(packed[-1]) + len(part) > METRICS:
                packed.append([])
            packed[-1] += part
    return packed


TELLING = (
    r"\((?:\w+\.)+\w+Error\) (.*)",  # SQLAlchemy's, which go on with the statement
    r"(too many \d+ error responses)",  # urllib3's, around which there is the address
    r"\[Errno -?\d+\] ([^'\")\]]+)",
    r"(Read timed out)",
    r"failed with exception (.*)",
    r"(failed with error code .*)",
)


def _line(error: BaseException) -> str:
    """The part of a message that tells most."""
    text = str(error) or type(error).__name__
    found = next((found for pattern in TELLING if (found := re.search(pattern, text))), None)
    return " ".join((found[1] if found else text).split())


class _Silence(logging.Filter):
    """Drops what is logged in one thread."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self.thread


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what MLflow and its libraries log of a call off the terminal: its failure is told, and in one line."""
    silence = _Silence()
    with ExitStack() as stack:
        for name in LOGGERS:
            logger = logging.getLogger(name)
            for place in (logger, *logger.handlers):  # those of a logger see what those below it log, and it does not
                place.addFilter(silence)
                stack.callback(place.removeFilter, silence)
        yield

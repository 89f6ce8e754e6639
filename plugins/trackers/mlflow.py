"""A study in MLflow: a parent run, and below it a run a cell."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from ablate import FollowedCell, FollowedStudy, InputError, Tracker, register

from ._mlflow_client import Client
from ._mlflow_names import file_of, has_password, key
from ._stored import (
    Row,
    code_of,
    digest,
    ends,
    finals,
    finished,
    flat,
    frozen,
    history,
    is_finished,
    redacted,
    shown,
    told,
)

FILES = ("verdicts.json", "report.html", "report.md", "results.csv", "study.yaml", "figures/*.svg")
OLDEST = 3  # major version
ARTIFACTS = "mlartifacts"  # folder of a store, beside its database; named as MLflow names its own


@register("tracker", "mlflow")
class Mlflow(Tracker):
    """Mirrors the study to MLflow (extra `mlflow`): a run with verdicts and report, and below it a run a cell.

    These have the frozen config, arm, factors and seed as parameters, and the metrics by epoch at the times when the
    epochs ended. A cell that diverged is FINISHED, since that is a result, with the tag `ablate.status`; one that
    crashed is FAILED, and one that was interrupted KILLED. `mlflow ui --backend-store-uri sqlite:///runs/mlflow.db`
    shows what is in the store.

    Args:
        uri: of a server or database; null: MLFLOW_TRACKING_URI, or `mlflow.db` in the folder of the store.
        experiment: that the runs belong to; null: MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID, or `ablate`.
    """

    def __init__(self, *, uri: str | None = None, experiment: str | None = None) -> None:
        _refuse_without_mlflow()
        if uri is not None and has_password(uri):
            raise InputError(
                "tracker.mlflow.uri: what is typed is kept in the study's files; an address with a password belongs "
                "into MLFLOW_TRACKING_URI, or its password into MLFLOW_TRACKING_PASSWORD"
            )
        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
        name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME")
        self.experiment_id = None if name else os.environ.get("MLFLOW_EXPERIMENT_ID")
        self.experiment = name or "ablate"
        place = (redacted(self.uri), name or self.experiment_id or "")
        self.where = "|".join(place) if any(place) else ""

        self._client: Client | None = None
        self._runs: dict[tuple[str, str], str] = {}  # of cells, by their IDs and codes
        self._epochs: dict[str, int] = {}  # that each of these runs has
        self._open: dict[str, str] = {}  # runs of cells that were started, and have not ended
        self._has_failed = False
        self._said: set[str] = set()
        self._status = ""  # of the study's run, as it was told last

    def missing(self, study: FollowedStudy) -> Collection[str]:
        database = file_of(self._uri(study))
        return () if database is None or database.exists() else [self.STUDY, *(cell.id for cell in study.cells)]

    def begin(self, study: FollowedStudy, *, anew: bool) -> None:
        uri = self._uri(study)
        with self._calls(study, self._client or Client(uri)) as client:
            artifacts = None if self.uri else _artifacts(study)
            self._experiment = client.experiment(self.experiment, self.experiment_id, artifacts)
            self._study = self._run_of_study(client, study)
        if anew:
            self._say_once(f"shows it {_where_to_look(uri)}")

    def started(self, study: FollowedStudy, cell: FollowedCell) -> None:
        if is_finished(cell):
            return  # it is only measured
        with self._calls(study) as client:
            run = self._open[cell.id] = self._run(client, study, cell)
            client.status(run, "RUNNING")
            client.log(run, tags={"ablate.status": "started"})
            self._stand(client, "RUNNING")

    def rows(self, study: FollowedStudy, cell: FollowedCell, rows: Sequence[Mapping[str, float]]) -> None:
        with self._calls(study) as client:
            self._bring(client, self._run(client, study, cell), cell)

    def ended(self, study: FollowedStudy, cell: FollowedCell, result: Mapping[str, Any]) -> None:
        with self._calls(study) as client:
            run, rows = self._whole(client, study, cell), history(cell)
            at = _ms(finished(cell) or time.time())
            has = client.run(run).data.metrics
            metrics = finals(rows, result.get("metrics") or {}).items()
            missing = {name: value for name, value in metrics if has.get(key(name)) != value}
            about = {"ablate.status": str(result.get("status")), "ablate.reason": str(result.get("reason") or "")}
            client.log(run, tags=about, rows=[(len(rows), at, missing)])
            client.status(run, "FINISHED", at)
            self._open.pop(cell.id, None)

    def failed(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:
        self._has_failed = True
        if is_finished(cell):
            return
        with self._calls(study) as client:
            run = self._run(client, study, cell)
            client.log(run, tags={"ablate.status": "failed", "ablate.reason": reason})
            client.status(run, "FAILED", _ms(time.time()))
            self._open.pop(cell.id, None)

    def again(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:
        if is_finished(cell):
            return
        with self._calls(study) as client:
            run = self._run(client, study, cell)
            client.log(run, tags={"ablate.status": "again", "ablate.reason": reason})
            client.status(run, "SCHEDULED")

    def judged(self, study: FollowedStudy, verdicts: Sequence[Mapping[str, Any]]) -> None:
        tags = {f"ablate.verdict.{verdict.get('id')}": str(verdict.get("verdict")) for verdict in verdicts}
        if text := told(study, verdicts):
            tags["mlflow.note.content"] = text
        with self._calls(study) as client:
            client.log(self._study, tags=tags)
            self._end(client, study)

    def close(self) -> None:
        if self._client is None:
            return  # what it could not tell was said
        with self._calls(self._followed) as client:
            for run in self._open.values():
                client.log(run, tags={"ablate.status": "interrupted"})
                client.status(run, "KILLED", _ms(time.time()))
            self._end(client, self._followed)

    def _end(self, client: Client, study: FollowedStudy) -> None:
        """Keep the study's files, and say how it stands."""
        run = client.run(self._study)
        files = [path for pattern in FILES for path in sorted(study.folder.glob(pattern))]
        known = digest(*((path.name, path.read_bytes().hex()) for path in files))
        if run.data.tags.get("ablate.files") != known and not self._was_moved(study, run.info.artifact_uri):
            for path in files:
                client.file(self._study, path, "figures" if path.parent != study.folder else None)
            client.log(self._study, tags={"ablate.files": known})
        self._status = run.info.status
        self._stand(client, self._ending(study))

    def _was_moved(self, study: FollowedStudy, place: str) -> bool:
        """Whether the database of a store lies elsewhere by now: MLflow keeps the old path of its files for ever."""
        if self.uri or f"/{ARTIFACTS}/" not in place or place.startswith(_artifacts(study)):
            return False
        self._say_once(f"keeps the report as it was: the store was moved from where its files lie, {place}")
        return True

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def _ending(self, study: FollowedStudy) -> str:
        unfinished = [cell for cell in study.cells if not (cell.folder / "result.json").exists()]
        if not unfinished or not study.record.get("trains", True):
            return "FINISHED"
        return "FAILED" if self._has_failed and not self._open else "KILLED"

    def _stand(self, client: Client, status: str) -> None:
        """Say how the study stands, unless that was said."""
        if self._status != status:
            client.status(self._study, status, None if status == "RUNNING" else _ms(time.time()))
            self._status = status

    def _bring(self, client: Client, run: str, cell: FollowedCell) -> list[Row]:
        """Add the epochs that a cell's run lacks; all that its history has."""
        rows = history(cell)
        if run not in self._epochs:
            self._epochs[run] = int(client.run(run).data.metrics.get("epoch", 0))
        timed = [(step, _ms(at), row) for step, (row, at) in enumerate(zip(rows, ends(cell, rows), strict=True), 1)]
        client.log(run, rows=timed[self._epochs[run] :])
        self._epochs[run] = max(self._epochs[run], len(rows))
        return rows

    def _whole(self, client: Client, study: FollowedStudy, cell: FollowedCell) -> str:
        """The run of a cell that has ended, with its history: no less, and nothing else.

        An epoch that was told may have been trained again since, by a process that went on from the checkpoint before
        it. MLflow takes no metric back, so another run takes the place of such a one.
        """
        run = self._run(client, study, cell)
        rows = self._bring(client, run, cell)
        if rows and client.course(run, "seconds") != [(step, row.get("seconds")) for step, row in enumerate(rows, 1)]:
            client.delete(run)
            self._runs.clear()
            run = self._run(client, study, cell)
            self._bring(client, run, cell)
        return run

    def _run(self, client: Client, study: FollowedStudy, cell: FollowedCell) -> str:
        """The run of a cell, as the code of today trains it: found by its tags, or made."""
        code = code_of(cell)
        if (cell.id, code) not in self._runs:
            about = {"mlflow.parentRunId": self._study, "ablate.code": code}
            made = {**about, "ablate.cell": cell.id, "ablate.study": study.name}
            mark = digest("cell", study.folder.name, cell.id)
            run = client.only(self._experiment, mark, cell.id, _ms(_start(cell)), made)
            tags = {name: value for name, value in about.items() if run.data.tags.get(name) != value}
            params = {name: value for name, value in _params(cell).items() if key(name) not in run.data.params}
            client.log(run.info.run_id, params=params, tags=tags)
            self._runs[cell.id, code] = run.info.run_id
        return self._runs[cell.id, code]

    def _run_of_study(self, client: Client, study: FollowedStudy) -> str:
        tags = {"ablate.study": study.name}
        if text := told(study, []):
            tags["mlflow.note.content"] = text
        mark = digest("study", study.folder.name)
        return str(client.only(self._experiment, mark, study.folder.name, _ms(_begun(study)), tags).info.run_id)

    def _uri(self, study: FollowedStudy) -> str:
        return self.uri or f"sqlite:///{study.folder.parent.absolute() / 'mlflow.db'}"

    @contextmanager
    def _calls(self, study: FollowedStudy, client: Client | None = None) -> Iterator[Client]:
        """The client; once a call has failed nothing more is tried, not even to close."""
        client, self._client = client or self._client, None
        assert client is not None, "a study begins before anything is told of it"
        self._followed = study
        yield client
        self._client = client


def _artifacts(study: FollowedStudy) -> str:
    """Where the files of a store's runs lie, beside its database."""
    return (study.folder.parent.absolute() / ARTIFACTS).as_uri()


def _where_to_look(uri: str) -> str:
    if database := file_of(uri):
        return f"with: mlflow ui --backend-store-uri {shlex.quote(f'sqlite:///{shown(database)}')}"
    return f"at {redacted(uri)}"


def _refuse_without_mlflow() -> None:
    """Say what is missing before anything is trained.

    Raises:
        InputError: MLflow is not installed, only a part of it, or an old one.
    """
    install = "pip install 'mlflow>=3.16'"
    if find_spec("mlflow") is None or find_spec("sqlalchemy") is None:
        raise InputError(f"tracker=mlflow needs `mlflow` with its databases, which mlflow-skinny lacks: {install}")
    try:
        found = version("mlflow")
    except PackageNotFoundError:
        return
    if int(found.partition(".")[0]) < OLDEST:
        raise InputError(f"tracker=mlflow needs `mlflow` 3, and here is {found}: {install}")


def _params(cell: FollowedCell) -> dict[str, str]:
    """The frozen config with dotted names, arm, factors and seed; what is no text stands as in JSON."""
    values = {**dict(flat(frozen(cell))), **{f"factors.{name}": value for name, value in cell.factors.items()}}
    values |= {"arm": cell.arm, "seed": cell.seed}
    return {name: value if isinstance(value, str) else json.dumps(value, default=str) for name, value in values.items()}


def _begun(study: FollowedStudy) -> float:
    """When a study was begun: before its first result its claims are locked."""
    lock = study.folder / "lock.json"
    return lock.stat().st_mtime if lock.exists() else time.time()


def _start(cell: FollowedCell) -> float:
    """When a cell began: that of its first epoch, or now."""
    rows = history(cell)
    times = ends(cell, rows)
    return times[0] - rows[0].get("seconds", 0.0) if times else time.time()


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

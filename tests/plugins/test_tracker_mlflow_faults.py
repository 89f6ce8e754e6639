"""tracker=mlflow where something is out of order, and with MLflow's own server."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ablate.config.compose import prepare
from ablate.testing.tracker import Study
from tests.mirrors import DATABASE, assert_runs, client, course
from tests.mlflow_server import TOKEN, Door, door, server
from tests.mlflow_studies import ARMS, CLAIM, empty_database, follow, run, store_in, trained

# Not imported here: whoever imports it says first whether it may report what is done with it.
if find_spec("mlflow") is None or find_spec("sqlalchemy") is None:
    pytest.skip("needs the extra `mlflow`", allow_module_level=True)

prepare()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return empty_database(tmp_path_factory.mktemp("mlflow") / "mlflow.db")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: Path) -> Iterator[None]:
    with store_in(tmp_path, monkeypatch, empty):
        yield


def test_a_server_that_is_gone_is_said_once_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with door() as made:
        address = made.url.removeprefix("http://")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:s3cr3t@{address}")
    study = Study("study")
    said = follow(study, trained(study))
    assert said.count("\n") == 1
    assert f"tracker mlflow stops: Unreachable: http://***@{address} does not take it: " in said
    assert "Connection refused" in said
    assert "s3cr3t" not in said
    assert not any(b"s3cr3t" in path.read_bytes() for path in Path("runs").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("fault", "word"),
    [({"answers": 500}, "500"), ({"token": "other"}, "You are not authenticated"), ({"slow_s": 3.0}, "Read timed out")],
)
def test_a_server_that_is_out_of_order_is_said_once(
    fault: dict[str, Any], word: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    study = Study("study")
    with door() as made:
        vars(made).update(fault)
        said = follow(study, trained(study), uri=made.url)
    assert said.count("\n") == 1
    assert f"tracker mlflow stops: Unreachable: {made.url} does not take it" in said
    assert word in said
    assert TOKEN not in said
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_is_said_once_and_the_next_run_tells_the_rest(capfd: pytest.CaptureFixture[str]) -> None:
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    study = Study("study")
    study.train("one", rows=1)
    follow(study, lambda followers: followers.tick())
    history = study.place("one") / "history.csv"
    lines = history.read_text().splitlines()
    resource.setrlimit(resource.RLIMIT_FSIZE, (DATABASE.stat().st_size, limits[1]))
    try:
        more = [lines[1].replace("1,", f"{epoch},", 1) for epoch in range(2, 400)]
        history.write_text("\n".join([*lines, *more]) + "\n")
        study.end("one")
        said = follow(study, lambda followers: followers.ended(study.job("one")))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert said.count("\n") == 1
    assert "tracker mlflow stops: Unreachable" in said
    assert capfd.readouterr() == ("", "")
    assert follow(study, lambda followers: followers.ended(study.job("one"))) == ""
    assert len(course(assert_runs("study")["one"], "seconds")) == 399


@pytest.mark.parametrize("content", [b"no database at all" * 1000, None])
def test_a_database_that_is_none_is_said_once(content: bytes | None, capfd: pytest.CaptureFixture[str]) -> None:
    DATABASE.unlink()
    if content is None:
        DATABASE.mkdir()
    else:
        DATABASE.write_bytes(content)
    study = Study("study")
    said = follow(study, trained(study))
    assert said.count("\n") == 1
    assert "file is not a database" in said or "unable to open database file" in said
    assert capfd.readouterr() == ("", "")


def test_nothing_is_reported_to_mlflows_makers() -> None:
    study = Study("study")
    follow(study, trained(study))
    from mlflow.telemetry.client import get_telemetry_client

    assert get_telemetry_client() is None


# The real server


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with server(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def way(port: int) -> Iterator[Door]:
    with door(port) as made:
        made.token = TOKEN
        yield made


@pytest.mark.slow
def test_a_study_on_the_server(way: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", way.url)
    said = run(*ARMS, CLAIM, "study.name=served")
    assert f"tracker mlflow shows it at {way.url}\n" in said
    found = assert_runs("served", way.url)
    assert found["served"].info.status == "FINISHED"
    kept = {one.path for one in client(way.url).list_artifacts(found["served"].info.run_id)}
    assert {"report.html", "figures", "verdicts.json"} <= kept
    way.calls.clear()
    run(*ARMS, CLAIM, "study.name=served")
    assert way.calls == []
    forget_all = list(Path("runs/served/trackers").glob("*.json"))
    for path in forget_all:
        path.unlink()
    run(*ARMS, CLAIM, "study.name=served")
    assert assert_runs("served", way.url).keys() == found.keys()
    assert not any(TOKEN.encode() in path.read_bytes() for path in Path("runs").rglob("*") if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["gone", "answer lost", "answer lost, and asked again"])
@pytest.mark.parametrize("calls", [*range(7), 8, 10, 12, 15, 18, 21])
def test_a_server_that_goes_in_mid_study_costs_nothing(
    calls: int, fault: str, way: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    study, name = Study("study"), f"{calls} {fault}"
    way.open_for, way.answers_lost = calls, fault != "gone"
    if fault.endswith("again"):
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        way.closed_for = 1
    said = follow(study, trained(study), uri=way.url, experiment=name)
    assert said.count("\n") == (len(way.calls) > calls and not fault.endswith("again"))
    way.open_for = None
    assert follow(study, trained(study), uri=way.url, experiment=name) == ""
    of = client(way.url)
    found = of.search_runs([of.get_experiment_by_name(name).experiment_id])
    assert sorted(run.info.run_name for run in found) == ["one", "study"]
    one = min(found, key=lambda run: run.info.run_name != "one")
    assert course(one, "seconds", way.url) == [(1, 0.25), (2, 0.25), (3, 0.25)]
    assert course(one, "params", way.url) == [(3, 10)]
    assert one.info.status == "FINISHED"

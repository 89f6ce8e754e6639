"""tracker=mlflow: what MLflow's own client finds is what the store holds, each thing once."""

from __future__ import annotations

import io
import json
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablate import InputError, registry
from ablate.config.compose import prepare
from ablate.run.execution import run_study
from ablate.run.following import Followers
from ablate.study.plan import plan_study
from ablate.testing.tracker import HOSTILE, Study
from tests.mirrors import DATABASE, assert_runs, client, course, rows, runs
from tests.mlflow_server import TOKEN, Door, door, server
from tests.run.in_process import register_engine

# Not imported here: whoever imports it says first whether it may report what is done with it.
if find_spec("mlflow") is None or find_spec("sqlalchemy") is None:
    pytest.skip("needs the extra `mlflow`", allow_module_level=True)

prepare()

TINY = ("depth=8", "width=0.25", "trainer.epochs=3", "data.batch_size=256", "engine=here", "tracker=mlflow")
ARMS = ("+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=orders", "study.seeds=1")
CLAIM = (
    "+study.claims=[{id: pre_wins, says: Pre ends lower., metric: train/loss, contrast: {post: 1, pre: -1}, "
    "expect: positive, margin: 0.1, margin_because: it is a test}]"
)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without runs, which takes a second to make."""
    from ablate.plugins.trackers._mlflow_client import Client

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    Client(f"sqlite:///{path}").experiment("ablate", None, None)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM experiment_tags")
        database.execute("DELETE FROM experiments WHERE name = 'ablate'")
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    for name in ("NAME", "ID"):
        monkeypatch.delenv(f"MLFLOW_EXPERIMENT_{name}", raising=False)
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


# Studies


def test_a_study_is_a_run_and_its_cells_are_runs_below_it() -> None:
    said = run(*ARMS, CLAIM)
    assert "tracker mlflow shows it with: mlflow ui --backend-store-uri sqlite:///runs/mlflow.db\n" in said
    assert said.count("mlflow") == 3
    found = assert_runs()
    assert len(found) == 3
    assert {run.info.status for run in found.values()} == {"FINISHED"}

    (cell,) = (run for run in found.values() if run.data.params.get("arm") == "pre")
    folder = Path("runs/orders/cells", cell.info.run_name)
    result = json.loads((folder / "result.json").read_text())
    assert {"order.name": "pre", "optim.lr": "0.05", "seed": "0", "depth": "8"}.items() <= cell.data.params.items()
    assert not any(name.startswith("tracker") for name in cell.data.params)
    last = {name: value for name, value in result["metrics"].items() if value is not None and name != "seconds"}
    assert last.items() <= cell.data.metrics.items()
    assert cell.data.metrics["final/seconds"] == result["metrics"]["seconds"]
    assert cell.data.tags["ablate.status"] == "done"

    times = [one.timestamp / 1000 for one in client().get_metric_history(cell.info.run_id, "seconds")]
    seconds = [float(row["seconds"]) for row in rows(folder.name)]
    assert times[-1] == pytest.approx((folder / "history.csv").stat().st_mtime, abs=0.01)
    assert [late - early for early, late in pairwise(times)] == pytest.approx(seconds[1:], abs=0.01)
    assert cell.info.start_time <= times[0] * 1000
    assert cell.info.end_time / 1000 == pytest.approx(times[-1], abs=5)

    study = found["orders"]
    (judged,) = json.loads(Path("runs/orders/verdicts.json").read_text())["claims"]
    assert study.data.tags["ablate.verdict.pre_wins"] == judged["verdict"]
    assert f"**{judged['verdict']}**: pre\\_wins" in study.data.tags["mlflow.note.content"]
    kept = {one.path for one in client().list_artifacts(study.info.run_id)}
    assert kept == {"figures", "report.html", "report.md", "results.csv", "study.yaml", "verdicts.json"}
    assert {one.path for one in client().list_artifacts(study.info.run_id, "figures")} >= {"figures/effects.svg"}

    experiment = client().get_experiment_by_name("ablate")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development", "so that its page shows runs"

    before = dump()
    assert "tracker mlflow" not in run(*ARMS, CLAIM)
    assert dump() == before
    run(*ARMS[:-1], CLAIM, "study.seeds=2")
    assert len(assert_runs()) == 5
    assert not Path("mlruns").exists()


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


@pytest.mark.parametrize("lost", ["position", "database"])
def test_what_is_lost_of_either_side_is_nothing_twice(lost: str, empty: Path) -> None:
    study = Study("study")
    assert follow(study, trained(study)) == ""
    before = {name: run.data.metrics for name, run in assert_runs("study").items()}
    if lost == "position":
        content = dump()
        forget(study)
        assert follow(study, trained(study)) == ""
        study_ended = [line for line in content if "'study'" not in line]
        assert [line for line in dump() if "'study'" not in line] == study_ended
    else:
        DATABASE.unlink()
        assert follow(study, trained(study)) == ""
    assert {name: run.data.metrics for name, run in assert_runs("study").items()} == before


def test_an_epoch_that_was_trained_again_takes_the_place_of_the_first() -> None:
    study = Study("study")
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

    study.train("one", rows=0)
    follow(study, killed)
    assert runs()["one"].info.status == runs()["study"].info.status == "KILLED"
    follow(study, resumed)
    assert course(assert_runs("study")["one"], "seconds") == [(1, 0.25), (2, 0.75), (3, 0.25)]


def test_other_code_makes_another_run() -> None:
    study = Study("study")
    follow(study, trained(study))
    for file in ("result.json", "cell.yaml"):
        path = study.place("one") / file
        path.write_text(path.read_text().replace("code", "other").replace('"other"', '"code"', 1))
    path = study.place("one") / "result.json"
    path.write_text(path.read_text().replace('"code": "other"', '"code": "another"').replace('"other"', '"another"'))
    assert json.loads(path.read_text())["code"] not in ("code", "")
    forget(study)
    for _ in range(2):
        assert follow(study, lambda followers: followers.ended(study.job("one"))) == ""
        forget(study)
    found = runs()
    assert sorted(found) == ["one", "one-2", "study"]
    assert found["one"].data.tags["ablate.code"] == "code"


def test_how_a_cell_ended() -> None:
    study = Study("study")
    study.train("one", rows=1)
    follow(study, lambda followers: followers.again(study.job("one"), "killed by signal 9"))
    assert runs()["one"].data.tags["ablate.reason"] == "killed by signal 9"
    assert runs()["one"].info.status == "KILLED", "the study ended meanwhile"
    follow(study, lambda followers: followers.failed(study.job("one"), "no <memory>\nat all"))
    assert runs()["one"].data.tags["ablate.reason"] == "no <memory>\nat all"
    assert runs()["one"].info.status == runs()["study"].info.status == "FAILED"
    follow(study, trained(study))
    assert runs()["one"].info.status == "FINISHED"
    assert runs()["study"].info.status == "KILLED", "its other cell was not trained"


def test_a_cell_that_diverged_is_a_result() -> None:
    study = Study("study")
    study.train("one", rows=1)
    study.end("one")
    path = study.place("one") / "result.json"
    result = json.loads(path.read_text())
    empty = dict.fromkeys(("train/loss", "train/error", "test/loss", "test/error"))
    path.write_text(
        json.dumps({**result, "status": "diverged", "reason": "not finite", "metrics": empty | {"params": 1}})
    )
    history = study.place("one") / "history.csv"
    history.write_text(history.read_text().replace("1.0,0.5", "nan,inf"))
    assert follow(study, lambda followers: followers.ended(study.job("one"))) == ""
    one = runs()["one"]
    assert one.info.status == "FINISHED"
    assert one.data.tags["ablate.status"] == "diverged"
    assert one.data.tags["ablate.reason"] == "not finite"


def test_a_store_that_was_moved_is_followed_but_for_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study("study")
    (study.folder / "report.md").write_text("before")
    follow(study, trained(study))
    (tmp_path / "new").mkdir()
    shutil.move("runs", "new/runs")
    monkeypatch.chdir(tmp_path / "new")
    study.folder = Path("runs/study").absolute()
    (study.folder / "report.md").write_text("after")
    said = follow(study, lambda followers: followers.judged([{"id": "claim", "verdict": "supported"}]))
    assert said.count("\n") == 1
    assert "tracker mlflow keeps the report as it was: the store was moved" in said
    assert runs()["study"].data.tags["ablate.verdict.claim"] == "supported"
    assert not (tmp_path / "runs").exists()


# Names


def test_names_stay_text_and_apart() -> None:
    names = [
        HOSTILE,
        "a/b",
        "a_b",
        "../../out",
        "line\nbreak",
        "x" * 9000,
        "x" * 9001,
        ".",
        "🙂",
        'it\'s "quoted" `so`',
    ]
    for number, name in enumerate(names):
        study = Study(f"study{number}", name)
        assert follow(study, trained(study, rows=1)) == ""
        found = runs()
        (cell,) = (
            run
            for run in found.values()
            if run.data.tags.get("mlflow.parentRunId") == found[f"study{number}"].info.run_id
        )
        told = cell.data.params["arm"]
        assert told == name if len(name) < 6000 else told.startswith("xxx") and f"[{len(name)} characters" in told
        client().delete_run(cell.info.run_id)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train/loss", "train/loss"),
        ("epochs_to/train/loss<0.1", "epochs_to/train/loss:3c:0.1"),
        ("a:3c:b", "a:3a:3c:3a:b"),
        ("../a", ":2e::2e::2f:a"),
        ("a//b", "a:2f::2f:b"),
        ("/a", ":2f:a"),
        ("a/", "a:2f:"),
        (".", ":2e:"),
        ("", ":"),
        ("🙂", ":1f642:"),
        ("a\n", "a:a:"),
    ],
)
def test_keys_are_what_mlflow_takes(name: str, expected: str) -> None:
    from ablate.plugins.trackers._mlflow_names import key
    from mlflow.utils.validation import _validate_metric_name, _validate_tag_name

    assert key(name) == expected
    _validate_metric_name(expected)
    _validate_tag_name(expected)


def test_keys_that_are_too_long_stay_apart() -> None:
    from ablate.plugins.trackers._mlflow_names import key

    names = ["x" * 250, "x" * 251, "x" * 1000, "x" * 999 + "y"]
    assert len({key(name) for name in names}) == 4
    assert max(len(key(name)) for name in names) == 250


# Where


def test_the_environment_says_where_and_options_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    study = Study("study")
    follow(study, trained(study))
    for place in ("theirs", "typed"):
        shutil.copy(DATABASE, tmp_path / f"{place}.db")
    DATABASE.unlink()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///theirs.db")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    follow(study)
    of = client("sqlite:///theirs.db")
    mine = of.get_experiment_by_name("mine")
    assert {run.info.run_name for run in of.search_runs([mine.experiment_id])} == {"one", "study"}
    follow(study, uri="sqlite:///typed.db", experiment="ours")
    assert client("sqlite:///typed.db").get_experiment_by_name("ours")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", mine.experiment_id)
    study.record.cells[1].factors["depth"] = 56  # another plan
    follow(study)
    assert of.get_experiment_by_name("ablate") is not None, "from before"
    assert len(of.search_runs([mine.experiment_id])) == 2
    assert not DATABASE.exists()


def test_a_password_that_is_typed_is_refused() -> None:
    for uri in ("http://me:s3cr3t@127.0.0.1:1", "postgresql://me:s3cr3t@127.0.0.1/mlflow"):
        with pytest.raises(InputError, match="MLFLOW_TRACKING_URI") as error:
            registry.build("tracker", {"name": "mlflow", "uri": uri})
        assert "s3cr3t" not in str(error.value)


@pytest.mark.parametrize("module", ["mlflow", "sqlalchemy"])
def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r"pip install 'mlflow>=3\.16'"):
        registry.build("tracker", {"name": "mlflow"})


def test_an_old_mlflow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.plugins.trackers.mlflow.version", lambda name: "1.27.0")
    with pytest.raises(InputError, match=r"here is 1\.27\.0: pip install 'mlflow>=3\.16'"):
        registry.build("tracker", {"name": "mlflow"})


@pytest.mark.slow
def test_cells_import_neither_tracker() -> None:
    code = "import sys, ablate.run.preload; print({'mlflow', 'tensorboard', 'sqlalchemy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# Faults


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

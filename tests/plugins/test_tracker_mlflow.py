"""tracker=mlflow: what MLflow's own client finds is what the store holds, each thing once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from ablate import InputError, registry
from ablate.config.compose import prepare
from ablate.run.following import Followers
from ablate.testing.tracker import HOSTILE, Study
from tests.mirrors import DATABASE, an_epoch_is_trained_again, assert_runs, client, course, rows, runs
from tests.mlflow_studies import ARMS, CLAIM, dump, empty_database, follow, forget, run, store_in, trained

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
    study, between = Study("study"), []

    def followed(study: Study, steps: Callable[[Followers], None]) -> None:
        follow(study, steps)
        between.append((runs()["one"].info.status, runs()["study"].info.status))

    an_epoch_is_trained_again(study, followed)
    assert between[0] == ("KILLED", "KILLED")
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

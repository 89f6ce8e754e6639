"""tracker=tensorboard: what TensorBoard's own reader finds in the event files is what the store holds."""

from __future__ import annotations

import io
import json
import math
import resource
import signal
import sys
from collections.abc import Iterator
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
from tests.mirrors import an_epoch_is_trained_again, assert_boards, boards, rows, scalars
from tests.run.in_process import register_engine

pytest.importorskip("tensorboard", reason="needs the extra `tensorboard`")

prepare()

TINY = ("depth=8", "width=0.25", "trainer.epochs=3", "data.batch_size=256", "engine=here", "tracker=tensorboard")
ARMS = ("+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=orders", "study.seeds=1")
CLAIM = (
    "+study.claims=[{id: pre_wins, says: Pre ends lower., metric: train/loss, contrast: {post: 1, pre: -1}, "
    "expect: positive, margin: 0.1, margin_because: it is a test}]"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        register_engine()
        yield


def run(*typed: str) -> str:
    text = io.StringIO()
    run_study(plan_study([*TINY, *typed]), Console(file=text, width=300))
    return text.getvalue()


def texts(run: Any, tag: str) -> list[str]:
    return [one.tensor_proto.string_val[0].decode() for one in run.Tensors(tag)]


def hparams(run: Any) -> dict[str, Any]:
    from tensorboard.plugins.hparams import metadata

    info = metadata.parse_session_start_info_plugin_data(
        run.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    )
    return {key: getattr(value, value.WhichOneof("kind")) for key, value in info.hparams.items()}


def ending(run: Any) -> int:
    from tensorboard.plugins.hparams import metadata

    content = run.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    return int(metadata.parse_session_end_info_plugin_data(content).status)


def files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path("runs").rglob("*tfevents*")}


def test_each_cell_is_a_run_with_its_rows_parameters_and_times_and_the_study_one_with_its_verdicts() -> None:
    said = run(*ARMS, CLAIM)
    assert said.count("tracker tensorboard") == 1
    assert "shows it with: tensorboard --logdir runs/orders/tensorboard\n" in said
    assert_boards()
    runs = boards()
    assert {name.split("/")[0] for name in runs} == {".", "post", "pre"}
    (name,) = (name for name in runs if name.startswith("pre/"))
    folder = Path("runs/orders/cells", name.removeprefix("pre/"))
    result = json.loads((folder / "result.json").read_text())
    found = scalars(runs[name])
    assert found["params"] == [(3, result["metrics"]["params"])]
    assert found["final/seconds"] == [(3, pytest.approx(result["metrics"]["seconds"], rel=1e-6))]
    about = hparams(runs[name])
    assert about["arm"] == about["order"] == "pre"
    assert (about["depth"], about["seed"], about["optim.lr"]) == (8, 0, 0.05)
    assert "  nesterov: false" in texts(runs[name], "config")[0]
    assert ending(runs[name]) == 1  # success
    assert texts(runs[name], "ended") == ["done"]

    times = [one.wall_time for one in runs[name].Scalars("seconds")]
    seconds = [float(row["seconds"]) for row in rows(folder.name)]
    assert times[-1] == pytest.approx((folder / "history.csv").stat().st_mtime, abs=1e-3)
    assert [late - early for early, late in pairwise(times)] == pytest.approx(seconds[1:], abs=1e-3)

    study = runs["."]
    (verdicts,) = texts(study, "verdicts")
    (judged,) = json.loads(Path("runs/orders/verdicts.json").read_text())["claims"]
    assert f"**{judged['verdict']}**: pre\\_wins" in verdicts
    assert "Pre ends lower\\." in verdicts
    assert "figures/effects" in study.Tags()["tensors"] + study.Tags()["images"]


def test_a_second_run_changes_nothing_and_more_seeds_add_their_cells() -> None:
    run(*ARMS)
    before = files()
    run(*ARMS)
    assert files() == before
    run(*ARMS[:-1], "study.seeds=2")
    assert_boards()
    assert all(path in files() for path in before)


def follow(study: Study, until: Any = None, **options: Any) -> str:
    """A run of a study whose first cell is trained by hand; what it says, but for where to look."""
    said = io.StringIO()
    tracker = registry.build("tracker", {"name": "tensorboard", **options})
    with Followers({"tensorboard": tracker}, study.folder, Console(file=said, width=300)) as followers:
        followers.begin(study.record)
        followers.started(study.job("one"))
        if until is not None:
            until(followers)
    return "".join(line for line in said.getvalue().splitlines(keepends=True) if "shows it with" not in line)


def mirrored() -> tuple[Study, Path]:
    """A study whose first cell is finished and told, and the event file of that."""
    study = Study("study")
    study.train("one", rows=3)
    study.end("one")
    assert follow(study, lambda followers: followers.ended(study.job("one"))) == ""
    return study, study.folder / "tensorboard" / "one" / "one" / "events.out.tfevents.0000000000.ablate"


def told_again(study: Study) -> None:
    Path(study.folder, "trackers/tensorboard.json").unlink()
    assert follow(study, lambda followers: followers.ended(study.job("one"))) == ""
    assert_boards("study")


@pytest.mark.parametrize("lost", ["position", "files"])
def test_what_is_lost_of_either_side_is_no_row_twice(lost: str) -> None:
    study, _ = mirrored()
    before = files()
    if lost == "files":
        for path in before:
            Path(path).unlink()
    told_again(study)
    assert files().keys() == before.keys()
    if lost == "position":
        assert files() == before


@pytest.mark.parametrize("cut", [1, 4, 13, 60, 400, 1000])
def test_a_record_that_is_not_whole_hides_nothing_behind_it(cut: int) -> None:
    study, path = mirrored()
    path.write_bytes(path.read_bytes()[:-cut])
    told_again(study)
    told_again(study)
    assert len(list(path.parent.iterdir())) <= 3, "the file that was cut, that of the rest, and how it ended"


@pytest.mark.parametrize("back", [3, 50, 150, 400])
def test_damage_in_the_middle_of_a_file_costs_no_row(back: int) -> None:
    study, path = mirrored()
    content = bytearray(path.read_bytes())
    content[-back] ^= 1
    path.write_bytes(content)
    told_again(study)


def test_an_epoch_that_was_trained_again_takes_the_place_of_the_first() -> None:
    study = Study("study")
    an_epoch_is_trained_again(study, follow)
    (found,) = (scalars(one) for name, one in boards(study.folder / "tensorboard").items() if name != ".")
    assert found["seconds"] == [(1, 0.25), (2, 0.75), (3, 0.25)]


def test_other_code_makes_another_run() -> None:
    study, path = mirrored()
    before = path.read_bytes()
    result = study.place("one") / "result.json"
    result.write_text(result.read_text().replace('"code": "code"', '"code": "other"'))
    for _ in range(2):
        Path(study.folder, "trackers/tensorboard.json").unlink()
        follow(study, lambda followers: followers.ended(study.job("one")))
    assert sorted(boards(study.folder / "tensorboard")) == [".", "one/one", "one/one-2"]
    assert path.read_bytes() == before


def test_a_failure_is_told_until_the_cell_is_tried_again() -> None:
    study = Study("study")
    study.train("one", rows=1)
    follow(study, lambda followers: followers.failed(study.job("one"), "no <memory>"))
    one = boards(study.folder / "tensorboard")["one/one"]
    assert ending(one) == 2  # failure
    assert texts(one, "ended") == ["failed: no &lt;memory&gt;"]
    follow(study)
    with pytest.raises(KeyError):
        ending(boards(study.folder / "tensorboard")["one/one"])


def test_no_number_and_an_infinite_one_are_kept_as_such() -> None:
    study = Study("study")
    study.train("one", rows=1)
    history = study.place("one") / "history.csv"
    history.write_text(history.read_text().replace("0.5,1.5", "nan,inf").replace("0.6", "1e300"))
    study.end("one")
    for _ in range(2):
        follow(study, lambda followers: followers.ended(study.job("one")))
        Path(study.folder, "trackers/tensorboard.json").unlink()
    found = scalars(boards(study.folder / "tensorboard")["one/one"])
    assert math.isnan(found["train/error"][0][1])
    assert found["test/loss"] == [(1, math.inf), (1, 0.5)] or found["test/loss"] == [(1, math.inf)]
    assert found["test/error"][0] == (1, math.inf), "32 bits hold no such number"


def test_names_stay_text_and_apart() -> None:
    names = [HOSTILE, "a/b", "a_b", "../../out", "line\nbreak", "x" * 5000, ".", "🙂"]
    places = set()
    for number, name in enumerate(names):
        study = Study(f"study{number}", name)
        study.train("one", rows=1)
        study.end("one")
        follow(study, lambda followers, study=study: followers.ended(study.job("one")))
        (found,) = (key for key in boards(study.folder / "tensorboard") if key != ".")
        assert len(found.split("/")) == 2
        places.add(found)
        assert hparams(boards(study.folder / "tensorboard")[found])["arm"] == name
    assert len(places) == len(names)
    assert not Path("out").exists()


def test_a_full_disk_is_said_once_and_the_next_run_writes_the_rest() -> None:
    limits, before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    study = Study("study")

    def full(followers: Followers) -> None:
        (path,) = (study.folder / "tensorboard").glob("one/*/*0.ablate")
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, limits[1]))
        study.train("one", rows=3)
        study.end("one")
        followers.ended(study.job("one"))

    study.train("one", rows=1)
    follow(study, lambda followers: followers.tick())
    try:
        said = follow(study, full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert said.count("tracker tensorboard stops") == said.count("\n") == 1
    assert "File too large" in said
    assert follow(study, lambda followers: followers.ended(study.job("one"))) == ""
    found = scalars(boards(study.folder / "tensorboard")["one/one"])
    assert found["seconds"] == [(1, 0.25), (2, 0.25), (3, 0.25)]


def test_where_the_files_lie(tmp_path: Path) -> None:
    study = Study("study")
    study.train("one", rows=1)
    follow(study, folder=f"{tmp_path}/boards")
    assert set(boards(tmp_path / "boards")) == {"study", "study/one/one"}
    follow(study, folder="runs")
    assert set(boards(study.folder / "tensorboard")) == {".", "one/one"}, (
        "in the store each study has its folder already"
    )
    said = follow(study, folder="runs/study/cells")
    assert "tracker tensorboard stops: InputError: tracker.tensorboard.folder=runs/study/cells: lies in" in said


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'tensorboard>=2\.20'"):
        run(*ARMS)
    assert not Path("runs").exists()

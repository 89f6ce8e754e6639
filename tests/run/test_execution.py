"""Studies from the command line into the store: what is trained, what is not, and how a command ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ablate import Job, load_results, registry
from ablate.__main__ import main
from ablate.config import code as code_of
from ablate.config import contents
from ablate.run import execution
from tests.cells import last_wins
from tests.published import write_cifar10

SMALL = ["depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500"]
TWO_ARMS = ["+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=orders"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of one's own, and reports that take no time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ablate.report.write_report", lambda *arguments: None)
    handler = signal.getsignal(signal.SIGTERM)
    with registry.isolated():
        yield tmp_path
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def ablate(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run a command, as in a process of its own; gives its exit code and what it said on stderr."""

    def run(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        for one in (code_of, contents):
            one.forget()
        code = main(last_wins(*SMALL, *arguments))
        return code, capfd.readouterr().err

    return run


def cells_of(study: str) -> dict[str, Path]:
    return {path.name: path for path in sorted(Path("runs", study, "cells").iterdir())}


def trained(study: str) -> dict[str, int]:
    """How often a process has trained each cell, by its log."""
    logs = {name: folder / "log.txt" for name, folder in cells_of(study).items()}
    return {name: log.read_text().count(" on cpu, ") if log.exists() else 0 for name, log in logs.items()}


def statuses(study: str) -> list[str]:
    return list(load_results(f"runs/{study}")["status"])


def test_what_is_finished_is_never_trained_again_and_what_is_added_is(ablate: Callable[..., tuple[int, str]]) -> None:
    assert ablate(*TWO_ARMS, "study.seeds=1") == (0, "")
    first = trained("orders")
    assert list(first.values()) == [1, 1]

    assert ablate(*TWO_ARMS, "study.seeds=1") == (0, "")
    assert trained("orders") == first

    assert ablate(*TWO_ARMS, "study.seeds=2") == (0, "")
    assert list(trained("orders").values()) == [1] * 4

    assert ablate(*TWO_ARMS, "study.seeds=2", "+study.arms.plain=['shortcut=none']") == (0, "")
    assert list(trained("orders").values()) == [1] * 6
    frame = load_results("runs/orders")
    assert frame["arm"].tolist() == ["post", "post", "pre", "pre", "plain", "plain"]
    assert frame["status"].tolist() == ["done"] * 6


def test_another_study_takes_over_what_the_store_has(ablate: Callable[..., tuple[int, str]]) -> None:
    ablate("study.name=first", "study.seeds=1")
    assert ablate("study.name=second", "study.seeds=2") == (0, "")
    assert list(trained("second").values()) == [0, 1]
    frame = load_results("runs/second")
    assert frame["reused_from"].tolist() == ["first", ""]
    assert frame["status"].tolist() == ["done", "done"]


def test_single_runs_gather_in_one_study(ablate: Callable[..., tuple[int, str]]) -> None:
    for overrides in (["order=post"], ["order=pre"], ["order=pre", "seed=1"]):
        assert ablate(*overrides) == (0, "")
    frame = load_results("runs/single")
    assert len(frame) == 3
    assert statuses("single") == ["done"] * 3


def made_by(code: str, folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**result, "code": code}))


def test_what_other_code_trained_is_marked_and_trained_again_where_asked(
    ablate: Callable[..., tuple[int, str]],
) -> None:
    ablate("study.seeds=2")
    ablate("study.seeds=1", "study.name=other")
    stale, fresh = cells_of("single").values()
    made_by("older", stale)
    made_by("older", Path("runs/other/cells", stale.name))

    assert ablate("study.seeds=2") == (0, "")
    assert load_results("runs/single")["stale"].tolist() == [True, False]
    assert trained("single") == {stale.name: 1, fresh.name: 1}

    assert ablate("study.seeds=2", "rerun=stale") == (0, "")
    assert load_results("runs/single")["stale"].tolist() == [False, False]
    assert trained("single") == {stale.name: 2, fresh.name: 1}
    assert load_results("runs/other")["stale"].tolist() == [True], "another study keeps what it has"

    assert ablate("study.seeds=1", "study.name=other", "rerun=stale") == (0, "")
    assert trained("other") == {stale.name: 0}, "until it is asked, and then it need not train either"
    assert load_results("runs/other")["reused_from"].tolist() == ["single"]


BROKEN_PLUGIN = """
import multiprocessing
import os
from ablate import Augment, register

IN_A_CELL = multiprocessing.parent_process() is not None  # a certificate tries it in the study's own process

@register("augment", "mine")
class Mine(Augment):
    def draw(self, samples, generator):
        {draw}
    def apply(self, images, choices):
        return images.flip(-1)
"""


def plugin(draw: str) -> None:
    Path("plugins").mkdir(exist_ok=True)
    Path("plugins/mine.py").write_text(BROKEN_PLUGIN.format(draw=draw))


@pytest.mark.parametrize(
    ("draw", "reason"),
    [
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("IN_A_CELL and os.kill(os.getpid(), 9)", "killed by signal 9 (Killed) in attempt 2"),
    ],
)
def test_a_cell_that_fails_is_reported_and_tried_again_by_the_next_run(
    draw: str, reason: str, ablate: Callable[..., tuple[int, str]]
) -> None:
    arms = ["+study.arms.mine=['augment=mine']", "+study.arms.none=['augment=none']", "study.seeds=1"]
    plugin(draw)
    code, error = ablate(*arms)
    assert code == 1
    assert error == "ablate: 1 of 2 cells failed; the same command tries them again\n"
    frame = load_results("runs/unnamed")
    assert frame["status"].tolist() == ["failed", "done"]
    assert reason in frame["reason"].iloc[0]

    plugin("return None")
    assert ablate(*arms) == (0, "")
    frame = load_results("runs/unnamed")
    assert frame["status"].tolist() == ["done", "done"]
    assert frame["reason"].tolist() == ["", ""]


def test_a_diverged_cell_is_a_result_and_the_study_goes_on(ablate: Callable[..., tuple[int, str]]) -> None:
    arms = ["+study.arms.wild=['optim.lr=1e30']", "+study.arms.tame=['optim.lr=0.1']", "study.seeds=1"]
    assert ablate(*arms) == (0, "")
    assert statuses("unnamed") == ["diverged", "done"]
    before = trained("unnamed")
    assert ablate(*arms) == (0, "")
    assert trained("unnamed") == before, "it is finished"


def test_data_may_lie_in_a_folder_and_where_it_lies_decides_nothing(ablate: Callable[..., tuple[int, str]]) -> None:
    write_cifar10(Path("photographs"), samples=40)
    study = ["data=cifar10", "augment=crop_flip", "data.batch_size=50"]
    assert ablate(*study, "data.root=photographs") == (0, "")
    assert statuses("single") == ["done"]
    Path("photographs").rename("moved")
    assert ablate(*study, "data.root=moved") == (0, "")
    assert list(trained("single").values()) == [1]
    code, error = ablate(*study, "data.root=photographs")
    assert code == 2
    assert error.startswith("ablate: CIFAR-10 is not in photographs/cifar-10-batches-py: data_batch_1, ")


def test_a_plugin_edited_just_after_the_plan_was_made_trains_nothing(
    ablate: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = execution._train

    def edited(*arguments: Any) -> dict[str, str]:
        plugin("samples = None; return samples")
        return train(*arguments)

    plugin("return None")
    with monkeypatch.context() as during:
        during.setattr(execution, "_train", edited)
        assert ablate("augment=mine")[0] == 1
    (reason,) = load_results("runs/single")["reason"]
    line = f"{Path('plugins/mine.py').absolute()} changed since the plan; run again"
    assert reason == f"refused its input in attempt 1; its log ends: {line}"
    assert not list(Path("runs").rglob("history.csv"))

    assert ablate("augment=mine") == (0, "")
    assert statuses("single") == ["done"]


CLAIM = """
# @package _global_
study:
  name: bet
  arms: {a: [optim.lr=0.1], b: [optim.lr=0.05]}
  seeds: 1
  claims:
    - {id: bet, metric: test/error, contrast: {a: 1, b: -1}, expect: positive, margin: 0.01}
"""


def test_strict_ends_with_3_where_a_claim_is_not_supported(ablate: Callable[..., tuple[int, str]]) -> None:
    Path("conf/exp").mkdir(parents=True)
    Path("conf/exp/bet.yaml").write_text(CLAIM)
    assert ablate("+exp=bet") == (0, "")
    code, error = ablate("+exp=bet", "study.strict=true")
    assert code == 3
    assert error == "ablate: study.strict=true, and not supported: bet\n"


def test_failed_cells_count_before_claims(ablate: Callable[..., tuple[int, str]]) -> None:
    Path("conf/exp").mkdir(parents=True)
    Path("conf/exp/bet.yaml").write_text(CLAIM.replace("optim.lr=0.05", "augment=mine"))
    plugin("IN_A_CELL and os._exit(1)")
    code, _ = ablate("+exp=bet", "study.strict=true", "engine.retries=0")
    assert code == 1


# wrong input: one line, exit 2, and nothing started


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["data=cifar10", "data.root=nowhere"], "CIFAR-10 is not in nowhere/cifar-10-batches-py: data_batch_1, "),
        (["trainer.epochs=0"], "trainer.epochs=0: must be at least 1"),
        (["trainer.epochs_to=[soon]"], "trainer.epochs_to: 'soon' is no threshold"),
        (["optim.lr=-1"], "optim.lr=-1.0: must be a number of at least 0"),
        (["schedule=step", "schedule.milestones=[3]"], "schedule.milestones=[3.0]: each is a share of all steps"),
        (["augment=shift", "augment.pixels=-1"], "augment.pixels=-1: must be at least 0"),
        (["data.batch_size=0"], "data.batch_size=0: must be at least 1"),
        (["engine.slots=0"], "engine.slots=0: must be at least 1"),
        (["study.name=a/b"], "study.name='a/b': must be the name of a folder"),
    ],
)
def test_wrong_input_ends_before_anything_is_trained(
    overrides: list[str], line: str, ablate: Callable[..., tuple[int, str]]
) -> None:
    code, error = ablate(*overrides)
    assert code == 2
    assert error.startswith(f"ablate: {line}")
    assert error.count("\n") == 1
    assert not list(Path().glob("runs/*/study.yaml"))


def test_an_arm_whose_network_cannot_be_built_is_named(ablate: Callable[..., tuple[int, str]]) -> None:
    code, error = ablate("+study.arms.one=['norm=batch']", "+study.arms.other=['norm=group','norm.groups=7']")
    assert code == 2
    assert error.startswith("ablate: arm 'other': norm group: 7 groups do not divide 4 channels")


@pytest.mark.parametrize("times", [1, 2])
def test_a_study_whose_folder_vanishes_is_trained_again(
    ablate: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Not a hang, not a traceback; what had run is lost with it."""
    from ablate.run.progress import StudyProgress

    removed: list[Job] = []

    def remove(self: StudyProgress, job: Job) -> None:
        if len(removed) < times:
            removed.append(job)
            # At once: rmtree would find the folder of the cell that is just being started not empty.
            Path("runs/single").rename(f"gone-{len(removed)}")

    monkeypatch.setattr(StudyProgress, "started", remove)
    code, error = ablate("engine.slots=1")
    if times == 1:
        assert (code, error) == (0, "")
        assert statuses("single") == ["done"]
    else:
        assert (code, error) == (1, "ablate: 1 of 1 cells failed; the same command tries them again\n")
        assert statuses("single") == ["failed"]


def test_without_a_terminal_there_is_one_line_and_the_result(capfd: pytest.CaptureFixture[str]) -> None:
    main([*SMALL, "study.seeds=2"])
    out, err = capfd.readouterr()
    assert err == ""
    lines = [line for line in out.splitlines() if line.strip()]
    assert lines[0].startswith("single: 2 cells, 0 stored already")
    assert lines[1].startswith("test error: mean over the finished seeds")
    assert lines[-1].startswith("report: ")
    assert "running" not in out


def test_without_a_terminal_a_study_says_once_what_it_is_about_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    def first_line(*arguments: str) -> str:
        capfd.readouterr()
        assert main(last_wins(*SMALL, "engine.slots=2", *arguments)) == 0
        return capfd.readouterr().out.splitlines()[0]

    assert first_line(*TWO_ARMS, "study.seeds=2") == "orders: 4 cells, 0 stored already, 2 slots"
    assert first_line(*TWO_ARMS, "study.seeds=[0,1,2]", "engine.slots=1") == "orders: 6 cells, 4 stored already, 1 slot"
    assert "stored already" not in first_line(*TWO_ARMS, "study.seeds=3"), "nothing is left to do"

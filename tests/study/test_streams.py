"""Arms with random streams of their own: the null arm of a control."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from ablate import load_results
from ablate.errors import InputError
from ablate.preflight.certificate.certify import certify, refuse_no_ops
from ablate.preflight.certificate.marks import marks
from ablate.run.execution import run_study
from ablate.study.plan import Study, plan_study

STUDY = """# @package _global_
study:
  name: control
  arms:
    base: []
    null_arm: {{overrides: [], seeds_from: {first}}}
  seeds: {seeds}
  claims:
    - {{id: same, metric: train/loss, contrast: {{null_arm: 1, base: -1}}, expect: zero, margin: 5}}
"""
SMALL = ["scale=tiny", "width=0.1", "depth=8", "data.train=32", "data.test=32"]


def write(folder: Path, monkeypatch: pytest.MonkeyPatch, first: object = 1000, seeds: object = "[0, 3, 5]") -> None:
    (folder / "conf" / "exp").mkdir(parents=True)
    (folder / "conf" / "exp" / "control.yaml").write_text(STUDY.format(first=first, seeds=seeds))
    monkeypatch.chdir(folder)


def plan(*typed: str) -> Study:
    return plan_study(["+exp=control", *SMALL, *typed])


def test_pairs_go_by_position_and_streams_are_counted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch)
    places = [(cell.arm, cell.seed, cell.stream, cell.config["seed"]) for cell in plan().cells]
    assert places == [
        ("base", 0, 0, 0), ("base", 3, 3, 3), ("base", 5, 5, 5),
        ("null_arm", 0, 1000, 1000), ("null_arm", 3, 1001, 1001), ("null_arm", 5, 1002, 1002),
    ]  # fmt: skip


def test_a_null_arm_is_its_baseline_on_other_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch)
    (single,) = plan_study([*SMALL, "seed=1001"]).cells
    assert single.id in [cell.id for cell in plan().cells if cell.arm == "null_arm"]


def test_it_may_change_nothing_and_any_other_arm_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch)
    study = plan()
    certificates = certify(study)
    assert [one.evidence.is_no_op for one in certificates] == [True]
    refuse_no_ops(study, certificates)
    assert marks(certificates) == []
    with pytest.raises(InputError, match="have the same config: nothing to compare"):
        plan("study.arms.null_arm.seeds_from=null")


@pytest.mark.parametrize(
    ("first", "seeds", "message"),
    [
        (4, "6", "takes the streams 4 to 9, and 4 is a seed of the study; begin elsewhere, such as at 1000"),
        (-1, "2", "must be a whole number of at least 0"),
        ("many", "2", "must be a whole number of at least 0"),
        (True, "2", "must be a whole number of at least 0"),
    ],
)
def test_streams_that_are_none_of_its_own_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: object, seeds: str, message: str
) -> None:
    write(tmp_path, monkeypatch, first, seeds)
    with pytest.raises(InputError) as refused:
        plan()
    assert message in str(refused.value)


def test_the_table_of_results_says_which_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, monkeypatch, seeds="2")
    run_study(plan(), Console(quiet=True))
    frame = load_results(tmp_path / "runs" / "control-tiny")
    assert list(zip(frame["arm"], frame["seed"], frame["stream"], strict=True)) == [
        ("base", 0, 0), ("base", 1, 1), ("null_arm", 0, 1000), ("null_arm", 1, 1001)
    ]  # fmt: skip
    assert frame["train/loss"].nunique() == 4
    page = (tmp_path / "runs" / "control-tiny" / "report.md").read_text()
    assert "on random streams of its own from 1000 on" in page

"""What a study stated before its first result, and what is said where it states something else afterwards."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablate.__main__ import main
from ablate.run.execution import run_study
from ablate.run.locking import lock_study
from ablate.run.store import Store
from ablate.study.lock import Lock, read_lock
from ablate.study.plan import plan_study

SMALL = ["scale=tiny", "width=0.1", "depth=8", "data.train=32", "data.test=32", "data.batch_size=16"]
STUDY = """# @package _global_
study:
  name: locked
  arms: {{a: [shortcut=identity], b: [shortcut=none]}}
  seeds: {seeds}
  claims:
    - id: gap
      says: {says}
      metric: {metric}
      contrast: {contrast}
      expect: {expect}
      margin: {margin}
      requires: {requires}
{more}"""
USUAL = {
    "seeds": 2, "says": "a is worse", "metric": "train/loss", "contrast": "{a: 1, b: -1}", "expect": "positive",
    "margin": 0.05, "requires": "[]", "more": "",
}  # fmt: skip
OTHER = "    - {id: other, metric: test/loss, contrast: {a: 1, b: -1}, expect: zero, margin: 0.5}\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "exp").mkdir(parents=True)
    return tmp_path


def write(**changes: Any) -> None:
    Path("conf/exp/locked.yaml").write_text(STUDY.format(**{**USUAL, **changes}), encoding="utf-8")


def run(*typed: str) -> str:
    """What the terminal says of a run."""
    out = io.StringIO()
    run_study(plan_study(["+exp=locked", *SMALL, *typed]), Console(file=out, width=200))
    return out.getvalue()


FOLDER = Path("runs/locked-tiny")


def lock() -> Lock:
    found = read_lock(FOLDER)
    assert found is not None
    return found


def verdict(name: str = "gap") -> dict[str, Any]:
    claims = json.loads((FOLDER / "verdicts.json").read_text())["claims"]
    return next(one for one in claims if one["id"] == name)


def test_a_lock_has_what_was_stated_and_when() -> None:
    write()
    run()
    found = lock()
    assert (found.seeds, found.looks, found.results, found.changes) == ([0, 1], [], 0, {})
    assert found.claims[0]["margin"] == 0.05
    assert len(found.hash) == 64
    assert found.locked < "2100"
    page = (FOLDER / "report.html").read_text()
    assert "What was fixed before the results" in page
    assert found.hash[:16] in page


def test_a_claim_may_be_changed_as_long_as_there_is_no_result() -> None:
    write()
    study = plan_study(["+exp=locked", *SMALL])
    store = Store(study.runs, study.folder)
    store.prepare()
    lock_study(study, store, 0, Console(quiet=True))
    write(margin=0.01)
    run()
    assert lock().claims[0]["margin"] == 0.01
    assert lock().changes == {}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"margin": 0.01}, "margin was 0.05 when the first result came"),
        *(
            pytest.param(*one, marks=pytest.mark.slow)
            for one in [
                ({"expect": "negative"}, "expect was positive when the first result came"),
                ({"metric": "test/loss"}, "metric was train/loss when the first result came"),
                ({"contrast": "{b: 1, a: -1}"}, "contrast was {a: 1, b: -1} when the first result came"),
                (
                    {"requires": "[{cells: a, metric: train/error, below: 0.9}]"},
                    "it had no gates when the first result came",
                ),
                ({"says": "a is better"}, "the claim read 'a is worse' when the first result came"),
            ]
        ),
    ],
)
def test_what_is_changed_after_results_is_said_in_verdict_terminal_and_page(changes: dict[str, Any], line: str) -> None:
    write()
    run()
    write(**changes)
    said = run()
    assert line in " ".join(said.split())
    assert verdict()["changed"] == [line]
    assert f"Changed since: {line}." in verdict()["notes"]
    assert "Changed after the first result came: gap." in said
    for name in ("report.html", "report.md"):
        assert line.replace("'", "&#x27;") in (FOLDER / name).read_text().replace("'", "&#x27;"), name
    write()  # as it was: nothing is left to say
    assert line not in run()
    assert verdict()["changed"] == []


def test_other_seeds_do_not_undo_what_was_seen() -> None:
    write()
    run()
    write(margin=0.01)
    said = " ".join(run("study.seeds=[5,6]").split())
    assert "margin was 0.05 when the first result came" in said
    assert "2 seeds (0 to 1) were planned when the first result came" in said


@pytest.mark.slow
def test_another_spelling_is_no_change() -> None:
    write()
    run()
    write(margin="5.0e-2", contrast="{b: -1.0, a: 1.0}")
    run()
    assert lock().changes == {}


@pytest.mark.slow
def test_claims_that_are_added_or_removed_are_said() -> None:
    write()
    run()
    write(more=OTHER)
    assert "the claim was added after the first result came" in " ".join(run().split())
    assert verdict("other")["changed"]
    write()
    run()
    assert lock().changes == {}
    write(more=OTHER)
    run()
    assert list(lock().changes) == ["other"]


@pytest.mark.slow
def test_a_removed_claim_is_said_of_the_study() -> None:
    write(more=OTHER)
    run()
    write()
    said = " ".join(run().split())
    assert "claim 'other' was removed after the first result came" in said
    assert "claim 'other' was removed" in (FOLDER / "report.html").read_text().replace("&#x27;", "'")


@pytest.mark.slow
def test_a_study_that_is_locked_after_results_says_so() -> None:
    write()
    run()
    (FOLDER / "lock.json").unlink()
    said = " ".join(run().split())
    assert "its claims were not locked before: they were written down when 4 cells had results" in said
    assert "its claims were not locked before" in run()  # for as long as the study lives


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "[]", '{"claims": [{}]}', '{"claims": 3}', "\0"])
def test_a_lock_that_is_not_whole_is_set_aside_and_the_study_says_so(content: str) -> None:
    write()
    run()
    (FOLDER / "lock.json").write_text(content)
    assert main(["report", str(FOLDER)]) == 0  # what reads only says it, and goes on
    said = " ".join(run().split())
    assert "lock.json was not whole" in said
    assert "its lock was not whole: they were written down when 4 cells had results" in said
    assert (FOLDER / "lock.broken.json").read_text() == content


@pytest.mark.slow
def test_a_run_of_a_part_of_the_study_changes_nothing_that_was_stated() -> None:
    write(contrast="{a: 1, b: -1}", more=OTHER)
    run()
    run("~study.arms.b")
    assert lock().changes == {}


@pytest.mark.slow
def test_results_of_other_studies_that_it_takes_over_are_counted() -> None:
    write()
    run()
    text = Path("conf/exp/locked.yaml").read_text()
    Path("conf/exp/locked.yaml").write_text(text.replace("name: locked", "name: second"))
    run()
    found = read_lock(Path("runs/second-tiny"))
    assert found is not None
    assert (found.results, found.changes) == (4, {})


def ledger() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / "ledger.jsonl").read_text().splitlines()]


def test_every_look_is_entered_once() -> None:
    write()
    run()
    assert [(one["id"], one["seeds"]) for entry in ledger() for one in entry["claims"]] == [("gap", [0, 1])]
    run()
    main(["report", str(FOLDER)])
    assert len(ledger()) == 1


@pytest.mark.slow
def test_seeds_that_are_added_by_hand_are_said_with_the_p_of_a_plan() -> None:
    write()
    run()
    run("study.seeds=3")
    said = " ".join(run("study.seeds=4").split())
    note = (
        "Judged before at 2 and 3 seeds; its p does not allow for that: a plan of looks at 2, 3 and 4 seeds would have"
    )
    assert note in said
    assert "2 seeds (0 to 1) were planned when the first result came" in said
    found = verdict()
    assert found["judged_before"] == [2, 3]
    assert found["p_over_looks"] > found["p_holm"]
    assert note in (FOLDER / "report.html").read_text()
    assert [len(entry["claims"][0]["seeds"]) for entry in ledger()] == [2, 3, 4]


@pytest.mark.slow
def test_a_last_line_that_was_cut_off_is_left_out_and_another_one_is_set_aside() -> None:
    write()
    run()
    path = FOLDER / "ledger.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"time": "2')
    run("study.seeds=3")
    assert verdict()["judged_before"] == [2]
    path.write_text("{}\n" + whole)
    said = " ".join(run("study.seeds=4").split())
    assert "ledger.jsonl was not whole" in said


@pytest.mark.slow
def test_single_runs_have_no_lock() -> None:
    write()
    assert main([*SMALL, "trainer.epochs=1"]) == 0
    assert not list(Path("runs").glob("*/lock.json"))

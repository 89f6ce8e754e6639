"""The ledger of looks: what is entered, and which looks no plan had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablate.analysis import Verdict
from ablate.study.ledger import Entry, Judged, enter, looks_outside, read_ledger
from ablate.study.lock import Lock
from ablate.system.reading import BrokenFile


def verdict(n: int, word: str = "supported", **changes: object) -> Verdict:
    return Verdict("gap", verdict=word, n=n, seeds=list(range(n)), p_holm=0.01).replace(**changes)


def lock(seeds: int, *looks: int) -> Lock:
    return Lock(claims=[], seeds=list(range(seeds)), looks=list(looks), hash="", locked="")


def entries(*numbers: int) -> list[Entry]:
    return [Entry("2026-01-01", [Judged("gap", list(range(number)), "inconclusive")]) for number in numbers]


def test_a_look_is_entered_with_its_seeds_and_verdicts(tmp_path: Path) -> None:
    found = enter(tmp_path, [verdict(6)], [])
    assert read_ledger(tmp_path) == found
    assert found[0].claims == [Judged("gap", [0, 1, 2, 3, 4, 5], "supported", 0.01)]
    assert enter(tmp_path, [verdict(6)], found) == found  # it saw nothing new
    assert len(enter(tmp_path, [verdict(6, "inconclusive")], found)) == 2
    assert len(read_ledger(tmp_path)) == 2


@pytest.mark.parametrize("one", [verdict(6, "not tested"), verdict(1), verdict(6, test="exact")])
def test_what_was_not_tested_is_no_look(tmp_path: Path, one: Verdict) -> None:
    assert enter(tmp_path, [one], []) == []
    assert not (tmp_path / "ledger.jsonl").exists()


@pytest.mark.parametrize(
    ("planned", "judged", "now", "outside"),
    [
        (lock(6), (6,), verdict(6), []),  # as planned
        (lock(6), (3, 5), verdict(6), []),  # whoever looked on meanwhile, it ended where it was to end
        (lock(6), (6,), verdict(9), [6]),  # went on
        (lock(6), (6, 9), verdict(12), [6, 9]),
        (lock(24), (6, 9), verdict(12), [6, 9]),  # stopped before
        (lock(12, 6, 9, 12), (6, 9), verdict(12, looks=[6, 9, 12]), []),
        (lock(12, 6, 9, 12), (6, 7), verdict(9, looks=[6, 9, 12]), []),
        (lock(6), (6,), verdict(9, looks=[6, 9, 12]), []),  # a plan of looks that has the earlier one allows for it
        (lock(6), (6, 7), verdict(9, looks=[6, 9, 12]), [7]),
        (None, (6,), verdict(9), [6]),
        (lock(6), (6,), verdict(9, "not tested"), []),
    ],
)
def test_looks_that_no_plan_had(
    planned: Lock | None, judged: tuple[int, ...], now: Verdict, outside: list[int]
) -> None:
    assert looks_outside(entries(*judged), planned, [now]).get("gap", []) == outside


def test_an_unfinished_last_line_is_left_out_and_any_other_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    line = json.dumps({"time": "t", "claims": []})
    path.write_text(f'{line}\n{{"time": "2026')
    assert read_ledger(tmp_path) == [Entry("t", [])]
    for broken in ("{}", "3", "[]", '{"time": 3, "claims": []}', "x"):
        path.write_text(f"{line}\n{broken}\n{line}\n")
        with pytest.raises(BrokenFile, match=r"line 2 of .*ledger\.jsonl is not whole"):
            read_ledger(tmp_path)

"""What a report says of a gate that fails, of claims that were changed, and of looks that no plan had."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablate.analysis import judge
from ablate.report import terminal_table
from ablate.report.palette import VERDICT_COLOURS, VERDICT_SYMBOLS, VERDICT_TERMINAL

GATE = {"cells": "*@depth=110", "metric": "train/error", "below": 1e-6, "because": "it fits its data"}
SAYS = "where less than 0.0001 % is required (it fits its data); longer training, a warm-up or a lower learning rate"


@pytest.fixture
def gated(fake: Any) -> Any:
    fake.study["claims"][0] |= {"requires": [GATE], "margin_because": "a tenth of the shallow network's loss"}
    fake.verdicts = [verdict.to_dict() for verdict in judge(fake.frame, fake.study["claims"])]
    return fake


def texts(fake: Any, folder: Path) -> dict[str, str]:
    """The report in the terminal, as a page, and as Markdown, with blanks made one."""
    fake.write(folder)
    out = io.StringIO()
    terminal_table(Console(file=out, width=200), fake.study, fake.frame, fake.verdicts)
    found = {"terminal": out.getvalue()}
    found |= {name: (folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.md")}
    return {name: " ".join(text.replace("&#x27;", "'").split()) for name, text in found.items()}


def test_a_failing_gate_is_the_verdict_everywhere(gated: Any, tmp_path: Path) -> None:
    for name, text in texts(gated, tmp_path).items():
        assert SAYS in text.replace("&gt;", ">").replace("&lt;", "<"), name
        assert f"{VERDICT_SYMBOLS['not tested']} not tested" in text, name
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"--verdict: {VERDICT_COLOURS['not tested']}" in page
    assert "✗ training error of all arms at depth 110 below 0.0001 %" in page
    assert "a tenth of the shallow network's loss" in page.replace("&#x27;", "'")


def test_what_is_not_tested_has_looks_of_its_own() -> None:
    for looks in (VERDICT_COLOURS, VERDICT_TERMINAL, VERDICT_SYMBOLS):
        assert list(looks.values()).count(looks["not tested"]) == 1


def test_alarms_stand_with_the_verdict_and_at_the_top(fake: Any, tmp_path: Path) -> None:
    fake.verdicts[0] |= {
        "changed": ["margin was 0.2 when the first result came"],
        "judged_before": [3, 4], "p_over_looks": 0.08, "verdict_over_looks": "inconclusive",
    }  # fmt: skip
    fake.study["lock"] = {
        "claims": [], "seeds": [0, 1, 2], "looks": [], "hash": "ab" * 32, "locked": "2026-01-01T00:00:00+00:00",
        "changes": {"": ["3 seeds (0 to 2) were planned when the first result came"]},
    }  # fmt: skip
    judged = [{"id": fake.verdicts[0]["id"], "seeds": [0, 1, 2], "verdict": "inconclusive", "p_holm": 0.2}]
    fake.study["ledger"] = [{"time": "2026-01-02T00:00:00+00:00", "claims": judged}]
    n = fake.verdicts[0]["n"]
    for name, text in texts(fake, tmp_path).items():
        assert "Changed since: margin was 0.2 when the first result came." in text, name
        assert f"a plan of looks at 3, 4 and {n} seeds would have given p = 0.08 and 'inconclusive'." in text, name
        assert f"Changed after the first result came: {fake.verdicts[0]['id']}." in text, name
        assert f"Seeds were added outside of planned looks: {fake.verdicts[0]['id']}." in text, name
        assert "Since the claims were locked: 3 seeds (0 to 2) were planned when the first result came." in text, name
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2026-01-02T00:00:00+00:00" in page  # the look, in the ledger's table
    assert "abababababababab" in page


def test_a_study_that_changed_nothing_says_so(fake: Any, tmp_path: Path) -> None:
    fake.study["lock"] = {
        "claims": [], "seeds": [0], "looks": [], "hash": "ab" * 32, "locked": "2026-01-01T00:00:00+00:00", "results": 2,
    }  # fmt: skip
    text = texts(fake, tmp_path)["report.md"]
    assert "Nothing was changed since." in text
    assert "when 2 cells of the study had a result already" in text


def test_the_verdicts_at_other_margins_stand_beside_it(fake: Any, tmp_path: Path) -> None:
    fake.verdicts[0]["at_margins"] = {"half": "supported", "double": "equivalent"}
    assert "half the margin: supported, double the margin: equivalent" in texts(fake, tmp_path)["report.md"]

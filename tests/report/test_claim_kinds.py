"""Ratios, static metrics, several looks and factorial tables, as a report tells them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablate.analysis import judge, planned_looks
from ablate.report import write_report

LOOKS = planned_looks(6, 3, 12)
AGAINST = {"a": 1, "b": -1}
CLAIMS = [
    {"id": "slower", "metric": "seconds", "scale": "ratio", "contrast": AGAINST, "margin": 0.1},
    {"id": "larger", "metric": "params", "contrast": AGAINST, "margin": 100},
    {"id": "fails", "metric": "test/error", "threshold": 0.3, "contrast": {"a@depth=56": 1}, "margin": 0.01},
    {"id": "rises", "metric": "test/error", "trend": "depth", "contrast": AGAINST, "margin": 0.01},
]
for claim in CLAIMS:
    claim["expect"] = "positive"


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _report(tmp_path_factory.mktemp("kinds"), ())


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _report(tmp_path_factory.mktemp("looks"), LOOKS)


def _report(folder: Path, looks: tuple[int, ...]) -> str:
    rng = np.random.default_rng(0)
    rows = [
        {
            "cell": f"{arm}{depth}-{seed}", "arm": arm, "depth": depth, "seed": seed, "status": "done",
            "test/error": 0.2 + 0.004 * depth * (arm == "a") + 0.01 * rng.normal(),
            "seconds": (2.0 if arm == "a" else 1.0) * depth * rng.lognormal(0, 0.05),
            "params": 1500 if arm == "a" else 1000,
        }
        for arm in "ab" for depth in (20, 56) for seed in range(6)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    study = {
        "name": "kinds",
        "arms": {"a": [], "b": []},
        "grid": {"depth": [20, 56]},
        "seeds": list(range(6)),
        "claims": CLAIMS,
    }
    verdicts = judge(frame, CLAIMS, looks=looks)
    write_report(folder, study, frame, pd.DataFrame(), verdicts)
    assert "docs/statistics.md" in (folder / "report.html").read_text(encoding="utf-8")
    return (folder / "report.md").read_text(encoding="utf-8")


def row(text: str, claim: str) -> list[str]:
    """The cells of a claim's line in the table of verdicts."""
    (line,) = (line for line in text.splitlines() if line.startswith("|") and f"| {claim} |" in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_ratio_is_told_as_relative_change_in_per_cent(text: str) -> None:
    verdict, _, effect, interval, *_, margin, _ = row(text, "slower")
    assert verdict == "✓ supported"
    assert effect.startswith("+9") or effect.startswith("+10")
    assert effect.endswith(" %")
    assert interval.startswith("[+")
    assert margin == "−9.09 % to +10 %"


def test_a_static_metric_has_neither_interval_nor_p(text: str) -> None:
    verdict, _, effect, interval, n, *ps = row(text, "larger")
    assert (verdict, effect, interval, n) == ("✓ supported", "+500", "exact", "1")
    assert ps[:4] == ["–"] * 4
    assert "500, exactly; at least the 100 that matters." in text


def test_a_threshold_and_a_trend_are_told_with_what_they_are_of(text: str) -> None:
    assert "- contrast: a@depth=56 − 30.0 % in test error" in text
    assert "- contrast: rise over depth of a − b in test error" in text


def test_every_claim_says_what_is_not_shown(text: str) -> None:
    assert text.count("Not shown") == 3


def test_main_effects_and_interactions_have_a_table(text: str) -> None:
    section = text.partition("## Main effects and interactions")[2].partition("\n## ")[0]
    assert "repeated measures, 6 seeds" in section
    assert [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")][2:5] == [
        "arm", "depth", "arm × depth",
    ]  # fmt: skip


def test_several_looks_are_told_with_the_coverage_of_their_intervals(looked: str) -> None:
    assert "(98.1 % interval)" in row(looked, "slower")[3]
    assert "- looked at: after 6 seeds, of looks at 6, 9, 12" in looked
    assert "p values allow for all of them" in looked

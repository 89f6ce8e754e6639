"""The answer in the terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from ablate.report import terminal_table


def shown(fake: Any, encoding: str = "utf-8", width: int = 140) -> str:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as file:  # an encoding that cannot say a sign raises
        terminal_table(Console(file=file, width=width), fake.study, fake.frame, fake.verdicts)
        file.flush()
        return raw.getvalue().decode(encoding)


def test_each_claim_has_its_verdict_effect_interval_n_p_and_paper(fake: Any) -> None:
    fake.verdicts[0] |= {"verdict": "supported", "effect": 0.0674, "low": 0.032, "high": 0.1028, "n": 5, "p": 0.0092}
    line = next(line for line in shown(fake).splitlines() if "pre_beats_post_when_deep" in line)
    for text in ("✓ supported", "+0.067 [+0.032, +0.103]", "n 5", "p 0.009"):
        assert text in line
    below = shown(fake).partition("pre_beats_post_when_deep")[2].partition("\n\n")[0]
    assert "    Over 3 paired seeds the contrast is" in below
    assert "    paper: 6.61 -> 6.37 % test error, ResNet-110 (Table 3)" in below


@pytest.mark.parametrize("width", [80, 120])
def test_no_word_is_broken_at_usual_widths(fake: Any, width: int) -> None:
    wide, text = shown(fake, width=1000), shown(fake, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert set(text.split()) - {"─" * n for n in range(width + 1)} <= set(wide.split())


def test_figures_that_do_not_fit_beside_the_claim_come_below_it(fake: Any) -> None:
    fake.verdicts[0] |= {"effect": 0.0674, "low": 0.032, "high": 0.1028, "n": 5}
    lines = shown(fake, width=60).splitlines()
    at = next(k for k, line in enumerate(lines) if "pre_beats_post_when_deep" in line)
    assert lines[at].rstrip().endswith("pre_beats_post_when_deep")
    assert lines[at + 1].startswith("    +0.067 [+0.032, +0.103]  n 5")


@pytest.mark.parametrize(
    ("verdict", "shows"),
    [("supported", "p (equivalence) 0.012"), ("contradicted", "p (beyond the margin, Holm) 0.034")],
)
def test_claim_of_no_effect_shows_the_p_that_decides(fake: Any, verdict: str, shows: str) -> None:
    fake.verdicts[2] |= {"verdict": verdict, "p_equivalence": 0.012, "p_holm": 0.034}
    assert shows in shown(fake)


def test_the_p_of_equivalence_is_the_one_after_holm(fake: Any) -> None:
    fake.verdicts[2] |= {"verdict": "inconclusive", "p_equivalence": 0.012, "p_equivalence_holm": 0.036, "p_holm": 1.0}
    assert "p (equivalence) 0.036" in shown(fake)


def test_claim_that_was_not_tested_says_why(fake: Any) -> None:
    fake.verdicts[0] |= {"verdict": None, "effect": None, "n": 0, "sentence": "Not tested: this run has no cells."}
    assert "Not tested: this run has no cells." in shown(fake)


def test_effects_on_errors_are_in_percentage_points(fake: Any) -> None:
    fake.verdicts[2] |= {"effect": -0.0014, "low": -0.005, "high": 0.0022}
    line = next(line for line in shown(fake).splitlines() if "same_error_when_shallow" in line)
    assert "−0.14 pp" in line
    assert "[−0.50, +0.22]" in line


def test_means_have_arms_in_rows_and_grid_points_in_columns(fake: Any) -> None:
    text = shown(fake)
    assert "training loss: mean over the finished seeds" in text
    header = next(line for line in text.splitlines() if "depth 20" in line and "depth 110" in line)
    assert header.split()[0] == "arm"
    rows = [line for line in text.splitlines() if line.startswith(" post") or line.startswith("post")]
    assert "(n 6)" in rows[0]
    assert "(n 5)" in rows[0]


def test_wide_grids_are_turned(make: Callable[..., Any]) -> None:
    text = shown(make(grid={"depth": list(range(20, 100, 6))}, seeds=2, claims=[]))
    assert any(line.split()[:2] == ["depth", "26"] for line in text.splitlines())


def test_tables_too_wide_either_way_have_a_row_for_each_mean(make: Callable[..., Any]) -> None:
    text = shown(make(arms=tuple("abcdefgh"), grid={"depth": list(range(20, 100, 10))}, seeds=2, claims=[]), width=80)
    assert any(line.split()[:3] == ["depth", "30", "c"] for line in text.splitlines())


def test_failed_and_diverged_cells_have_a_line_each(fake: Any) -> None:
    text = shown(fake)
    assert "diverged: post, depth 110, seed 3: training loss is NaN at epoch 4" in text
    assert "failed: pre, depth 110, seed 2: out of memory" in text


def test_names_in_brackets_are_no_markup(fake: Any) -> None:
    fake.frame.loc[32, "reason"] = "[bold]tensor[3, 4][/bold]"
    assert "[bold]tensor[3, 4][/bold]" in shown(fake)


def test_consoles_without_unicode_get_plain_signs(fake: Any) -> None:
    fake.verdicts[0] |= {"verdict": "supported", "effect": -0.0674, "low": -0.1028, "high": -0.032}
    text = shown(fake, encoding="ascii")
    assert "+ supported" in text
    assert "-0.067" in text
    assert "+-" in text

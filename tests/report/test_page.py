"""The page: self-contained, escaped, and right in words and figures."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ablate.report import content
from ablate.report.page import page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Loads(HTMLParser):
    """Collects what a page makes the browser load, and its text outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.words: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside not in ("script", "style"):
            self.words.append(data.strip())


def read(html: str) -> Loads:
    parser = Loads()
    parser.feed(html)
    return parser


def words(fake: Any) -> str:
    """The text of the page without its charts' script, which takes long to make."""
    inputs = fake.gathered()
    sections = content.sections(inputs)
    for part in sections:
        part.blocks[:] = [block for block in part.blocks if block not in part.figures]
    return " ".join(filter(None, read(page(inputs, sections, "key")).words))


def test_loads_nothing_from_elsewhere(report: Path) -> None:
    html = (report / "report.html").read_text(encoding="utf-8")
    loads = read(html).loads
    assert loads
    assert all(load.startswith("data:") for load in loads)
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\(", html.partition("<style>")[2].partition("</style>")[0])


def test_has_one_bundle_and_every_chart(report: Path) -> None:
    html = (report / "report.html").read_text(encoding="utf-8")
    assert html.count("<script>") == 2, "the charts' tools, and what draws them"
    assert html.count('class="chart"') == len(list((report / "figures").glob("*.svg"))) == 9


def test_says_the_verdict_with_all_its_figures(fake: Any) -> None:
    fake.verdicts[0] |= {
        "verdict": "supported", "effect": 0.0674, "low": 0.032, "high": 0.1028, "n": 5, "p": 0.0092, "p_holm": 0.0276,
        "p_signflip": 0.0625, "sentence": "Pre-activation ends 0.067 lower.", "notes": ["Only five seeds."],
    }  # fmt: skip
    text = words(fake)
    for part in (
        "✓ supported", "At depth 110 pre-activation reaches a lower training loss.", "Pre-activation ends 0.067 lower.",
        "+0.067", "95 % interval [+0.032, +0.103]", "n = 5", "±0.05", "0.009", "0.028", "0.062", "Only five seeds.",
        "6.61 -> 6.37 % test error, ResNet-110 (Table 3)", "post@depth=110 − pre@depth=110", "post@depth=110 seed 3",
    ):  # fmt: skip
        assert part in text, part


def test_question_source_and_command_are_there(fake: Any) -> None:
    text = words(fake)
    for part in ("Does full pre-activation", "arXiv 1603.05027", "python -m ablate +exp=preact_vs_postact", "2.13.0"):
        assert part in text


def test_lost_cells_are_listed_with_their_reasons(fake: Any) -> None:
    text = words(fake)
    assert "33 of 36 cells finished: 1 diverged, 1 failed, 1 pending." in text
    assert "post, depth 110, seed 3 training loss is NaN at epoch 4" in text
    assert "pre, depth 110, seed 2 out of memory" in text


def test_stale_and_reused_cells_are_noted(fake: Any) -> None:
    fake.frame.loc[[0, 1], "stale"] = True
    fake.frame.loc[[2, 3, 4], "reused_from"] = "degradation"
    text = words(fake)
    assert "2 cells ran with other code than today's (stale)" in text
    assert "3 from degradation" in text


def test_claim_without_a_verdict_is_not_tested_and_says_why(fake: Any) -> None:
    fake.verdicts[1] |= {"verdict": None, "effect": None, "notes": ["This run has no cells of post@depth=20."]}
    text = words(fake)
    assert "– not tested" in text
    assert "This run has no cells of post@depth=20." in text


def test_claim_that_no_verdict_came_for_is_not_lost(fake: Any) -> None:
    fake.verdicts = fake.verdicts[:1]
    assert "2 not tested" in words(fake)
    assert "No verdict has been computed for this claim." in words(fake)


def test_tests_that_disagree_are_marked(fake: Any) -> None:
    fake.verdicts[2]["disagreement"] = True
    assert "fall on different sides of 0.05: same_error_when_shallow" in words(fake)


def test_parameters_are_compared_with_the_first_arm(fake: Any) -> None:
    fake.frame["params"] = fake.frame["depth"] * 855 * (1 + 0.25 * (fake.frame["arm"] == "pre"))
    assert "21.4 k (+25.0 %)" in words(fake)


def test_times_are_those_of_finished_cells(fake: Any) -> None:
    fake.frame.loc[15, "seconds"] = 0.01  # the diverged cell ended early
    assert "12.1 s" in words(fake)


def test_a_p_for_equivalence_is_named_so(fake: Any) -> None:
    fake.verdicts[0]["p_equivalence"] = 0.95
    text = words(fake)
    assert "p for equivalence (TOST) 0.95" in text
    assert "p after Holm" in text
    assert "p of an effect beyond the margin, after Holm" in text  # of the claim that expects no effect


def test_effect_of_the_signed_rank_test_is_by_ranks(fake: Any) -> None:
    fake.verdicts[0] |= {"test": "signed rank", "low": None, "high": None, "n": 5}
    assert "no interval difference by ranks in training loss; n = 5" in words(fake)


def test_reproduction_shows_command_scale_seeds_and_versions(fake: Any) -> None:
    fake.study["versions"] = {"ablate": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "pytorch-lightning": "2.6.0"}
    text = words(fake).partition("How to reproduce")[2]
    for part in (fake.study["command"], "seeds 0, 1, 2, 3, 4, 5", "scale quick", "torch 2.13.0", "python 3.11.7",
                 "pytorch-lightning 2.6.0", "ablate 0.1.0"):  # fmt: skip
        assert part in text, part


NASTY = "<script>alert('x')</script> & \"quoted\" </script><b>"


def test_text_of_users_is_escaped_everywhere(make: Callable[..., Any], tmp_path: Path) -> None:
    fake = make(arms=(NASTY, "pre"), grid={NASTY: [1, 2]}, seeds=2, epochs=2, claims=[])
    claim = {"id": NASTY, "says": NASTY, "sentence": NASTY, "metric": "test/error", "verdict": "supported",
             "notes": [NASTY, "`" + NASTY + "`"], "paper": {"value": NASTY, "where": NASTY}, "contrast": {NASTY: 1.0},
             "effect": 0.1, "low": 0.0, "high": 0.2, "margin": 0.1, "expect": "positive", "n": 2}  # fmt: skip
    fake.verdicts = [claim]
    fake.study |= {"name": NASTY, "question": NASTY, "source": NASTY, "command": NASTY, "overrides": [NASTY]}
    fake.end(0, "failed", NASTY)
    fake.write(tmp_path)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count("<script") == html.count("</script>") == 2 + html.count('class="chart"')
    assert "<script>alert" not in html
    assert "<b>" not in html.replace("<b>Paper: </b>", "").partition("<script>")[0]
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "<script>alert" not in markdown.replace(f"\n    {NASTY}\n", "")  # the command, as a block of code


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_browser_draws_every_chart_offline(report: Path, tmp_path: Path) -> None:
    options = ["headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "dump-dom"]
    options += [f"user-data-dir={tmp_path}", "virtual-time-budget=20000"]
    command = [str(CHROMIUM), *(f"--{option}" for option in options), (report / "report.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert re.findall(r'data-drawn="(\w+)"', dom) == ["yes"] * 9
    assert dom.count("vega-embed has-actions") >= 9
    assert len(re.findall(r"<svg[^>]*class=\"marks\"", dom)) == 9

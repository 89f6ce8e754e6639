"""The files of a report."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablate.report import script, write, write_report

FIGURES = {
    "effects", "train_loss_by_depth", "test_error_by_depth", "train_loss_by_cost", "test_error_by_cost",
    "train_loss_curves", "test_error_curves", "train_error_curves", "test_loss_curves",
}  # fmt: skip


def test_writes_every_file_and_leaves_no_other(report: Path) -> None:
    names = {path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file()}
    expected = {"results.csv", "verdicts.json", "report.md", "report.html", ".drawn.json"}
    assert names == expected | {f"figures/{name}.svg" for name in FIGURES}


def test_returns_the_files(small: Any, tmp_path: Path) -> None:
    written = small.write(tmp_path)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(written)


def test_results_csv_round_trips(report: Path, finished: Any) -> None:
    read = pd.read_csv(report / "results.csv", keep_default_na=False)
    assert list(read.columns) == list(finished.frame.columns)
    assert read["train/loss"].tolist() == finished.frame["train/loss"].tolist()
    assert read["cell"].tolist() == finished.frame["cell"].tolist()


def test_verdicts_json_is_strict_json_with_every_claim(small: Any, fake: Any, tmp_path: Path) -> None:
    small.verdicts = fake.verdicts
    small.verdicts[0] |= {"effect": float("inf"), "low": float("nan")}
    small.write(tmp_path)

    def refuse(text: str) -> None:
        raise AssertionError(text)

    read = json.loads((tmp_path / "verdicts.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert read["study"] == "preact_vs_postact"
    assert [claim["id"] for claim in read["claims"]] == [verdict["id"] for verdict in fake.verdicts]
    assert read["claims"][0]["effect"] is None
    assert read["claims"][0]["p_holm"] == fake.verdicts[0]["p_holm"]


def test_verdicts_may_be_objects(small: Any, fake: Any, tmp_path: Path) -> None:
    @dataclasses.dataclass
    class Verdict:
        plain: dict[str, Any]

        def to_dict(self) -> dict[str, Any]:
            return self.plain

    small.verdicts = fake.verdicts
    small.write(tmp_path / "dicts")
    small.verdicts = [Verdict(verdict) for verdict in fake.verdicts]
    small.write(tmp_path / "objects")
    for name in ("verdicts.json", "report.md"):
        assert (tmp_path / "objects" / name).read_bytes() == (tmp_path / "dicts" / name).read_bytes()


def test_figures_are_xml_pictures(report: Path) -> None:
    for name in FIGURES:
        assert ET.parse(report / "figures" / f"{name}.svg").getroot().tag.endswith("svg")


def test_figures_name_arms_and_depths(report: Path) -> None:
    svg = (report / "figures" / "train_loss_curves.svg").read_text(encoding="utf-8")
    for text in ("post", "pre", "depth 20", "depth 56", "depth 110", "training loss"):
        assert f">{text}<" in svg


def test_markdown_has_verdicts_and_links_to_figures_that_exist(report: Path) -> None:
    text = (report / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert {Path(link).stem for link in links} == FIGURES
    assert all((report / link).exists() for link in links)
    assert "At depth 110 pre-activation reaches a lower training loss." in text
    assert "6.61 -> 6.37 % test error, ResNet-110 (Table 3)" in text
    assert "python -m ablate +exp=preact_vs_postact" in text


def test_markdown_tables_are_whole(report: Path) -> None:
    text = (report / "report.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\|\n?)+", text, flags=re.M)
    assert len(tables) >= 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_second_report_of_the_same_inputs_draws_nothing(
    report: Path, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("drawn again")

    before = (report / "report.html").stat().st_mtime_ns
    monkeypatch.setattr(write, "_draw", refuse)
    assert all(path.exists() for path in finished.write(report))
    assert (report / "report.html").stat().st_mtime_ns == before


def is_whole(path: Path) -> bool:
    text = path.read_text(encoding="utf-8").rstrip()
    return {".html": text.endswith("</html>"), ".svg": text.endswith("</svg>")}.get(path.suffix, '"files"' in text)


DRAWN = ("report.html", "figures/test_error_curves.svg", ".drawn.json")


@pytest.mark.parametrize("lost", DRAWN)
def test_lost_file_is_drawn_again(small: Any, tmp_path: Path, lost: str) -> None:
    small.write(tmp_path)
    (tmp_path / lost).unlink()
    small.write(tmp_path)
    assert is_whole(tmp_path / lost)


@pytest.mark.parametrize("lost", DRAWN)
@pytest.mark.parametrize("content", [b"", b"\xff\x00\x80", b"{}", b"half"])
def test_broken_file_is_drawn_again(small: Any, tmp_path: Path, lost: str, content: bytes) -> None:
    small.write(tmp_path)
    (tmp_path / lost).write_bytes(content)
    small.write(tmp_path)
    assert is_whole(tmp_path / lost)


@pytest.mark.parametrize("changed", [True, False], ids=["other results", "same results"])
def test_what_was_put_into_a_page_is_not_carried_on(small: Any, tmp_path: Path, changed: bool) -> None:
    small.write(tmp_path)
    page = tmp_path / "report.html"
    bad = "<script>steal()</script>"
    for place in ("</head>", "</main>", "const actions"):
        page.write_text(page.read_text(encoding="utf-8").replace(place, bad + place), encoding="utf-8")
    figure = tmp_path / "figures" / "test_error_curves.svg"
    figure.write_text(figure.read_text(encoding="utf-8").replace("</svg>", f"{bad}</svg>"), encoding="utf-8")
    if changed:
        small.frame.loc[0, "test/error"] = 0.4321
    small.write(tmp_path)
    assert "steal" not in page.read_text(encoding="utf-8")
    assert "steal" not in figure.read_text(encoding="utf-8")
    assert "vegaEmbed" in page.read_text(encoding="utf-8")


def test_a_page_runs_its_own_scripts_and_no_others(report: Path) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    allowed = re.search(r"script-src ([^\"]*)\"", text)
    assert allowed is not None
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert allowed[1].replace("&#x27;", "'").split() == [f"'sha256-{one}'" for one in hashes]
    assert len(scripts) == 2


def test_charts_script_is_made_once_for_all_studies_and_anew_where_it_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(script, "make", lambda: made.append(1) or "draw()")
    monkeypatch.setattr(script.platformdirs, "user_cache_path", lambda name: tmp_path / name)
    javascript = script.javascript.__wrapped__
    assert [javascript(), javascript()] == ["draw()"] * 2
    (kept,) = tmp_path.rglob("*.js")
    kept.write_text(kept.read_text() + " steal()")
    assert javascript() == "draw()"
    assert len(made) == 2


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "[click](javascript:alert)", "![x](http://example.org/x.png)", "[a][b]"]
)
def test_words_of_a_study_are_words_in_its_report(small: Any, tmp_path: Path, text: str) -> None:
    small.study["question"] = small.study["source"] = text
    small.write(tmp_path)
    marked = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text not in marked
    assert text.replace("<", "&lt;") not in marked or "<" in text
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert "href" not in html.split("</main>")[0]


def test_figure_that_the_report_has_no_more_goes_and_others_files_stay(small: Any, tmp_path: Path) -> None:
    small.write(tmp_path)
    (tmp_path / "figures" / "mine.svg").write_text("<svg/>")
    small.history = small.history.iloc[:0]
    small.write(tmp_path)
    assert not (tmp_path / "figures" / "test_error_curves.svg").exists()
    assert (tmp_path / "figures" / "mine.svg").exists()
    assert (tmp_path / "figures" / "test_error_by_arm.svg").exists()


def test_history_may_be_empty(small: Any, tmp_path: Path) -> None:
    write_report(tmp_path, small.study, small.frame, pd.DataFrame(), [])
    assert "No history of these metrics was recorded." in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert not list((tmp_path / "figures").glob("*curves*"))


def test_frame_read_back_from_csv_makes_the_same_report(small: Any, tmp_path: Path) -> None:
    small.write(tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    small.frame = pd.read_csv(io.StringIO((tmp_path / "results.csv").read_text(encoding="utf-8")))
    assert small.frame["reason"].isna().all()  # as CSV leaves it
    small.write(tmp_path)
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == text

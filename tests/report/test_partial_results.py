"""Reports of studies that are not, or not all, there."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from ablate.report import content, terminal_table
from ablate.report.inputs import gather
from ablate.report.markdown import markdown

Make = Callable[..., Any]


def nothing_done(make: Make) -> Any:
    fake = make(seeds=2, epochs=2)
    for row in fake.frame.index:
        fake.end(row, "pending")
    fake.judge()
    return fake


def all_diverged(make: Make) -> Any:
    fake = make(seeds=2, epochs=4)
    for row in fake.frame.index:
        fake.end(row, "diverged", "loss is NaN", after=2)
    fake.judge()
    return fake


def one_cell(make: Make) -> Any:
    return make(arms=("base",), grid={}, seeds=1, epochs=2, claims=[])


def one_seed(make: Make) -> Any:
    return make(seeds=1, epochs=2)


def no_cells(make: Make) -> Any:
    fake = make(seeds=1, epochs=2)
    fake.frame, fake.history = fake.frame.iloc[:0], fake.history.iloc[:0]
    fake.verdicts = []
    return fake


def no_metric_columns(make: Make) -> Any:
    fake = make(seeds=2, epochs=2)
    columns = ["cell", "arm", "depth", "seed", "status", "reason", "reused_from", "stale"]
    fake.frame, fake.history, fake.verdicts = fake.frame[columns], pd.DataFrame(), []
    return fake


def test_loss_only(make: Make) -> None:
    fake = make(seeds=2, epochs=2)
    fake.frame = fake.frame.drop(columns=["test/loss", "test/error"])
    assert "Not measured: test loss, test error." in markdown(fake.gathered(), content.sections(fake.gathered()))


CASES = [nothing_done, all_diverged, one_cell, one_seed, no_cells, no_metric_columns]


@pytest.mark.parametrize("case", CASES)
def test_every_file_and_the_terminal_work(case: Callable[[Make], Any], make: Make, tmp_path: Path) -> None:
    fake = case(make)
    written = fake.write(tmp_path)
    assert all(path.stat().st_size > 0 for path in written)
    assert fake.study["question"] in (tmp_path / "report.html").read_text(encoding="utf-8")
    console = Console(width=120, record=True, file=io.StringIO())
    terminal_table(console, fake.study, fake.frame, fake.verdicts)
    assert content.headline(fake.gathered()) in console.export_text()


def text_of(fake: Any) -> str:
    inputs = fake.gathered()
    return markdown(inputs, content.sections(inputs))


def test_nothing_done_says_so(make: Make) -> None:
    text = text_of(nothing_done(make))
    assert "0 of 12 cells finished: 12 pending." in text
    assert "3 claims: 3 not tested." in text
    assert "No cell has a metric yet." in text


def test_verdicts_that_say_little_are_shown_as_far_as_they_go(make: Make, tmp_path: Path) -> None:
    fake = make(seeds=2, epochs=2, claims=[])
    said = {"verdict": "supported", "effect": 0.1, "n": 2, "values": {"0": 0.1, "1": None}}
    fake.verdicts = [{"id": "little"}, {"id": "more", **said, "margin": None, "metric": "train/loss"}]
    fake.write(tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| – not tested | little | – | – | 0 | – | – | – | – | – | – |" in text
    assert "| ✓ supported | more | +0.100 | – | 2 | – | – | – | – | – | – |" in text
    assert "- by seed: 0: +0.1, 1: diverged" in text
    assert (tmp_path / "figures" / "effects.svg").exists()


def test_verdict_without_any_seed_shows_no_effect(make: Make, tmp_path: Path) -> None:
    fake = nothing_done(make)
    for verdict in fake.verdicts:
        verdict |= {"verdict": "inconclusive", "n": 0, "values": {}}
    fake.write(tmp_path)
    assert "no effect measured" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "figures" / "effects.svg").exists()


def test_all_diverged_still_draws_the_epochs_that_were_run(make: Make) -> None:
    text = text_of(all_diverged(make))
    assert "12 diverged" in text
    assert "figures/train_loss_curves.svg" in text


def test_one_cell_is_a_report_without_claims(make: Make) -> None:
    text = text_of(one_cell(make))
    assert "This study makes no claim" in text
    assert "1 arm (base) × 1 seed = 1 cell" in text
    assert "_by_" not in text  # one value is no chart
    assert "±" not in text.partition("## All means")[2].partition("|")[2].partition("##")[0]


def test_empty_study_says_that_nothing_ran(make: Make) -> None:
    assert "No cell has been planned or run yet." in text_of(no_cells(make))


def test_pinned_grid_keeps_its_factor(make: Make) -> None:
    text = text_of(make(grid={"depth": [56]}, seeds=2, claims=[]))
    assert "depth 56" in text
    assert "figures/test_error_by_depth.svg" in text


def test_study_without_optional_entries(make: Make, tmp_path: Path) -> None:
    fake = make(grid={}, seeds=2, epochs=1, claims=[])
    fake.study = {"name": "bare"}
    fake.write(tmp_path)
    assert (tmp_path / "report.md").read_text(encoding="utf-8").startswith("# bare\n")


def test_other_metrics_are_in_the_table_of_means_and_named(make: Make) -> None:
    fake = make(grid={}, seeds=2, claims=[])
    fake.frame["epochs_to/0.1"] = 3.0
    fake.frame["engine"] = "local"
    text = text_of(fake)
    assert "In the table of means only, without a chart: epochs to 0.1." in text
    assert "| epochs to 0.1 |" in text
    assert "engine" not in text


def test_a_place_where_every_cell_ended_without_a_value_says_how(make: Make) -> None:
    text = markdown_of(all_diverged(make))
    means = text.partition("## All means")[2].partition("\n## ")[0]
    assert not means  # nothing has a mean, so there is no table of means
    fake = make(seeds=2, epochs=2)
    for row in fake.frame.index[fake.frame["arm"] == "post"]:
        fake.end(row, "diverged", "loss is NaN", after=1)
    fake.judge()
    means = markdown_of(fake).partition("## All means")[2].partition("\n## ")[0]
    assert "| 0 of 2 | 2 diverged |" in means


def test_what_single_cells_were_given_is_no_metric(make: Make) -> None:
    """A study of single cells has no grid; its factors are columns all the same."""
    fake = make(arms=("depth=8,width=0.25",), grid={}, seeds=1, epochs=2, claims=[])
    fake.frame.insert(list(fake.frame.columns).index("seed"), "depth", 8)
    fake.frame.insert(list(fake.frame.columns).index("seed"), "width", 0.25)
    fake.end(0, "diverged", "loss is NaN", after=1)
    inputs = gather(fake.study, fake.frame, fake.history, [])
    assert inputs.measured == []
    assert "depth" not in inputs.headline


def markdown_of(fake: Any) -> str:
    inputs = gather(fake.study, fake.frame, fake.history, fake.verdicts)
    return markdown(inputs, content.sections(inputs))

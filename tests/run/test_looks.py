"""Seeds until decided: which cells a study trains, look by look, and studies that train nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rich.console import Console

from ablate import load_results
from ablate.run.execution import run_study
from ablate.run.store import Store
from ablate.study.plan import plan_study

STUDY = """
# @package _global_
study:
  name: grown
  arms: {plain: [shortcut=none], residual: [shortcut=identity]}
  grid: {depth: [8, 14]}
  seeds: {start: 3, step: 2, most: 7}
  claims:
    - {id: decided, metric: train/loss, contrast: {plain@depth=8: 1, residual@depth=8: -1}, expect: zero, margin: 50}
    - {id: open, metric: train/loss, contrast: {plain@depth=14: 1, residual@depth=14: -1}, expect: zero, margin: 1e-6}
"""
TINY = ["+exp=grown", "width=0.1", "trainer.epochs=1", "data.batch_size=256"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "exp").mkdir(parents=True)
    (tmp_path / "conf" / "exp" / "grown.yaml").write_text(STUDY)
    return tmp_path / "runs" / "grown"


def seeds_by_depth(folder: Path) -> dict[int, int]:
    frame = load_results(folder)
    assert set(frame["status"]) == {"done"}
    return {int(depth): int(seeds) for depth, seeds in frame.groupby("depth")["seed"].nunique().items()}


def test_only_cells_that_can_change_an_open_claim_get_more_seeds(folder: Path) -> None:
    console = Console(record=True, width=200)
    run_study(plan_study(TINY), console)
    assert seeds_by_depth(folder) == {8: 3, 14: 7}
    said = console.export_text()
    assert "after 3 seeds 1 of 2 claims are decided; 4 more cells for open" in said
    assert "after 5 seeds 1 of 2 claims are decided; 4 more cells for open" in said


@pytest.mark.slow
def test_a_study_that_was_cut_short_goes_on_to_the_same_end(folder: Path) -> None:
    study = plan_study(TINY)
    run_study(study, Console(quiet=True))
    whole = (folder / "verdicts.json").read_text()
    for cell in study.cells_of([3, 4, 5, 6]):
        (Store(study.runs, study.name).cell(cell.id) / "result.json").unlink(missing_ok=True)
    run_study(study, Console(quiet=True))
    assert (folder / "verdicts.json").read_text() == whole
    assert seeds_by_depth(folder) == {8: 3, 14: 7}


def test_a_study_of_the_networks_alone_trains_nothing(folder: Path) -> None:
    path = folder.parents[1] / "conf" / "exp" / "grown.yaml"
    content = yaml.safe_load(STUDY)
    content["study"]["claims"] = [
        {"id": "more", "metric": "params", "contrast": {"residual": 1, "plain": -1}, "expect": "zero", "margin": 0},
        {"id": "deeper", "metric": "flops", "contrast": {"*@depth=14": 1, "*@depth=8": -1}, "expect": "positive",
         "margin": 9, "scale": "ratio"},
        # Depth 8 has one unit a stage, depth 14 two: 3x3 convolutions at steps of 1, 2 and 4 pixels.
        {"id": "wider", "metric": "receptive_field", "contrast": {"*@depth=14": 1, "*@depth=8": -1},
         "expect": "positive", "margin": 1},
    ]  # fmt: skip
    path.write_text("# @package _global_\n" + yaml.safe_dump(content))
    study = plan_study(["+exp=grown", "width=0.1"])
    assert study.seeds.values == [0]
    console = Console(record=True, width=200)
    run_study(study, console)
    frame = load_results(folder)
    assert set(frame["status"]) == {"static"}
    assert not list(folder.glob("cells/*/result.json"))
    text = (folder / "report.md").read_text()
    assert "| ✓ supported | more | +0 | exact |" in text
    assert set(frame["receptive_field"]) == {3 + 4 + 6 + 12, 3 + 8 + 14 + 28}
    assert "| ✓ supported | wider | +28.0 pixels | exact |" in text
    assert "finished:" not in text
    assert "No cell has a metric yet" not in text


@pytest.mark.slow
def test_a_narrowed_run_says_what_it_leaves_out_of_the_report(folder: Path) -> None:
    console = Console(record=True, width=200)
    run_study(plan_study([*TINY, "study.seeds=2"]), console)
    assert "no part of this one" not in console.export_text(clear=False)
    run_study(plan_study([*TINY, "study.seeds=2", "depth=8"]), console)
    assert "4 cells of the last run of grown are no part of this one; a run of the whole study" in console.export_text()
    assert len(load_results(folder)) == 4


def test_a_second_run_leaves_the_study_and_its_report_as_they_were(folder: Path) -> None:
    study = plan_study([*TINY, "study.seeds=2"])
    run_study(study, Console(quiet=True))
    before = {name: (folder / name).read_bytes() for name in ("study.yaml", "report.html", "verdicts.json")}
    drawn = (folder / "report.html").stat().st_mtime_ns
    run_study(study, Console(quiet=True))
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert (folder / "report.html").stat().st_mtime_ns == drawn, "it takes seconds to draw, and nothing has changed"

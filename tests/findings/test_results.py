"""`ablate results`: what it runs, what it writes, and that nothing of it is lost or done twice."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablate.__main__ import main
from ablate.findings.errata import errata
from ablate.run.store import RESULT

FAST = ["scale=tiny", "study.seeds=2", "engine.slots=2"]
STUDY = """# @package _global_
defaults:
  - override /norm: batch

depth: 8
width: 0.1
data: {{train: 32, test: 32, batch_size: 16}}

study:
  name: {name}
  question: Is {name} found?
  source: a test
  arms: {{identity: [shortcut=identity], none: [shortcut=none]}}
  claims:
    - id: differs
      says: The two differ.
      metric: train/loss
      contrast: {{none: 1, identity: -1}}
      expect: positive
      margin: 0.001
      margin_because: a thousandth
      requires: [{{cells: identity, metric: train/error, {gate}}}]
      paper: {{value: "1 -> 2 %", where: Table 9}}
    - id: sized
      says: They have the same size.
      metric: params
      contrast: {{none: 1, identity: -1}}
      expect: zero
      margin: 1
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two studies of the user's own in the working directory, beside the built-in ones."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "exp").mkdir(parents=True)
    write("first", "below: 1.0")
    write("second", "below: 0.001")
    return tmp_path


def write(name: str, gate: str) -> None:
    Path(f"conf/exp/{name}.yaml").write_text(STUDY.format(name=name, gate=gate), encoding="utf-8")


def results(*more: str) -> int:
    return main(["results", *FAST, "--only", "first", "--only", "second", *more])


def finished(runs: str = "runs") -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in Path(runs).glob(f"*/cells/*/{RESULT}")}


def section(page: str, name: str) -> str:
    return page[page.index(f"### {name}") :].split("\n### ")[0]


def test_the_page_has_each_claim_with_its_verdict_figures_gates_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert results() == 0
    page = Path("RESULTS.md").read_text()
    first, second = section(page, "first"), section(page, "second")
    stored = json.loads(Path("runs/first-tiny/verdicts.json").read_text())["claims"][0]
    assert f"{stored['verdict']} | The two differ. |" in first
    assert "1 -> 2 % (Table 9)" in first
    assert "conf/exp/first.yaml" in first
    assert "Is first found? Source: a test." in first
    assert "scale tiny, data digits, 2 seeds, 4 cells" in first
    assert "supported | They have the same size. | +0 | exact | 1 |" in first
    assert "Required: training error of identity below 100 %: held, identity: " in first
    assert "[first](#first-tiny)" in page
    assert "not tested | The two differ." in second
    assert "where less than 0.1 % is required" in second
    assert "did not hold" in second
    # The others are missing at this scale, by name.
    assert "Without a result: " in page
    assert "degradation" in page.split("Without a result: ")[1].split("\n")[0]
    assert "torch" in page[page.index("## How this came about") :]
    assert "[1 of 2] first" in capsys.readouterr().out
    assert Path("RESULTS.svg").read_text().startswith("<svg")


@pytest.mark.slow
def test_a_second_run_trains_nothing_and_writes_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    results()
    before, cells = Path("RESULTS.md").read_text(), finished()
    picture = Path("RESULTS.svg").read_text()
    Path("RESULTS.md").write_text("edited by hand")
    results()
    assert (Path("RESULTS.md").read_text(), Path("RESULTS.svg").read_text()) == (before, picture)
    assert finished() == cells
    shutil.rmtree("conf/exp")
    Path("conf/exp").mkdir()
    capsys.readouterr()
    assert main(["results", *FAST, "--only", "first"]) == 2
    assert "study 'first'" in capsys.readouterr().err


def test_its_plan_has_each_study_and_the_total_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert results("--plan") == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith(("first", "second"))}
    assert {name: row[:2] for name, row in rows.items()} == {"first": ["4", "0"], "second": ["4", "0"]}
    assert "2 studies, one after the other: about " in out
    assert not Path("runs").exists()
    assert not Path("RESULTS.md").exists()


def test_a_plan_and_a_page_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert results("--plan", "--write-only") == 2
    assert capsys.readouterr().err == "ablate: --plan and --write-only exclude each other\n"


def test_write_only_trains_nothing_even_where_nothing_is_stored() -> None:
    assert results("--write-only") == 0
    assert not Path("runs").exists()
    assert "0 claims in 0 studies" in Path("RESULTS.md").read_text()


@pytest.mark.slow
def test_results_of_another_store_stand_apart_with_their_machine() -> None:
    results("runs=elsewhere")
    for path in Path("elsewhere").glob(f"*/cells/*/{RESULT}"):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "device": "NVIDIA H200"}))
    assert main(["results", *FAST, "--only", "first", "--from", "elsewhere"]) == 0
    page = Path("RESULTS.md").read_text()
    apart = page[page.index("## Other scales and other machines") : page.index("## Where the sources are wrong")]
    assert "made elsewhere: NVIDIA H200" in section(apart, "second")
    assert "| NVIDIA H200 |" in page
    assert page.index("### first") < page.index("## Other scales")
    assert "--from elsewhere" in page


def test_what_would_change_a_study_and_a_store_without_results_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for typed, told in {
        "depth=14": "runs the studies as they stand",
        "+exp=first": "--only NAME",
        "optim.lr=1": "runs the studies as they stand",
    }.items():
        assert main(["results", *FAST, typed]) == 2
        assert told in capsys.readouterr().err
    assert main(["results", "--only", "frist"]) == 2
    assert "did you mean 'first'" in capsys.readouterr().err
    assert main(["results", "--from", "nowhere"]) == 2
    assert "no study with verdicts" in capsys.readouterr().err
    assert not Path("RESULTS.md").exists()


@pytest.mark.slow
def test_a_study_that_cannot_be_run_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    Path("conf/exp/first.yaml").write_text(Path("conf/exp/first.yaml").read_text().replace("shortcut=none", "act=no"))
    assert results() == 1
    told = capsys.readouterr()
    assert "1 study without all results: first: " in told.err
    assert "### second" in Path("RESULTS.md").read_text()


@pytest.mark.slow
def test_strict_ends_with_3_when_the_page_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert results("study.strict=true") == 3
    assert "second: study.strict=true, and not supported: differs" in capsys.readouterr().err
    assert "### second" in Path("RESULTS.md").read_text()


@pytest.mark.slow
def test_killed_in_the_middle_the_next_run_gives_what_an_undisturbed_one_gives() -> None:
    command = [sys.executable, "-m", "ablate", "results", *FAST, "--only", "first", "--only", "second"]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not finished() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert 0 < len(finished()) < 8
    assert results() == 0
    assert results("runs=undisturbed") == 0
    broken, whole = (
        {
            "/".join(path.parts[-4:]): json.loads(path.read_text())["metrics"]
            for path in Path(runs).glob(f"*/cells/*/{RESULT}")
        }
        for runs in ("runs", "undisturbed")
    )
    assert len(broken) == 8
    for cell, metrics in whole.items():
        assert {k: v for k, v in broken[cell].items() if k != "seconds"} == {
            k: v for k, v in metrics.items() if k != "seconds"
        }


@pytest.mark.parametrize("erratum", errata(), ids=lambda one: f"{one.source}-{one.says[:30]}")
def test_the_counts_beside_an_erratum_are_those_that_it_states(erratum) -> None:
    """Each number of parameters that an erratum names as a network's is one that is counted."""
    counts = erratum.counted()
    assert all(count > 0 for count in counts.values())
    stated = {
        "ResNet-56, option A": 853_018, "the same without shortcuts": 853_018, "LeNet-5, the usual modern form": 61_706,
        "VGG-16": 138_357_544, "GoogLeNet, as in the paper": 6_998_552, "as in the paper": 60_965_224,
        "as in the paper, with both heads": 13_378_280, "v1 of 002": 347_402, "v2 of 002, as it was meant": 347_434,
        "ResNet-18 of 003, as it was meant": 11_178_378,
    }  # fmt: skip
    for name, count in counts.items():
        if name in stated:
            assert count == stated[name]
    assert not re.search(r"\bTODO\b", erratum.right)

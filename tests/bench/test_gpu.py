"""`make gpu`: its parts, its limits, and what it keeps; on a CPU each part at its smallest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.bench import gpu
from ablate.bench.gpu import BENCH, Part, parts, run
from ablate.bench.memory_estimates import NETWORKS
from ablate.bench.run import PARTS

ROOT = Path(__file__).resolve().parents[2]


def say(text: str, code: int = 0) -> list[str]:
    return [sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})"]


def test_on_a_card_each_part_has_a_limit_and_fits_of_the_usual_length() -> None:
    """The limits add up to more: each is what a part may take when something is wrong with it alone."""
    on_card = parts("cuda:0")
    assert [one.name for one in on_card] == [
        "tests", *(f"bench-{name}" for name in BENCH), *(one.name for one in on_card if one.name.startswith("memory-"))
    ]  # fmt: skip
    assert set(BENCH) <= set(PARTS)
    # A machine with a card may lack what other tests import, and collecting them took 24 of its 90 seconds.
    files = {Path(argument) for argument in on_card[0].command if argument.endswith(".py")}
    assert Path("tests/training/test_step.py") in files
    assert Path("tests/test_directions.py") not in files
    assert len(NETWORKS) == 10
    assert all(0 < one.seconds <= 150 for one in on_card)
    assert not any({"--fit-seconds", "--smallest"} & set(one.command) for one in on_card)


def test_a_bench_that_takes_too_long_tells_what_it_has_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"figures": [{"name": "speed", "median": 8.0, "unit": "x", "bound": "", "meets": None}], "machine": {}}
    script = (
        "import signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (print({json.dumps(told)!r}), sys.exit(130)))\n"
        "time.sleep(60)"
    )
    made_up = [Part("bench-slow", [sys.executable, "-c", script], 2)]
    monkeypatch.setattr(gpu, "parts", lambda device: made_up)
    (row,) = run("cuda:0", tmp_path / "kept")
    assert (row.status, row.told) == ("timed out after 2 s", "speed: 8 x")


def test_a_part_that_fails_or_hangs_does_not_stop_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = json.dumps({"name": "net", "estimate": 30, "peak": 20, "estimate over peak": 1.5})
    made_up = [
        Part("memory-broken", say("no such card", 3), 20),
        Part("memory-hangs", [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(60)"], 2),
        Part("memory-net", say(figures), 20),
    ]
    monkeypatch.setattr(gpu, "parts", lambda device: made_up)
    rows = run("cuda:0", tmp_path / "kept")
    assert [(row.name, row.status, row.told) for row in rows] == [
        ("memory-broken", "failed with code 3", "no such card"),
        ("memory-hangs", "timed out after 2 s", "begun"),
        ("memory-net", "done", "30 bytes estimated, 20 taken, 1.50"),
    ]
    kept = json.loads((tmp_path / "kept" / "rows.json").read_text())
    assert [row["status"] for row in kept] == [row.status for row in rows]
    page = (tmp_path / "kept" / "README.md").read_text()
    assert all(f"| {row.name} | {row.status} |" in page for row in rows)
    monkeypatch.setattr(gpu, "parts", lambda device: made_up[2:])
    assert gpu.main(["--folder", str(tmp_path / "kept")]) == 0
    monkeypatch.setattr(gpu, "parts", lambda device: made_up[:1])
    assert gpu.main(["--folder", str(tmp_path / "kept")]) == 1


@pytest.mark.slow
@pytest.mark.gpu_on_cpu
def test_every_part_runs_at_its_smallest_and_keeps_what_it_measured(tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    command = ["make", "gpu", "DEVICE=cpu", f"FIGURES={folder}", f"GPU_PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    rows = json.loads((folder / "rows.json").read_text())
    assert [row["name"] for row in rows] == [one.name for one in parts("cpu")], done.stdout + done.stderr
    assert [(row["name"], row["told"]) for row in rows if row["status"] != "done"] == []
    assert done.returncode == 0
    assert "skipped" in rows[0]["told"], "without a card the tests of it skip, and say so"
    for row in rows[1:]:
        content = json.loads((folder / row["file"]).read_text())
        if row["name"].startswith("bench-"):
            assert content["figures"], row["name"]
            assert all(value > 0 for figure in content["figures"] for value in figure["values"]), row["name"]
            assert content["machine"]["torch"]
        else:
            assert content["name"] in NETWORKS
            assert content["estimate"] > 0
            assert content["peak"] > 0
    page = (folder / "README.md").read_text()
    assert page.count("\n| ") == len(rows) + 2

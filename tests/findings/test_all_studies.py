"""All studies of `conf/exp` at `scale=tiny`: one command, killed in the middle, goes on and then has nothing to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablate.__main__ import main
from ablate.run.store import RESULT
from ablate.system.paths import conf_dir

STUDIES = sorted(file.stem for file in (conf_dir() / "exp").glob("*.yaml"))
COMMAND = ["results", "scale=tiny", "study.seeds=1", "engine.slots=2"]
ENOUGH = 40  # results after which the first run is killed


def finished() -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in Path("runs").glob(f"*/cells/*/{RESULT}")}


@pytest.mark.slow
def test_all_studies_run_are_killed_go_on_and_are_then_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("first.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ablate", *COMMAND], start_new_session=True, stdout=log, stderr=log
        )
        while len(finished()) < ENOUGH and process.poll() is None:
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert len(finished()) >= ENOUGH, Path("first.log").read_text()[-2000:]
    assert not Path("RESULTS.md").exists()
    before = finished()

    assert main(COMMAND) == 0, capfd.readouterr().err[-2000:]
    assert before.items() <= finished().items(), "what the killed run had finished is not trained again"
    page = Path("RESULTS.md").read_text()
    assert [name for name in STUDIES if f"### {name} (tiny)" not in page] == []
    assert "Without a result" not in page

    done = finished()
    assert main(COMMAND) == 0
    assert finished() == done
    assert Path("RESULTS.md").read_text() == page

"""A plugin that ends the command's process: one line that names it, exit code 2, and nothing trained."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.__main__ import main
from ablate.system.exits import ended_by_plugin

WAYS = {
    "sys.exit(0)": "SystemExit: 0",
    "sys.exit(75)": "SystemExit: 75",
    "sys.exit('no more')": "SystemExit: no more",
    "raise SystemExit": "SystemExit",
    "os._exit(0)": "os._exit(0)",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise BaseException('b')": "BaseException: b",
    "raise GeneratorExit": "GeneratorExit",
}
TINY = ("depth=8", "width=0.25", "trainer.epochs=1")
PLUGIN = """import os, sys
import torch
from ablate import register
{at_import}
@register('act', 'mine')
class Mine(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        {at_build}
    def forward(self, x):
        {at_use}
        return x
"""


def plugin(folder: Path, **places: str) -> Path:
    file = folder / "plugins" / "mine.py"
    file.parent.mkdir()
    file.write_text(PLUGIN.format(**{"at_import": "", "at_build": "pass", "at_use": "pass", **places}))
    return file


@pytest.mark.parametrize(("place", "line"), [("at_import", 4), ("at_build", 9), ("at_use", 11)])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_named(way: str, place: str, line: int, here: Path, refused: Callable[..., str]) -> None:
    file = plugin(here, **{place: way})
    said = refused(*TINY, "act=mine")
    words = f"ends the process, by {WAYS[way]} "
    at_import = f"plugin {file} does not import: it {words}(mine.py line {line})"
    assert said in (at_import, f"a plugin {words}({file} line {line})")
    assert not (here / "runs").exists()


def test_of_a_multirun_the_other_jobs_are_trained(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin(here, at_build="sys.exit(0)")
    assert main(["-m", *TINY, "data.batch_size=500", "act=mine,relu"]) == 2
    assert "act=mine': a plugin ends the process, by SystemExit: 0 (" in capsys.readouterr().err
    assert len(list((here / "runs/single/cells").glob("*/result.json"))) == 1


def test_an_exit_that_no_plugin_asked_for_stays_one(here: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--help"])
    assert ended.value.code == 0
    assert ended_by_plugin(SystemExit(3)) == ""


def test_a_process_that_a_plugin_forks_ends_as_ever(here: Path, refused: Callable[..., str]) -> None:
    fork = "child = os.fork()\nif not child: os._exit(3)\nraise ValueError(os.waitpid(child, 0)[1] >> 8)"
    plugin(here, at_import=fork)
    assert "ValueError: 3 (mine.py line 6)" in refused(*TINY, "act=mine")


@pytest.mark.slow
def test_a_thread_of_a_plugin_does_not_keep_a_command_that_is_done(tmp_path: Path) -> None:
    plugin(tmp_path, at_import="import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-m", "ablate", "list", "act"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "mine" in done.stdout
    assert done.stderr == "ablate: left behind, as it does not end: thread Thread-1 (sleep)\n"

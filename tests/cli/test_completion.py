"""Shell completion: what may follow on a command line, and the scripts that ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.__main__ import main
from ablate.cli.commands import VERBS
from ablate.cli.completion import INSTALL, UNINSTALL, completions
from ablate.registry.kinds import KINDS

pytestmark = pytest.mark.usefixtures("here")

ROOT = Path(__file__).resolve().parents[2]
Refused = Callable[..., str]


def complete(line: str) -> list[str]:
    return completions(line, tuple(VERBS))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ablate pl", ["plan"]),
        ("python -m ablate pl", ["plan"]),
        ("/usr/bin/python3 -m ablate pl", ["plan"]),
        ("ablate rep", ["report"]),
        ("ablate plan pl", []),
        ("ablate plan +e", ["+exp="]),
        ("ablate +exp=de", ["+exp=degradation"]),
        ("ablate plan depth=8 order=p", ["order=post", "order=pre"]),
        ("ablate ord", ["order.", "order="]),
        ("ablate dep", ["depth="]),
        ("ablate -m", ["-m"]),
        ("ablate plan --j", ["--json"]),
        ("ablate plan --h", ["--help"]),
        ("ablate list or", ["order"]),
        ("ablate describe arch=resnet1001", ["arch=resnet1001_cifar"]),
        ("ablate scale=p", ["scale=paper"]),
        ("ablate norm=batch norm.", ["norm.eps=", "norm.momentum=", "norm.scale="]),
        ("ablate norm=none norm.", []),
        ("ablate trainer.ep", ["trainer.epochs=", "trainer.epochs_to="]),
        ("ablate order.sh", ["order.shared="]),
        ("ablate order=pre order.shared=ch", ["order.shared=changing", "order.shared=changing_and_first"]),
        ("ablate order=pre order.final=", ["order.final=false", "order.final=true"]),
        ("ablate probes=gr", ["probes=gradient_norm"]),
        ("ablate probes=[x,gr", ["probes=[x,gradient_norm"]),
        ("ablate measure runs/mine cal", ["calibration"]),
        ("ablate upload runs/mine tracker=js", ["tracker=jsonl"]),
        ("ablate upload runs/mine dep", []),
        ("ablate dashboard runs/mine tracker.wandb.pro", ["tracker.wandb.project="]),
        ("ablate dashboard runs/mine --d", ["--dry-run"]),
        ("ablate nothing.", []),
        ("ablate nothing=", []),
    ],
)
def test_a_line_is_completed(line: str, found: list[str]) -> None:
    assert complete(line) == found


def test_at_the_start_every_verb_and_every_group_is_offered() -> None:
    offered = complete("ablate ")
    assert {*VERBS, *(f"{kind.group}=" for kind in KINDS.values()), "+exp=", "depth=", "trainer."} <= {*offered}


def test_studies_of_the_store_and_files_of_the_working_directory_are_offered() -> None:
    for name in ("mine", "other"):
        Path(f"runs/{name}").mkdir(parents=True)
        Path(f"runs/{name}/study.yaml").write_text("")
    Path("runs/.locks").mkdir()
    Path("conf/exp").mkdir(parents=True)
    Path("conf/exp/broken.yaml").write_text("study: [")
    assert complete("ablate report ") == ["--help", "runs/mine", "runs/other"]
    for verb in ("measure", "report", "upload", "dashboard"):
        assert complete(f"ablate {verb} runs/m") == ["runs/mine"]
    assert complete("ablate +exp=br") == ["+exp=broken"]


def test_what_is_broken_completes_nothing_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text("import (")
    assert complete("ablate act=") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shell", INSTALL)
def test_scripts_are_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    for action, scripts in (("install", INSTALL), ("uninstall", UNINSTALL)):
        assert main(["-sc", f"{action}={shell}"]) == 0
        assert capsys.readouterr().out == f"{scripts[shell]}\n"


@pytest.mark.parametrize(
    "arguments", [[], ["install"], ["install=tcsh"], ["query"], ["install=bash", "depth=8"]], ids=str
)
def test_anything_else_is_one_line(arguments: list[str], refused: Refused) -> None:
    assert refused("-sc", *arguments).startswith("-sc takes install=SHELL, uninstall=SHELL or query=SHELL, with bash,")


def test_a_query_is_for_the_shell(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMP_LINE", raising=False)
    assert (
        refused("-sc", "query=bash") == "-sc query=... is for the shell, which says the line to complete in COMP_LINE"
    )


TAB = """
python() { "$PYTHON" "$@"; }
compopt() { :; }
eval "$(python -m ablate -sc install=bash)"
COMP_LINE="$1" COMP_POINT=${#1}
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_ablate_completion
echo "${COMPREPLY[*]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
@pytest.mark.parametrize(
    ("line", "words", "found"),
    [
        ("python -m ablate pl", ["python", "-m", "ablate", "pl"], "plan"),
        # Where '=' parts words, only what stands behind it is replaced.
        ("python -m ablate order=pr", ["python", "-m", "ablate", "order", "=", "pr"], "pre"),
        (
            "python -m ablate +exp=preact",
            ["python", "-m", "ablate", "+exp", "=", "preact"],
            "preact_limit preact_vs_postact",
        ),
        ("python x.py pl", ["python", "x.py", "pl"], ""),
    ],
)
def test_bash_completes_with_its_script(line: str, words: list[str], found: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", "-c", TAB, "bash", line, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (f"{found}\n", "")

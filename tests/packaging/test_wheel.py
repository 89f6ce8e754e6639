"""The wheel, in an empty environment outside the checkout, runs a study with that folder's own plugin and conf."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PLUGIN = '''
"""Half of x beside F."""

from torch import Tensor

from ablate import Parts, Shortcut, UnitShape, register
from ._pool import shrink


@register("shortcut", "half")
class Half(Shortcut):
    """Adds half of x where the shape stays, nothing where it changes."""

    def __init__(self, parts: Parts, shape: UnitShape, *, factor: float = 0.5) -> None:
        super().__init__()
        self.changes = shape.changes
        self.factor = factor

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return residual if self.changes else shrink(x, self.factor) + residual
'''

HELPER = """
from torch import Tensor


def shrink(x: Tensor, factor: float) -> Tensor:
    return factor * x
"""

STUDY = """
# @package _global_
study:
  name: own
  question: Does half a shortcut train?
  arms:
    half: [shortcut=half]
depth: 8
trainer: {epochs: 1}
"""


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A finished command, with none of this checkout's paths in its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder of its own rather than pytest's: an environment with torch is a gigabyte, and goes even on failure."""
    with tempfile.TemporaryDirectory(prefix="ablate-wheel-") as folder:
        yield Path(folder).resolve()


@pytest.fixture(scope="module")
def wheel(scratch: Path) -> Path:
    """Built the way a release is: the sdist from the checkout, the wheel from the sdist."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", scratch / "dist", ROOT, cwd=scratch)
    (built,) = (scratch / "dist").glob("ablate_study-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(scratch: Path, wheel: Path) -> Path:
    """The folder of the programs of an environment that has the wheel and what it asks for, and nothing else."""
    run(sys.executable, "-m", "venv", scratch / "env", cwd=scratch)
    programs = scratch / "env" / "bin"
    run(programs / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel, cwd=scratch)
    return programs


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's own repository: a plugin with a helper beside it, and an experiment."""
    texts = {"plugins/shortcuts/half.py": PLUGIN, "plugins/shortcuts/_pool.py": HELPER, "conf/exp/own.yaml": STUDY}
    for name, text in texts.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    return tmp_path


def files(folder: str) -> set[str]:
    """Every file below a folder of the checkout, as paths from its root."""
    found = {file.relative_to(ROOT) for file in (ROOT / folder).rglob("*") if file.is_file()}
    return {file.as_posix() for file in found if "__pycache__" not in file.parts}


@pytest.mark.wheel
def test_wheel_holds_all_of_the_checkout_below_one_name(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = files("ablate") | {f"ablate/{name}" for name in files("conf") | files("plugins")}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert "ablate/py.typed" in names


@pytest.mark.wheel
def test_installed_environment_is_whole(environment: Path, project: Path) -> None:
    run(environment / "python", "-m", "pip", "check", cwd=project)
    (packages,) = (environment.parent / "lib").glob("python*/site-packages")
    assert (packages / "ablate" / "conf" / "config.yaml").is_file()
    assert [name for name in ("conf", "plugins", "tests") if (packages / name).exists()] == []


@pytest.mark.wheel
@pytest.mark.parametrize("start", [["python", "-m", "ablate"], ["ablate"]], ids=" ".join)
def test_a_study_of_one_cell_runs_from_the_folders_own_plugin_and_experiment(
    environment: Path, project: Path, start: list[str]
) -> None:
    run(environment / start[0], *start[1:], "+exp=own", "seed=0", cwd=project)
    study = project / "runs" / "own"
    (result,) = study.glob("cells/*/result.json")
    assert json.loads(result.read_text(encoding="utf-8"))["status"] == "done"
    assert (result.parent / "cell.yaml").is_file()
    assert len((result.parent / "history.csv").read_text(encoding="utf-8").splitlines()) == 2
    for name in ("study.yaml", "results.csv", "verdicts.json", "report.html", "report.md"):
        assert (study / name).stat().st_size > 0, name
    assert list(study.glob("figures/*.svg"))


@pytest.mark.wheel
def test_the_wheel_and_the_checkout_list_the_same(environment: Path, project: Path) -> None:
    shutil.rmtree(project / "conf")
    installed = run(environment / "ablate", "list", cwd=project).stdout
    clone = "import sys, runpy; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('ablate', run_name='__main__')"
    checkout = run(sys.executable, "-c", clone, ROOT, "list", cwd=project).stdout
    assert "half" in installed
    assert installed == checkout

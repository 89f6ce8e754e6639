"""CONTRIBUTING.md, tried as a new contributor would: every file as it stands there, in a folder of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`((?:plugins|tests|conf)/[\w/]+\.(?:py|yaml))`:\n\n```\w+\n(.*?)```", re.DOTALL)
FILES: dict[str, str] = dict(NAMED.findall(TEXT))
PLUGINS = sorted(name for name in FILES if name.startswith("plugins/"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def run(project: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, *command], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_plugin_costs_one_file_and_one_test_class() -> None:
    assert {name.split("/")[1] for name in PLUGINS} == {"shortcuts", "backbones", "probes", "trackers", "engines"}
    for name in PLUGINS:
        test = FILES[f"tests/plugins/test_{Path(name).stem}.py"]
        assert len(re.findall(r"^class \w+\(\w+Conformance\):$", test, re.MULTILINE)) == 1


def test_every_example_of_the_text_is_tried() -> None:
    assert TEXT.count("```python") == len([name for name in FILES if name.endswith(".py")]) + 2
    assert TEXT.count("```yaml") == len([name for name in FILES if name.endswith(".yaml")]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", PLUGINS)
def test_its_test_passes(project: Path, name: str) -> None:
    test = f"tests/plugins/test_{Path(name).stem}.py"
    out = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", test)
    assert re.search(r"\b[1-9]\d* passed", out)
    assert "failed" not in out


@pytest.mark.slow
def test_what_they_are_for_runs(project: Path) -> None:
    listed = run(project, "-m", "ablate", "list", "shortcut")
    assert "learned_scale" in listed
    tiny = ("scale=tiny", "depth=8", "study.seeds=1")
    run(project, "-m", "ablate", "plan", "+exp=learned_scale", *tiny)
    command = (
        "-m",
        "ablate",
        "+exp=learned_scale",
        *tiny,
        "probes=[update_ratio]",
        "tracker=[lines]",
        "engine=spawned",
    )
    assert "inconclusive" in run(project, *command)
    study = project / "runs" / "learned_scale-tiny"
    lines = (study / "lines.txt").read_text().splitlines()
    assert len(lines) == 2
    assert all(" done " in line for line in lines)
    run(project, *command)
    assert (study / "lines.txt").read_text().splitlines() == lines, "told once and only once"
    for table in study.glob("cells/*/probes/update_ratio.csv"):
        assert "layer" in table.read_text().splitlines()[0]
    assert len(list(study.glob("cells/*/probes/update_ratio.csv"))) == 2


def test_the_rule_is_the_one_that_its_test_holds() -> None:
    function, test = (
        block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "seeds_agreeing" in block
    )
    names: dict[str, object] = {}
    exec(function + "\n\n" + test, names)
    check = names["test_zero_agrees_with_nobody"]
    assert callable(check)
    check()

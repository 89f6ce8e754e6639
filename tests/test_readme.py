"""The README, tried exactly as written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ablate import build_model, compose, load_results
from ablate.cli.commands import VERBS
from ablate.registry.kinds import KINDS, passed
from ablate.run.results import load_study
from ablate.study.plan import plan_study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The one fenced block of that language that contains the text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the README's plugin and study in it."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "conf" / "exp").mkdir(parents=True)
    (tmp_path / "plugins" / "squeeze.py").write_text(block("python", "@register"))
    (tmp_path / "conf" / "exp" / "squeeze.yaml").write_text(block("yaml", "name: squeeze"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.mark.slow
def test_plugin_and_study_run_as_written(folder):
    """Only the sizes are made smaller here, on the command line."""
    command = [sys.executable, "-m", "ablate", "+exp=squeeze", "depth=8", "width=0.25", "trainer.epochs=1"]
    done = subprocess.run([*command, "block.reduction=2"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2, "basic has no option of that name, and the arm that cannot take it is named"
    assert "basic" in done.stderr
    done = subprocess.run([*command, "study.seeds=2"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    runs = folder / "runs" / "squeeze"
    frame = load_results(runs)
    assert set(frame["arm"]) == {"basic", "squeeze"}
    assert (frame["status"] == "done").all()
    more = frame.groupby("arm")["params"].first()
    assert more["squeeze"] > more["basic"]
    assert load_study(runs).claims[0]["id"] == "squeeze_helps"
    assert {"report.html", "report.md", "results.csv", "verdicts.json"} <= {path.name for path in runs.iterdir()}


def test_the_example_of_designs_plans_what_it_says(folder, monkeypatch):
    (folder / "conf" / "exp" / "recipe.yaml").write_text(block("yaml", "leave_one_out"))
    monkeypatch.chdir(folder)
    study = plan_study(["+exp=recipe", "study.seeds=1"])
    places = {(cell.arm, cell.point) for cell in study.cells}
    points = ["depth=20,trainer.epochs=10", "depth=56,trainer.epochs=20"]
    arms = ["bottleneck", "full", "no_shortcut", "no_order", "no_augment"]
    assert places == {(arm, point) for arm in arms for point in points} - {("no_augment", points[1])}
    assert set(study.matched) == {("bottleneck", point) for point in points}
    assert all(abs(matched.difference) <= 0.02 for matched in study.matched.values())
    assert study.arms["bottleneck"].baseline == "full"


def test_python_example_holds():
    example = block("python", "load_results")
    assert 'ablate.compose(["arch=resnet50"])' in example
    model = build_model(compose(["arch=resnet50"]))
    assert sum(parameter.numel() for parameter in model.parameters()) == 25_557_032


def test_every_verb_is_in_the_table_of_commands():
    missing = [verb for verb in VERBS if f"python -m ablate {verb}" not in README]
    assert missing == []


def test_the_table_of_kinds_says_what_each_is_passed():
    rows = re.findall(r"^\| (`[a-z`, ]+) \| `(\(.*?\))` \| an? ", README, flags=re.MULTILINE)
    said = {kind: arguments for kinds, arguments in rows for kind in re.findall("[a-z]+", kinds)}
    assert said == {kind: f"({', '.join(passed(kind))})" for kind in KINDS}


def test_both_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target

"""Quick commands stay quick: they import neither torch nor Lightning, and notice what has changed all the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "pytorch_lightning", "lightning", "sklearn", "altair", "scipy", "pandas")
WATCHED = f"""
import sys
from ablate.__main__ import main
try:
    code = main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code or 0
print("LOADED", *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
TINY = ("depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500")
ARMS = ("+study.arms.a=[order=post]", "+study.arms.b=[order=pre]", "study.name=two", "study.seeds=2")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a finished study, and beside it the cache that this has filled."""
    folder = tmp_path_factory.mktemp("finished") / "work"
    folder.mkdir()
    assert command(folder, *TINY, *ARMS)[0] == 0
    return folder


@pytest.fixture
def here(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, and of the cache."""
    shutil.copytree(finished.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "work"


def command(here: Path, *arguments: str) -> tuple[int, str, list[str]]:
    """Exit code, stdout, and which heavy modules were loaded; anything else on stderr is an error."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(here.parent / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        cwd=here, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("LOADED"), done.stderr
    return done.returncode, done.stdout, lines[-1].split()[1:]


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["--help"],
        *(
            pytest.param(arguments, marks=pytest.mark.slow)
            for arguments in (["list", "order"], ["shortcut=projection", "--help"], ["--cfg", "job"], ["--version"])
        ),
    ],
    ids=" ".join,
)
def test_what_only_looks_imports_no_torch(here: Path, arguments: list[str]) -> None:
    command(here, *arguments)
    code, out, loaded = command(here, *arguments)
    assert (code, loaded) == (0, [])
    assert out


def test_a_finished_study_run_again_imports_no_torch_and_says_the_same(here: Path) -> None:
    _, first, _ = command(here, *TINY, *ARMS)
    code, again, loaded = command(here, *TINY, *ARMS)
    assert (code, loaded) == (0, [])
    assert again == first
    assert "a" in again
    code, out, loaded = command(here, "report", "runs/two")
    assert code == 0
    assert not {"torch", "pytorch_lightning"} & set(loaded)
    assert out.rpartition("report: ")[0] == again.rpartition("report: ")[0]


@pytest.mark.slow
def test_a_report_that_is_gone_or_was_changed_is_made_again(here: Path) -> None:
    command(here, *TINY, *ARMS)
    page, table = here / "runs/two/report.html", here / "runs/two/results.csv"
    for file, spoil in ((page, page.unlink), (table, lambda: table.write_text("nothing"))):
        before = file.read_bytes()
        spoil()
        assert command(here, *TINY, *ARMS)[0] == 0
        assert file.read_bytes() == before


@pytest.mark.slow
def test_a_changed_result_is_judged_anew(here: Path) -> None:
    _, before, _ = command(here, *TINY, *ARMS)
    result = next((here / "runs/two/cells").glob("*-s0-*/result.json"))
    text = result.read_text()
    start = text.index('"test/error": ') + len('"test/error": ')
    result.write_text(text[:start] + "0.015625" + text[text.index(",", start) :])
    _, after, _ = command(here, *TINY, *ARMS)
    assert after != before


PLUGIN = '''
from torch import nn
from ablate import register

@register("act", "mine")
def mine(*, slope: {type} = {default}):
    """{text}"""
    return nn.LeakyReLU(slope)
'''


def test_a_changed_plugin_is_read_anew(here: Path) -> None:
    plugin = here / "plugins" / "mine.py"
    plugin.parent.mkdir()
    for text, type_, default in (("First.", "float", "0.5"), ("Second.", "int", "2")):
        plugin.write_text(PLUGIN.format(text=text, type=type_, default=default))
        for _ in range(2):
            code, out, _ = command(here, "list", "act")
            assert code == 0
            assert text in out
            assert f"slope={default}" in out
        _, out, loaded = command(here, "--cfg", "job", "act=mine")
        assert f"slope: {default}" in out
        assert loaded == []


@pytest.mark.slow
def test_a_changed_config_is_composed_anew(here: Path) -> None:
    file = here / "conf" / "exp" / "mine.yaml"
    file.parent.mkdir(parents=True)
    sizes = []
    for depth in (8, 14):
        file.write_text(
            f"# @package _global_\ndepth: {depth}\nwidth: 0.25\n"
            "study: {name: mine, arms: {a: [order=post], b: [order=pre]}, seeds: 1}\n"
        )
        for _ in range(2):
            _, out, _ = command(here, "plan", "+exp=mine", "--json")
            sizes.append(json.loads(out)["points"][0]["network"]["params"])
    assert sizes[0] == sizes[1] < sizes[2] == sizes[3]


@pytest.mark.slow
def test_what_a_resolver_answers_is_asked_each_time(here: Path) -> None:
    for _ in range(2):
        code, _, _ = command(here, "depth=8", "width=0.25", "data.batch_size=500", "trainer.epochs=1", "seed=${now:%f}")
        assert code == 0
    cells = list((here / "runs/single/cells").iterdir())
    assert len(cells) == 2


COMPLETED = """
import sys
from ablate.__main__ import main
from ablate.cli.commands import VERBS
from ablate.cli.completion import completions
for line in sys.argv[1:]:
    assert completions(line, list(VERBS)), line
print("LOADED", *sorted(set(sys.modules) & {modules}))
"""


def test_completion_imports_no_plugin_and_composes_nothing(here: Path) -> None:
    command(here, "list", "order")
    script = COMPLETED.format(modules={*HEAVY, "ablate.config.compose"})
    lines = ["ablate ", "ablate plan +exp=", "ablate shortcut=", "ablate norm=batch norm.", "ablate report r"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(here.parent / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", script, *lines], cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("LOADED\n", "")


@pytest.mark.slow
def test_a_cache_that_is_broken_or_cannot_be_written_is_done_without(here: Path) -> None:
    command(here, "list", "order")
    cache = here.parent / "cache" / "ablate"
    for file in cache.rglob("*.json"):
        file.write_text("{broken")
    code, out, _ = command(here, "list", "order")
    assert code == 0
    assert "pre" in out
    for file in sorted(cache.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    cache.rmdir()
    cache.write_text("a file where the folder should be")
    assert command(here, "list", "order")[:2] == (0, out)
    assert command(here, *TINY, *ARMS)[0] == 0

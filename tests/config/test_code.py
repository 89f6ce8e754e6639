"""The code that decides a cell's numbers, and its fingerprint."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate import register, registry
from ablate.config import code
from ablate.config.code import changed_since, deciding_files, fingerprint, manifest
from ablate.config.compose import prepare
from tests.cells import planned

pytestmark = pytest.mark.usefixtures("here")

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

ROOT = Path(__file__).resolve().parents[2]
REGISTERED = '\n@register("act", "mine")\ndef mine(parts): pass\n'


def write(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file.resolve()


@pytest.fixture
def fingerprint_of() -> Callable[[Path], str]:
    """The fingerprint of a config whose activation stands in this file, as a new process would have it."""
    config = planned()

    def fingerprint_with(file: Path) -> str:
        code.forget()
        with registry.isolated():
            exec(compile(file.read_text(), str(file), "exec"), {"__name__": "mine", "register": register})
            return fingerprint({**config, "act": {"name": "mine"}})

    return fingerprint_with


def core_files() -> list[str]:
    return sorted(str(file.relative_to(ROOT)) for file in deciding_files(planned()))


CHANGE = """
import ast, sys
from pathlib import Path

class Change(ast.NodeTransformer):
    def __init__(self):
        self.done = False

    def generic_visit(self, node):
        if not self.done:
            super().generic_visit(node)
        return node

    def visit_Call(self, node):
        if self.done:
            return node
        self.done = True
        return ast.BinOp(node, ast.Add(), ast.Constant(1))

    def visit_Compare(self, node):
        if not self.done:
            self.done = True
            node.ops[0] = ast.IsNot() if isinstance(node.ops[0], ast.Is) else ast.Is()
        return node

file = Path(sys.argv[1])
tree = ast.parse(file.read_text())
change = Change()
tree.body = [change.visit(node) if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else node for node in tree.body]
if not change.done:
    tree.body.append(ast.parse("CHANGED = 1").body[0])
file.write_text(ast.unparse(tree))
"""

FINGERPRINTS = """
import shutil, subprocess, sys
from pathlib import Path
from ablate.config import code
from ablate.config.compose import compose
from ablate.study.section import container

config = container(compose(["depth=8"]))
first = code.fingerprint(config)
same = []
files = sorted(code.deciding_files(config))
for file in files:
    before = file.read_text()
    subprocess.run([sys.executable, "-c", sys.argv[1], str(file)], check=True)
    code.forget()
    if code.fingerprint(config) == first:
        same.append(str(file))
    file.write_text(before)
code.forget()
assert code.fingerprint(config) == first
print(len(files), *same)
"""


@pytest.mark.slow
def test_a_change_in_any_deciding_file_changes_the_fingerprint(tmp_path: Path) -> None:
    """One file after the other, in a copy of the project."""
    expected = len(core_files())
    for folder in ("ablate", "plugins", "conf"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").touch()
    done = subprocess.run(
        [sys.executable, "-c", FINGERPRINTS, CHANGE],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    count, *same = done.stdout.split()
    assert same == [], "a change there goes unnoticed"
    assert int(count) == expected


@pytest.mark.parametrize(
    "file",
    [
        "ablate/cell/run.py", "ablate/network/memory_format.py", "ablate/network/build.py", "ablate/network/loss.py",
        "ablate/training/module.py", "ablate/training/graph.py", "ablate/training/update.py",
        "ablate/system/streams.py",
        "ablate/interfaces/backbone.py", "ablate/registry/registration.py", "plugins/shortcuts/_match.py",
        "plugins/data/_scans.py", "plugins/schedules/schedules.py",
    ],
)  # fmt: skip
def test_what_a_cell_runs_decides(file: str) -> None:
    assert file in core_files()


@pytest.mark.parametrize(
    "folder", ["report", "plan", "run", "study", "cli", "preflight", "analysis", "bench", "testing"]
)
def test_what_plans_judges_and_draws_does_not(folder: str) -> None:
    assert [file for file in core_files() if file.startswith(f"ablate/{folder}/")] == []


def test_plugins_that_a_config_does_not_name_do_not_decide() -> None:
    assert not {"plugins/orders/pre.py", "plugins/engines/local.py", "plugins/data/cifar.py"} & set(core_files())


@pytest.mark.parametrize(
    ("imported", "helper"),
    [
        ("from ._helper import x", "plugins/_helper.py"),
        ("from . import _helper", "plugins/_helper.py"),
        ("from .more._helper import x", "plugins/more/_helper.py"),
        ("from .more import x", "plugins/more/__init__.py"),
        ("from .._helper import x", "_helper.py"),
        ("import package.plugins._helper", "plugins/_helper.py"),
        ("from package.plugins import _helper", "plugins/_helper.py"),
        ("from package._helper import x", "_helper.py"),
    ],
)
def test_a_fingerprint_follows_the_imports_of_a_package(
    imported: str, helper: str, fingerprint_of: Callable[[Path], str]
) -> None:
    for folder in ("package", "package/plugins"):
        write(f"{folder}/__init__.py", "")
    file = write("package/plugins/mine.py", f"if False:\n    {imported}\n{REGISTERED}")
    write(f"package/{helper}", "x = 1\n")
    before = fingerprint_of(file)
    write("package/plugins/_other.py", "x = 1\n")
    assert fingerprint_of(file) == before, "nobody imports it"
    write(f"package/{helper}", "x = 2\n")
    assert fingerprint_of(file) != before


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        ("import helper_of_mine", "helper_of_mine.py"),
        ("import helper_of_mine", "plugins/helper_of_mine.py"),
        ("import importlib; importlib.import_module(name)", "plugins/loaded.py"),
        ("from importlib.util import spec_from_file_location", "plugins/deep/loaded.py"),
        ("exec(text)", "plugins/loaded.py"),
        ("__import__(name)", "plugins/loaded.py"),
    ],
)
def test_a_fingerprint_follows_what_is_loaded_beside_a_plugin(
    text: str, beside: str, fingerprint_of: Callable[[Path], str]
) -> None:
    file = write("plugins/mine.py", f"if False:\n    {text}\n{REGISTERED}")
    write(beside, "x = 1\n")
    before = fingerprint_of(file)
    write(beside, "x = 2\n")
    assert fingerprint_of(file) != before


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        ("open(Path(__file__).with_name(name))", "plugins/table.csv"),
        ("open(__file__ + name)", "plugins/tables/one.bin"),
        ("open('plugins/table.txt')", "plugins/table.txt"),
        ("open('table.txt')", "plugins/table.txt"),
        ("from importlib import resources", "plugins/table.txt"),
    ],
)
def test_a_fingerprint_takes_in_data_files_beside_a_plugin(
    text: str, beside: str, fingerprint_of: Callable[[Path], str]
) -> None:
    file = write("plugins/mine.py", f"if False:\n    {text}\n{REGISTERED}")
    write(beside, "1\n")
    before = fingerprint_of(file)
    write(beside, "2\n")
    assert fingerprint_of(file) != before


def test_a_fingerprint_changes_with_the_plugin_and_not_with_its_place(fingerprint_of: Callable[[Path], str]) -> None:
    before = fingerprint_of(write("here/mine.py", REGISTERED))
    assert fingerprint_of(write("there/zzz.py", REGISTERED)) == before
    assert fingerprint_of(write("here/mine.py", REGISTERED.replace("pass", "return 1"))) != before


@pytest.mark.parametrize(
    "same",
    [
        "# a comment\n" + REGISTERED,
        '"""What it is."""\n' + REGISTERED,
        REGISTERED.replace("def mine(parts): pass", 'def mine(parts):\n\n    """A line."""\n    pass  # nothing'),
        REGISTERED.replace("mine(parts)", "mine( parts )"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(same: str, fingerprint_of: Callable[[Path], str]) -> None:
    before = fingerprint_of(write("plugins/mine.py", REGISTERED))
    assert fingerprint_of(write("plugins/mine.py", same)) == before


def test_a_module_that_declares_to_decide_nothing_does_not_count(fingerprint_of: Callable[[Path], str]) -> None:
    file = write("plugins/mine.py", f"if False:\n    from ._words import x\n{REGISTERED}")
    write("plugins/_words.py", "DECIDES_NUMBERS = False\nx = 1\n")
    before = fingerprint_of(file)
    write("plugins/_words.py", "DECIDES_NUMBERS = False\nx = 2\n")
    assert fingerprint_of(file) == before


def test_the_engine_is_no_part_of_the_code_that_decides() -> None:
    config = planned()
    before = fingerprint(config)

    @register("engine", "mine")
    def mine() -> None:
        """An engine."""

    assert fingerprint({**config, "engine": {"name": "mine"}}) == before
    assert fingerprint({**config, "order": {"name": "pre"}}) != before


def test_the_steps_of_a_chain_are_code_that_decides() -> None:
    config = planned("augment=chain", "augment.steps=[crop_flip]")

    def with_steps(*steps: Any) -> str:
        return fingerprint({**config, "augment": {"name": "chain", "steps": list(steps)}})

    alone = with_steps("crop_flip")
    assert with_steps("crop_flip", "color_pca") != alone
    assert with_steps("crop_flip", {"name": "color_pca", "std": 0.2}) == with_steps("crop_flip", "color_pca")
    assert fingerprint({**config, "augment": {"name": "crop_flip"}}) != alone


def test_a_manifest_names_the_files_that_have_changed() -> None:
    file = write("plugins/mine.py", REGISTERED)
    exec(compile(file.read_text(), str(file), "exec"), {"__name__": "mine", "register": register})
    code.forget()
    planned_with = manifest({**planned(), "act": {"name": "mine"}})
    assert changed_since(planned_with) == []
    file.write_text("# only a comment\n" + REGISTERED)
    assert changed_since(planned_with) == []
    file.write_text(REGISTERED.replace("pass", "return 1"))
    assert changed_since(planned_with) == [str(file)]
    file.unlink()
    assert changed_since(planned_with) == [str(file)]


def test_what_a_file_says_is_the_same_under_every_version_of_python() -> None:
    """Empty and absent fields of a syntax tree differ between versions; none of them may count."""
    from ablate.system.sources import _canonical

    tree = ast.parse("def f(x: int = 3, *, y) -> str:\n    return f'{x!r:>{y}}'\n")
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    before = _canonical(tree)
    function.type_params = []  # type: ignore[attr-defined] - from Python 3.12 on
    function._fields = (*function._fields, "type_params") if "type_params" not in function._fields else function._fields
    assert _canonical(tree) == before

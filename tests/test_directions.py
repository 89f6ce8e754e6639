"""Who may import whom: the core knows no plugin, a plugin knows the core's public names, reports know no torch."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

import ablate

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "ablate").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[int, str, str]]:
    """(level, module, name) of each import; level counts the leading dots, name is empty for `import module`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, node.module or "", alias.name) for alias in node.names)


def absolute(file: Path, level: int, module: str, name: str) -> str:
    """The full name of what is imported, with relative ones resolved from the file's place below the root."""
    package = file.relative_to(ROOT).parts[:-1]
    start = package[: max(0, len(package) - level + 1)] if level else ()
    return ".".join(part for part in (*start, module, name) if part)


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", CORE, ids=relative)
def test_the_core_imports_no_plugin(file: Path) -> None:
    names = [absolute(file, *found) for found in imports(file)]
    assert [name for name in names if name.startswith(("plugins", "ablate.plugins"))] == []


@pytest.mark.parametrize("file", PLUGINS, ids=relative)
def test_a_plugin_imports_public_names_and_siblings_only(file: Path) -> None:
    wrong = [found for found in imports(file) if not _allowed(file, *found)]
    assert wrong == [], "of ablate, a plugin takes `from ablate import X` with X in ablate.__all__"


def _allowed(file: Path, level: int, module: str, name: str) -> bool:
    if level:
        return absolute(file, level, module, name).startswith("plugins.")
    top = module.partition(".")[0]
    if top == "ablate":
        return module == "ablate" and name in ablate.__all__
    return top not in {"plugins", "conf", "tests"}


@pytest.mark.parametrize("module", ["ablate", "ablate.analysis", "ablate.report"])
def test_analysis_and_report_load_no_torch(module: str) -> None:
    program = f"import sys, {module}; print(sorted({{'torch', 'pytorch_lightning'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


def linted(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter over a copy of the package."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_packages_know_only_those_below_them_and_an_import_turned_round_is_found(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "ablate", tmp_path / "ablate", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert linted(tmp_path).returncode == 0
    for below, above in (
        ("system/files", "run.store"),
        ("analysis/rule", "report.format"),
        ("study/arms", "preflight.check"),
    ):
        file = tmp_path / "ablate" / f"{below}.py"
        before = file.read_text()
        file.write_text(f"{before}\n\ndef _turned() -> None:\n    import ablate.{above}  # noqa\n")
        done = linted(tmp_path)
        file.write_text(before)
        assert done.returncode == 1
        assert (
            f"ablate.{below.partition('/')[0]} is not allowed to import ablate.{above.partition('.')[0]}" in done.stdout
        )


def test_no_modules_import_each_other_in_a_circle() -> None:
    """What is imported when a module is imported, and inside its functions; not what only type checkers see."""
    graph = grimp.build_graph("ablate", exclude_type_checking_imports=True, cache_dir=None)
    waiting = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while leaves := {module for module, imports in waiting.items() if not imports & waiting.keys() - {module}}:
        for module in leaves:
            del waiting[module]
    assert sorted(waiting) == [], "these import each other, directly or through others"


def test_every_public_name_exists() -> None:
    assert [name for name in ablate.__all__ if not hasattr(ablate, name)] == []


def test_dir_lists_the_public_names_and_loads_none_of_them() -> None:
    script = "import sys, ablate; print(*dir(ablate)); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted([*ablate.__all__, "__version__"])

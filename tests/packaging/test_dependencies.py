"""What pyproject.toml declares is what the code imports, and constraints.txt pins all of it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CORE = [Requirement(line) for line in PROJECT["dependencies"]]
OPTIONAL = {
    extra: [Requirement(line) for line in lines if not line.startswith("ablate-study[")]
    for extra, lines in PROJECT["optional-dependencies"].items()
}


# An extra that is not installed cannot be asked which module it brings, and mlflow's is brought by its parts as well.
NAMED = {"PIL": "pillow", "mlflow": "mlflow"}


def imported() -> Iterator[str]:
    """Top-level modules that the code imports, also inside functions, but for the standard library and itself."""
    for folder in ("ablate", "plugins"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (alias.name.split(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.split(".")[0]


def distributions() -> set[str]:
    """The packages that those modules belong to."""
    owners = packages_distributions()
    modules = set(imported()) - sys.stdlib_module_names - {"ablate"}
    return {canonicalize_name(NAMED.get(module) or owners.get(module, [module])[0]) for module in modules}


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def test_dependencies_are_what_the_code_imports() -> None:
    optional = {canonicalize_name(r.name) for extra in OPTIONAL if extra != "dev" for r in OPTIONAL[extra]}
    declared = {canonicalize_name(requirement.name) for requirement in CORE}
    assert declared == distributions() - optional


@pytest.mark.parametrize("requirement", [*CORE, *(r for extra in OPTIONAL.values() for r in extra)], ids=str)
def test_each_dependency_has_a_lower_bound_and_a_pin_that_meets_it(requirement: Requirement) -> None:
    assert any(clause.operator == ">=" for clause in requirement.specifier)
    assert pins()[canonicalize_name(requirement.name)] in requirement.specifier


def test_pins_are_exact_and_of_no_one_machine() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    odd = [line for line in lines if line and not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)]
    assert odd == []

"""What makes two cells the same cell, and what code trained one."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ablate import registry
from ablate.system.paths import PACKAGE

# Where a cell runs, where it is kept, and which study asked for it do not change what comes out of it.
AROUND = ("study", "engine", "tracker", "runs", "rerun", "scale")
OUTSIDE = (*AROUND, "image")

# Of `trainer`: what is kept in memory and where, what is computed twice, how many processes read.
SAME_NUMBERS = ("checkpoint_blocks", "resident", "workers")
# Options that came later, with the value that every cell had before: with it, a cell is the one that it was.
EARLIER = {"precision": "fp32", "compile": "none"}

# The core's code that decides a result; the rest plans, stores, judges and draws.
CODE = ("cell", "network", "system/streams.py", "interfaces", "training")


def cell_id(config: Mapping[str, Any]) -> str:
    """A readable name with a hash of all that decides the outcome, such as `resnet110-basic-pre-identity-s3-1f0c9a`."""
    text = json.dumps(decisive(config), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    depth = "" if config.get("depth") is None else config["depth"]
    words = [f"{config['backbone']['name']}{depth}", *(config[kind]["name"] for kind in ("block", "order", "shortcut"))]
    return "-".join([*words, f"s{config['seed']}", digest])


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a frozen config that decides the outcome: without engine, tracker, and paths."""
    kept: dict[str, Any] = {key: value for key, value in config.items() if key not in OUTSIDE}
    kept["trainer"] = {key: value for key, value in kept["trainer"].items() if key not in SAME_NUMBERS}
    for key, value in EARLIER.items():
        if kept["trainer"].get(key) == value:
            del kept["trainer"][key]
    for kind in registry.KINDS:
        node = kept.get(kind)
        if isinstance(node, Mapping) and "name" in node:
            incidental = _incidental(registry.lookup(kind, node["name"]))
            kept[kind] = {key: value for key, value in node.items() if key not in incidental}
    return kept


def _incidental(entry: registry.Entry) -> set[str]:
    """Options that say where something lies or how it gets there, and not what is computed."""
    paths = {parameter.name for parameter in entry.parameters if parameter.is_path}
    return paths | set(getattr(entry.factory, "incidental", ()))


def fingerprint(config: Mapping[str, Any]) -> str:
    """A hash of the code that runs this config: the training core and the files of the plugins it names."""
    files = {file for path in CODE for file in _python_files(PACKAGE / path)}
    for kind in registry.KINDS:
        if kind != "engine":
            for name in _named(kind, config[kind]):
                files |= _with_imports(Path(registry.lookup(kind, name).file))
    return _digest(frozenset(files))


@cache
def _digest(files: frozenset[Path]) -> str:
    """Of what the files hold, wherever they lie."""
    contents = sorted(hashlib.sha256(file.read_bytes()).digest() for file in files)
    return hashlib.sha256(b"".join(contents)).hexdigest()[:12]


def _named(kind: str, node: Mapping[str, Any]) -> Iterable[str]:
    """The plugin that a node names, and those of its kind in lists of its options, as a chain of augmentations has."""
    yield node["name"]
    known = {entry.name for entry in registry.entries(kind)}
    values = [node.get(key, None) for key in node]  # a mandatory option may still lack its value
    items = [item for value in values if isinstance(value, Sequence) and not isinstance(value, str) for item in value]
    names = [item.get("name") if isinstance(item, Mapping) else item for item in items]
    yield from (name for name in names if isinstance(name, str) and name in known)


def _python_files(path: Path) -> Iterable[Path]:
    return path.rglob("*.py") if path.is_dir() else [path]


@cache
def _with_imports(file: Path) -> set[Path]:
    """A plugin file and the files of its own package that it imports, to any depth."""
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        current = waiting.pop()
        if current in found or not current.is_file():
            continue
        found.add(current)
        for node in ast.walk(ast.parse(current.read_bytes())):
            for module in _imported(current, node):
                waiting += [module.with_suffix(".py"), module / "__init__.py"]
    return found


def _imported(file: Path, node: ast.AST) -> Iterable[Path]:
    """Paths, without a suffix, that an import statement may mean: relative ones, and those of the file's package."""
    if isinstance(node, ast.ImportFrom):
        steps = (node.module or "").split(".") if node.module else []
        folder = file.parents[node.level - 1] if node.level else _package_home(file)
        yield folder.joinpath(*steps)
        yield from (folder.joinpath(*steps, alias.name) for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from (_package_home(file).joinpath(*alias.name.split(".")) for alias in node.names)


def _package_home(file: Path) -> Path:
    """The folder that a file's outermost package lies in; absolute imports that lead elsewhere find nothing there."""
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder

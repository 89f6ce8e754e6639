"""The code that decides a cell's numbers, found by following imports, and its fingerprint.

It begins with the module that runs a cell and with the files of the plugins that a config names, and goes on to all of
`ablate` and of the plugins' own packages that these import: at the top or inside a function, relatively or by their
full name, and what lies beside a file that loads or reads by itself. A module that decides no numbers says so by
`DECIDES_NUMBERS = False`, and is not followed further. Comments and docstrings do not count.
"""

from __future__ import annotations

import hashlib
import os
import site
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import ablate
from ablate import registry
from ablate.registry.kinds import KINDS, Kind
from ablate.system.paths import PACKAGE
from ablate.system.sources import Source, keep, source_of

DECIDES_NUMBERS = False

ENTRY = PACKAGE / "cell" / "run.py"  # what runs a cell
SETTLED_NS = 2_000_000_000  # a file that was just written may be written again without another time
UNSEEN = ("__pycache__", ".git", "runs")  # folders whose content is nobody's data


def fingerprint(config: Mapping[str, Any]) -> str:
    """A hash of the code that runs this config, wherever its files lie.

    Raises:
        InputError: the config names a plugin that does not exist.
    """
    files = plugin_files(config)
    return _fingerprint(frozenset(files), Path.cwd())


def plugin_fingerprint(kind: str, name: str) -> str:
    """A hash of the code of one plugin by itself, as of a probe, which decides no numbers of a cell's training.

    Raises:
        InputError: there is no such plugin.
    """
    followed = _followed(frozenset({Path(registry.lookup(kind, name).file)}), Path.cwd())
    return hashlib.sha256("".join(sorted(map(_file_digest, followed))).encode()).hexdigest()[:12]


def deciding_files(config: Mapping[str, Any]) -> set[Path]:
    """All files whose content decides the numbers of a cell: Python files, and the data files of plugins."""
    return set(_followed(frozenset({ENTRY, *plugin_files(config)}), Path.cwd()))


def led_to(files: Iterable[Path]) -> set[Path]:
    """These files and all that they import or read, apart from what decides no numbers."""
    return set(_followed(frozenset(files), Path.cwd()))


def plugin_files(config: Mapping[str, Any]) -> set[Path]:
    """The files that register the plugins that a config names, of the kinds that decide numbers."""
    return {
        Path(registry.lookup(kind.name, name).file)
        for kind in KINDS.values()
        if kind.decides_numbers
        for name in _named(kind, config)
        if not registry.lookup(kind.name, name).is_incidental
    }


def forget() -> None:
    """Look at all files again, which may have changed (for tests, and for processes that live long)."""
    _fingerprint.cache_clear()
    _followed.cache_clear()
    _file_digest.cache_clear()


@cache
def _fingerprint(files: frozenset[Path], cwd: Path) -> str:
    followed = _followed(frozenset({ENTRY, *files}), cwd)
    # Sorted by content, without paths: the same code in another checkout is the same code.
    digests = sorted(_file_digest(file) for file in followed)
    keep()
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]


@cache
def _file_digest(file: Path) -> str:
    return _read_digest(file)


@cache
def _followed(roots: frozenset[Path], cwd: Path) -> frozenset[Path]:
    """The files that these lead to, themselves among them."""
    # A work list instead of recursion: modules import each other in circles, and each is read once.
    found: set[Path] = set()
    waiting = [root.resolve() for root in roots]
    while waiting:
        file = waiting.pop()
        if file in found or not file.is_file():
            continue
        if file.suffix != ".py":
            found.add(file)
            continue
        source = _source(file)
        if source is None:
            found.add(file)
        elif source.decides_numbers:
            found.add(file)
            waiting += [path.resolve() for path in _led_to(file, source, cwd)]
    return frozenset(found)


def _source(file: Path) -> Source | None:
    """What a Python file says; None where it is no Python, as one that is being written: then it counts as data."""
    try:
        return source_of(file)
    except (SyntaxError, ValueError):
        return None


def _led_to(file: Path, source: Source, cwd: Path) -> Iterator[Path]:
    yield from _packages(file)
    homes = _homes(file, cwd)
    for level, module, name in source.imports:
        yield from _imported(file, homes, level, module, name)
    yield from _public(name for owner, name in source.attributes)
    # What ablate itself loads by name are plugins, and those that a config names are roots already. Followed from here,
    # any file of the package would lead to all of them, and a new plugin would make every cell stale.
    if PACKAGE in file.parents and not _is_plugin(file):
        return
    if source.loads:
        yield from _beside(file, "*.py")
    if source.locates:
        yield from (one for one in _beside(file, "*") if one.suffix != ".py")
    folders = [file.parent, cwd] if cwd in file.parents else [file.parent]
    yield from (place for text in source.texts for home in folders if (place := _named_file(home, text)))


def _packages(file: Path) -> Iterator[Path]:
    """The `__init__.py` of each package around a file: they run before it does."""
    folder = file.parent
    while (init := folder / "__init__.py").is_file():
        yield init
        folder = folder.parent


def _imported(file: Path, homes: Sequence[Path], level: int, module: str, name: str) -> Iterator[Path]:
    """The files that an import statement may mean."""
    steps = module.split(".") if module else []
    if level == 0 and steps[:1] == ["ablate"]:
        if module == "ablate":
            yield from _public([name])
        bases = [PACKAGE.joinpath(*steps[1:])]
    elif level:
        bases = [file.parents[level - 1].joinpath(*steps)]
    else:
        bases = [home.joinpath(*steps) for home in homes]
    for base in map(str, bases):
        # In `from a import b`, b may be a module or a name within a: both are tried.
        for place in (base, f"{base}/{name}") if name else (base,):
            yield from (Path(one) for one in (f"{place}.py", f"{place}/__init__.py") if os.path.isfile(one))


def _public(names: Iterable[str]) -> Iterator[Path]:
    """The modules that public names of `ablate` come from."""
    for name in names:
        if home := ablate.home_of(name):
            place = PACKAGE.joinpath(*home.split(".")[1:])
            yield place.with_suffix(".py")
            yield place / "__init__.py"


def _homes(file: Path, cwd: Path) -> list[Path]:
    """Where absolute imports of a file may lead to code of its author's: its package, and what is not installed."""
    if PACKAGE in file.parents and not _is_plugin(file):
        return []
    folder = file.parent
    for init in _packages(file):
        folder = init.parent.parent
    return list(dict.fromkeys([folder, file.parent, cwd, *_own_paths()]))


@cache
def _own_paths() -> tuple[Path, ...]:
    """The places of `sys.path` that hold neither Python itself nor installed packages."""
    installed = {*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages()}
    roots = [Path(one).resolve() for one in installed]
    paths = [Path(one or ".").resolve() for one in sys.path]
    own = [path for path in paths if path.is_dir() and not any(root in (path, *path.parents) for root in roots)]
    return tuple(dict.fromkeys(own))


def _is_plugin(file: Path) -> bool:
    return "plugins" in file.parts


def _beside(file: Path, pattern: str) -> Iterator[Path]:
    for path in sorted(file.parent.rglob(pattern)):
        parts = path.relative_to(file.parent).parts
        if path.is_file() and not any(part in UNSEEN or part.startswith(".") for part in parts):
            yield path


def _named_file(home: Path, text: str) -> Path | None:
    """The file that a text names from a folder, if it does."""
    if text in (".", "..") or text.startswith("~"):
        return None
    try:
        place = home / text
        return place if place.is_file() else None
    except (OSError, ValueError):
        return None


def _named(kind: Kind, config: Mapping[str, Any]) -> Iterator[str]:
    """The plugins of a kind that a config names, and those of its kind in options, as a chain of augmentations has."""
    nodes = config.get(kind.group) or {}
    known = {entry.name for entry in registry.entries(kind.name)}
    for node in nodes.values() if kind.several else [nodes]:
        if not isinstance(node, Mapping) or "name" not in node:
            continue
        yield str(node["name"])
        yield from (name for name in _texts(list(node.values())) if name in known)


def _texts(value: Any) -> Iterator[str]:
    """The names in lists of an option: texts, or mappings with a `name`."""
    items = [item for one in value if isinstance(one, Sequence) and not isinstance(one, str) for item in one]
    for item in items:
        name = item.get("name") if isinstance(item, Mapping) else item
        if isinstance(name, str):
            yield name


def manifest(config: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The deciding files by path, each with its digest, and with what changes when it is written to."""
    return {str(file): [_file_digest(file), about(file)] for file in sorted(deciding_files(config))}


def changed_since(planned: Mapping[str, Sequence[Any]]) -> list[str]:
    """The files of a manifest whose code is another one now, or that are gone.

    A file of the size and time that it had is not read, unless it was written just before the manifest was made.
    """
    changed = []
    for name, (digest, known) in planned.items():
        file = Path(name)
        try:
            if not (known[-1] and about(file)[:-1] == known[:-1]) and _read_digest(file) != digest:
                changed.append(name)
        except OSError:
            changed.append(name)
    return changed


def about(file: Path) -> list[Any]:
    """Size and times of a file, and whether it has lain there long enough for these to tell of the next change."""
    status = file.stat()
    settled = max(status.st_mtime_ns, status.st_ctime_ns) < time.time_ns() - SETTLED_NS
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, settled]


def _read_digest(file: Path) -> str:
    """The digest of a file as it is now."""
    if file.suffix == ".py" and (source := _source(file)) is not None:
        return source.digest
    return hashlib.sha256(file.read_bytes()).hexdigest()

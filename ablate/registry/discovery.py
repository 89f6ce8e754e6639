"""Finding plugins: built in, from entry points, and in `plugins/` of the working directory."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import traceback
import types
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path

from ablate.errors import InputError
from ablate.registry import cache as cache_of_plugins
from ablate.registry.registration import add, entries
from ablate.system.exits import PLUGINS, exit_in_words
from ablate.system.paths import other_copy, plugin_dir
from ablate.system.text import in_words

DECIDES_NUMBERS = False

ENTRY_POINTS = "ablate.plugins"


# Modules whose plugins are known from an earlier command, and that are imported when one of them is built.
_known: set[str] = set()


def discover() -> None:
    """Make every plugin known; what is known already costs little.

    A folder's plugins are imported where it has changed since an earlier command has described them, and else when one
    of them is built.

    Raises:
        InputError: a plugin does not import; names the file, the line and the reason.
    """
    _import_folder(plugin_dir(), "ablate.plugins")
    for point in _installed(frozenset(os.path.abspath(folder) for folder in sys.path)):
        PLUGINS.add(point.module)
        try:
            module = point.load()
        except (Exception, SystemExit) as error:
            raise InputError(f"plugin entry point '{point.name}' ({point.value}) fails: {_reason(error)}") from error
        # An entry point that is a package stands for all plugins in it; a module has registered its own by now.
        for folder in getattr(module, "__path__", []):
            _import_folder(Path(folder), module.__name__)
    local = Path.cwd().resolve() / "plugins"
    if local.is_dir() and (other := other_copy(local)):
        this = plugin_dir().parent
        raise InputError(
            f"two copies of ablate: this command runs the one in {this}, and {local} belongs to the one in {other}; "
            f"work in another folder, or take {this} off the path (PYTHONPATH, or pip uninstall ablate-study) to use "
            f"{other}"
        )
    if local.is_dir() and local.resolve() != plugin_dir().resolve():
        _import_folder(local, _local_package(local))


@cache
def _installed(folders: frozenset[str]) -> EntryPoints:
    """Entry points of what is installed where modules are looked for; to read those of all packages takes a while."""
    return entry_points(group=ENTRY_POINTS)


def import_all() -> None:
    """Import every plugin, for a process that others are forked from.

    Raises:
        InputError: a plugin does not import.
    """
    discover()
    for entry in entries():
        _ = entry.factory


def _import_folder(folder: Path, package: str) -> None:
    PLUGINS.add(package)
    modules = {
        ".".join([package, *file.relative_to(folder).with_suffix("").parts]): file for file in _plugin_files(folder)
    }
    new = {name: file for name, file in modules.items() if name not in sys.modules and name not in _known}
    if not new:
        return
    # Where some of its modules are imported already, the rest must not be kept as the whole folder.
    key = cache_of_plugins.key_of(folder) if len(new) == len(modules) else ""
    described = cache_of_plugins.load(key) if key else None
    if described is not None:
        for entry in described:
            add(entry)
        _known.update(new)
        return
    for name, file in new.items():
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            raise InputError(f"plugin {file} does not import: {_reason(error, folder)}") from error
    if key:
        cache_of_plugins.keep(key, [entry for entry in entries() if entry.module in new])


def _plugin_files(folder: Path) -> Iterator[Path]:
    """Python files below `folder`; a leading underscore marks what others import and is no plugin by itself."""
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).parts
        if not any(part.startswith(("_", ".")) for part in parts):
            yield file


def _local_package(folder: Path) -> str:
    """A package name for a folder outside `sys.path`, so that its files can import each other relatively."""
    name = "ablate_local_" + hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    if name not in sys.modules:
        # Made here, not found by `sys.path`, where a folder called `plugins` would hide another or be hidden.
        package = types.ModuleType(name, "Plugins of a working directory.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


def _reason(error: BaseException, folder: Path | None = None) -> str:
    """The error in one line, with the line of the file that is to blame: of the plugin's folder rather than beyond."""
    if isinstance(error, InputError):
        return str(error)
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    beyond = [place for place in places if place[0] != __file__ and "importlib" not in place[0]]
    # The innermost line may lie in a library that was called wrongly; the author needs the line that called it.
    inside = [place for place in beyond if folder and folder in Path(place[0]).parents]
    message = f"{type(error).__name__}: {error.msg}" if isinstance(error, SyntaxError) else in_words(error)
    if isinstance(error, SystemExit):
        message = f"it ends the process, by {exit_in_words(error)}"
    where = [f" ({Path(file).name} line {line})" for file, line in (inside or beyond)[-1:]]
    return " ".join(message.split()) + "".join(where)

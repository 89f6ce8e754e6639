"""Files that are either whole or not there."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import yaml

from ablate.errors import InputError

DECIDES_NUMBERS = False

TEMPORARY = ".tmp"


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    Raises:
        InputError: the disk does not take it.
    """
    # Beside it, since a file is replaced in one step only within a file system; and of a name of its own, since two
    # processes may write the same file.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> Path:
    """Make a folder and those above it, where they are not there yet.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror or error}") from error
    return path


def sweep(folder: Path) -> None:
    """Remove what processes that were killed while writing have left in a folder that nobody else writes to now."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` in one step."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def append_text(path: Path, text: str) -> None:
    """Add to the end of a file that nobody else writes to.

    Raises:
        InputError: the disk does not take it.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


class _Dumper(yaml.SafeDumper):
    """Plain values, and paths as text."""


_Dumper.add_multi_representer(PurePath, lambda dumper, path: dumper.represent_str(str(path)))


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write YAML in one step, in the order given; a path becomes text."""
    write_text(path, yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON in one step; NaN is refused, since other readers refuse it."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, **keys: type) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: of the file.
        keys: what it must hold, with the type of each value.

    Raises:
        InputError: the file is not whole; says what to do.
    """
    return _mapping(path, "JSON", json.JSONDecodeError, json.loads, keys)


def read_yaml(path: Path, **keys: type) -> dict[str, Any]:
    """Read a YAML mapping.

    Args:
        path: of the file.
        keys: what it must hold, with the type of each value.

    Raises:
        InputError: the file is not whole; says what to do.
    """
    # Where it is built in, the C parser takes a fraction of the time, and a study reads a file for each of its cells.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return _mapping(path, "YAML", yaml.YAMLError, lambda text: yaml.load(text, loader), keys)


def _mapping(
    path: Path, kind: str, broken: type[Exception], parse: Callable[[str], Any], keys: Mapping[str, type]
) -> dict[str, Any]:
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (broken, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not readable {kind} ({reason}); delete it and run the study again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} does not hold a {kind} mapping; delete it and run the study again")
    lacking = [key for key, type_ in keys.items() if not isinstance(content.get(key), type_)]
    if lacking:
        raise InputError(f"{path} has no valid {', '.join(lacking)}; delete it and run the study again")
    return content

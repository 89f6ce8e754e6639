"""Files that are either whole or not there, also after a power cut."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import yaml

from ablate.errors import InputError
from ablate.system.leftovers import remove_leftovers, temporary_name
from ablate.system.reading import BrokenFile, parse_yaml, read_text

DECIDES_NUMBERS = False

AGAIN = "delete it and run the study again"  # what to do where a file is not whole


@contextmanager
def atomic(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    What was written is on the disk before it takes that place: a power cut leaves the old file or the new one, and
    never one that is empty or cut short.

    Args:
        path: of the file.
        lasting: once this returns, a power cut leaves the new file; else it may still leave the old one.

    Raises:
        InputError: the disk does not take it.
    """
    # Beside it, since a file is replaced in one step only within a file system; and of a name of its own, since two
    # processes may write the same file.
    temporary = path.with_name(temporary_name(path.name))
    try:
        yield temporary
        settle(temporary)
        os.replace(temporary, path)
        if lasting:
            settle(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        _remove(temporary)


def cannot_write(path: Path, error: OSError) -> InputError:
    """The error to raise where the disk does not take a file."""
    return InputError(f"cannot write {path}: {error.strerror or error}")


def settle(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is on the disk.

    Raises:
        OSError: the disk does not take it.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot do it for a folder, and their folders need none.
        if not (stat.S_ISDIR(os.fstat(descriptor).st_mode) and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise
    finally:
        os.close(descriptor)


def settle_files(folder: Path, *but: str) -> None:
    """Wait until all files below a folder are on the disk, and the folders that list them.

    Args:
        folder: whose files they are.
        but: names of files that need not be there after a power cut.

    Raises:
        InputError: the disk does not take them.
    """
    try:
        for place, _, names in os.walk(folder):
            for name in names:
                if name not in but:
                    settle(Path(place, name))
            settle(Path(place))
    except OSError as error:
        raise cannot_write(Path(error.filename or folder), error) from error


def make_folder(path: Path) -> Path:
    """Make a folder and those above it, where they are not there yet; they outlast a power cut.

    Raises:
        InputError: it cannot be made.
    """
    try:
        make_lasting_folder(path)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror or error}") from error
    return path


def make_lasting_folder(path: Path) -> None:
    """As `make_folder`.

    Raises:
        OSError: it cannot be made.
    """
    lacking = []
    for above in (path, *path.parents):
        if above.exists():
            break
        lacking.append(above)
    for one in reversed(lacking):
        one.mkdir(exist_ok=True)
        settle(one.parent)
    path.mkdir(exist_ok=True)  # a file of that name, or what another process has removed by now


def set_aside(path: Path, word: str) -> Path:
    """Give a file that does not count any more another name, such as `result.stale.json`; returns that.

    Raises:
        InputError: the disk does not take it.
    """
    aside = path.with_name(f"{path.stem}.{word}{path.suffix}")
    try:
        if aside.is_dir() and not aside.is_symlink():  # of an earlier time; a file takes its place by itself
            aside.rmdir()
        os.replace(path, aside)
        settle(path.parent)
    except OSError as error:
        raise cannot_write(aside, error) from error
    return aside


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        InputError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot remove {path}: {error.strerror or error}") from error


def sweep(folder: Path) -> None:
    """Remove what processes that were killed while writing have left in a folder that nobody else writes to now."""
    remove_leftovers(folder, of_anybody=True)


def write_text(path: Path, text: str, *, lasting: bool = True) -> None:
    """Write `text` in one step; `lasting` as in `atomic`."""
    with atomic(path, lasting=lasting) as temporary:
        # Names that came from the system may hold what UTF-8 cannot: told with an escape, they cost no result.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def append_text(path: Path, text: str) -> None:
    """Add to the end of a file that nobody else writes to.

    Raises:
        InputError: the disk does not take it, or there is a link in its place.
    """
    try:
        with open_to_append(path) as descriptor:
            content = memoryview(text.encode("utf-8", errors="backslashreplace"))
            while content:
                content = content[os.write(descriptor, content) :]
    except OSError as error:
        raise cannot_write(path, error) from error


@contextmanager
def open_to_append(path: Path) -> Iterator[int]:
    """The descriptor of a file that is made where it is not there; never of what a link points to.

    Raises:
        OSError: the disk does not take it, or there is a link in its place.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Plain values, and paths as text."""


_Dumper.add_multi_representer(PurePath, lambda dumper, path: dumper.represent_str(str(path)))


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write YAML in one step, in the order given; a path becomes text."""
    write_text(path, yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def write_json(path: Path, content: Mapping[str, Any], *, lasting: bool = True) -> None:
    """Write JSON in one step; NaN is refused, since other readers refuse it."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n", lasting=lasting)


def read_json(path: Path, *, again: str = AGAIN, **keys: type) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: of the file.
        again: what to do where it is not whole.
        keys: what it must hold, with the type of each value.

    Raises:
        BrokenFile: the file is not whole; says what to do.
        InputError: it cannot be read.
    """
    return _mapping(path, "JSON", _parse_json, again, keys)


def read_yaml(path: Path, *, again: str = AGAIN, **keys: type) -> dict[str, Any]:
    """Read a YAML mapping.

    Args:
        path: of the file.
        again: what to do where it is not whole.
        keys: what it must hold, with the type of each value.

    Raises:
        BrokenFile: the file is not whole; says what to do.
        InputError: it cannot be read.
    """
    return _mapping(path, "YAML", parse_yaml, again, keys)


def _parse_json(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def _mapping(
    path: Path, kind: str, parse: Callable[[str], Any], again: str, keys: Mapping[str, type]
) -> dict[str, Any]:
    try:
        text = read_text(path)
    except BrokenFile as error:
        reason = str(error).removeprefix(f"cannot read {path}: it ").removeprefix(f"{path} ")
        raise BrokenFile(f"{path} is not readable {kind} (it {reason}); {again}") from error
    try:
        content = parse(text)
    # Of the encoding, of the parser, of what is nested too deep for it, and of what is out of range (a date).
    except (ValueError, yaml.YAMLError, RecursionError, InputError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise BrokenFile(f"{path} is not readable {kind} ({reason}); {again}") from error
    if not isinstance(content, dict):
        raise BrokenFile(f"{path} does not hold a {kind} mapping; {again}")
    lacking = [key for key, type_ in keys.items() if not isinstance(content.get(key), type_)]
    if lacking:
        raise BrokenFile(f"{path} has no valid {', '.join(lacking)}; {again}")
    return content


def _remove(path: Path) -> None:
    """Remove what may be there; where it cannot be, the next run tries again, and the error of the block counts."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return

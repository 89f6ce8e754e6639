"""What the files hold that a config points to: folders of pictures, published sets, weights, tables.

A path says where something lies, and by itself decides nothing. What lies there does, so its content takes the path's
place in a cell's identity. Files are hashed once, and again where their size or time has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from ablate import registry
from ablate.config.start import source_file
from ablate.errors import InputError
from ablate.registry.blame import blaming, named
from ablate.registry.kinds import KINDS
from ablate.system.files import write_text

DECIDES_NUMBERS = False

LONG_S = 3.0  # of hashing, from where on it is said
# A file that was written so shortly before it was hashed may be written again without another time.
SETTLED_NS = 2_000_000_000
CHUNK = 2**20


@dataclass(frozen=True)
class Contents:
    """What the options of a config's plugins point to.

    Attributes:
        digests: dotted key -> digest of what is there; a key `KIND.content` for a set that says itself what it reads.
            What is verified to be a published set has none: its name says what it holds.
        absent: dotted keys whose files are not there yet.
    """

    digests: dict[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


def contents_of(config: Mapping[str, Any]) -> Contents:
    """What the plugins of a config read, apart from what they declare to be incidental.

    Raises:
        InputError: a file cannot be read.
    """
    digests: dict[str, str] = {}
    absent: list[str] = []
    if (start := source_file(config)) is not None:
        if not start.is_file():
            raise InputError(f"start={start}: no such file")
        digests["start"] = digest_of(start.resolve())
    for key, what, published in _pointed_to(config):
        if isinstance(what, str):
            digests[key] = what
        # Absent is no error yet: a plan works without data, and `load` says what to put where.
        elif what is None or not all(path.exists() for path in what):
            absent.append(key)
        elif (digest := _digest_of(what, published)) is not None:
            digests[key] = digest
    return Contents(digests, tuple(absent))


def may_be_published(config: Mapping[str, Any], keys: Collection[str]) -> bool:
    """Whether all that is absent is a published set as far as is known: the ID of such a cell names no content."""
    return all(published for key, _, published in _pointed_to(config) if key in keys)


def in_words(key: str, config: Mapping[str, Any]) -> str:
    """What a key of `Contents` stands for, in terms of what a user types."""
    if key == "start":
        return "the file that start names"
    place, _, option = key.rpartition(".")
    if option != "content":
        return f"what {key} points to"
    group, _, name = place.partition(".")
    return f"what {group}={name or config[group]['name']} reads"


def forget() -> None:
    """Look at all files again, which may have changed since."""
    digest_of.cache_clear()


@cache
def digest_of(path: Path) -> str:
    """A hash of a file, or of all files below a folder with their names below it.

    Raises:
        InputError: something there cannot be read.
    """
    try:
        return _file_digest(path, _Told()) if path.is_file() else _tree_digest(path)
    except OSError as error:
        raise InputError(f"cannot read {error.filename or path}: {error.strerror or error}") from error


def _pointed_to(config: Mapping[str, Any]) -> Iterator[tuple[str, list[Path] | str | None, Mapping[str, str]]]:
    """For each plugin's option, or for the plugin where it says itself what it reads: key, what, published hashes.

    What is read is paths, or a text that stands for it, or None where it is not here yet.
    """
    for kind in KINDS.values():
        if not kind.decides_numbers or kind.group not in config:
            continue
        nodes = config[kind.group]
        for name, node in nodes.items() if kind.several else [("", nodes)]:
            entry = registry.lookup(kind.name, str(node["name"]))
            place = f"{kind.group}.{name}" if name else kind.group
            if entry.says_what_it_reads:
                plugin: Any = entry.factory
                with blaming(config, "asking what it reads"):
                    what = _read_by(entry, plugin.reads(**_options(entry, node)))
                if what != []:
                    yield f"{place}.content", what, entry.published
                continue
            for parameter in entry.parameters:
                value = node.get(parameter.name)
                if parameter.is_path and value is not None and parameter.name not in entry.incidental:
                    yield f"{place}.{parameter.name}", [Path(value).expanduser()], {}


def _read_by(entry: registry.Entry, said: Any) -> list[Path] | str | None:
    """What a plugin says that it reads.

    Raises:
        InputError: it is nothing of that kind; names the plugin and its file.
    """
    if said is None or isinstance(said, str):
        return said
    if isinstance(said, list | tuple) and all(isinstance(one, str | Path) for one in said):
        return [Path(one) for one in said]
    raise InputError(
        f"reads() of {named(entry)} gives a {type(said).__name__}: it must give a list of paths, a text that stands "
        "for what is read, or None where that is not here"
    )


def _options(entry: registry.Entry, node: Mapping[str, Any]) -> dict[str, Any]:
    return {parameter.name: node.get(parameter.name, parameter.default) for parameter in entry.parameters}


def _digest_of(paths: Sequence[Path], published: Mapping[str, str]) -> str | None:
    """None where every file is one that was published, by its MD5."""
    if published and all(path.is_file() and _md5(path) == published.get(path.name) for path in paths):
        return None
    if len(paths) == 1:
        # Its content alone: renamed or moved, it is the same data.
        return digest_of(paths[0].resolve())
    parts = [f"{path.name}:{digest_of(path.resolve())}" for path in sorted(paths)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class _Told:
    """Says once that hashing takes a while."""

    def __init__(self) -> None:
        self.started, self.told = time.monotonic(), False

    def look(self, path: Path) -> None:
        """Say it where it is time to."""
        if not self.told and time.monotonic() - self.started > LONG_S:
            self.told = True
            print(f"ablate: reading {path} to know what it holds; once, until it changes", file=sys.stderr, flush=True)


def _tree_digest(folder: Path) -> str:
    """Of a folder: that of the last time where no file has another size or time, else of every file that has."""
    listed = dict(_listing(folder))
    stamp = hashlib.sha256(json.dumps(sorted(listed.items())).encode()).hexdigest()
    memory = _memory(folder)
    kept = _read_memory(memory)
    if kept.get("stamp") == stamp:
        return str(kept["digest"])
    # One new picture in a folder of a million has one file read, and not a million.
    files: dict[str, list[Any]] = kept.get("files", {})
    told = _Told()
    for name, about in listed.items():
        if files.get(name, [None])[0] != about:
            told.look(folder)
            with (folder / name).open("rb") as file:
                files[name] = [about, hashlib.file_digest(file, "sha256").hexdigest()]
    # With the names below the folder: the folder that a picture lies in may be its class.
    digest = hashlib.sha256("\n".join(f"{name}:{files[name][1]}" for name in sorted(listed)).encode()).hexdigest()[:16]
    # All or nothing: a file written within the clock's grain could change again under the same stamp.
    if all(map(_is_settled, listed.values())):
        _write_memory(memory, {"stamp": stamp, "digest": digest, "files": {name: files[name] for name in listed}})
    return digest


def _file_digest(path: Path, told: _Told, algorithm: str = "sha256") -> str:
    status = path.stat()
    memory = _memory(path, algorithm)
    about = _about(status)
    # Read anew only where size or times differ: a study over pictures would else wait minutes at each start.
    kept = _read_memory(memory)
    if kept.get("stamp") == about:
        return str(kept["digest"])
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            told.look(path)
    found = digest.hexdigest() if algorithm == "md5" else digest.hexdigest()[:16]
    if _is_settled(about):
        _write_memory(memory, {"stamp": about, "digest": found})
    return found


def _md5(path: Path) -> str:
    return _file_digest(path, _Told(), "md5")


def _listing(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Each file below a folder, links followed, with its size and time; by its name below it."""
    seen: set[Path] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        # A link may lead to a folder above, and so in a circle.
        if (real := here.resolve()) in seen:
            continue
        seen.add(real)
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append(Path(entry.path))
                elif entry.is_file():
                    yield os.path.relpath(entry.path, folder), _about(entry.stat())


def _about(status: os.stat_result) -> list[int]:
    """What changes with a file's content, as far as it can be known without reading it."""
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _is_settled(about: Sequence[int]) -> bool:
    return max(about[1:]) < time.time_ns() - SETTLED_NS


def _memory(path: Path, algorithm: str = "sha256") -> Path:
    name = hashlib.sha256(f"{algorithm}:{path.resolve()}".encode()).hexdigest()[:20]
    return platformdirs.user_cache_path("ablate") / "contents" / f"{name}.json"


def _read_memory(path: Path) -> dict[str, Any]:
    """What was kept; nothing where it is not whole, since it can be found out again."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _write_memory(path: Path, content: Mapping[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content))
    except (OSError, InputError):
        return  # where nothing can be kept, files are hashed each time

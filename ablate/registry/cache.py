"""A cache of what the plugins of a folder are, so that later commands need not import them, and torch with them.

What is kept is keyed by the content of every Python file of the folder, and of the code here that reads signatures. A
folder in which anything has changed is imported anew. What is not kept in full is not kept at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import platformdirs

from ablate.registry.registration import Entry
from ablate.registry.signatures import Parameter
from ablate.system.paths import PACKAGE
from ablate.system.reading import read_bytes

DECIDES_NUMBERS = False

VERSION = 1  # of what is kept
PLAIN = {"int": int, "float": float, "str": str, "bool": bool, "Path": Path, "Any": Any, "list": list, "dict": dict}
READERS = ("registry", "interfaces")  # the code of ablate that decides what is read off a plugin


class NotKept(Exception):
    """Something of a plugin has no plain form."""


def key_of(folder: Path) -> str:
    """A hash of all Python files of a folder, of where it lies, and of the code that reads signatures.

    Raises:
        InputError: one of them is no file that can be read, such as a pipe or a link to nothing.
    """
    digest = hashlib.sha256(f"{VERSION}\n{sys.version_info[:2]}\n{folder}\n{_readers()}".encode())
    # All files, and not just those that register something: helpers may hold the class whose signature is read.
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"\n{file.relative_to(folder)}:".encode())
        digest.update(hashlib.sha256(read_bytes(file)).digest())
    return digest.hexdigest()[:24]


def load(key: str) -> list[Entry] | None:
    """The plugins that were kept under a key; None where there are none, or what is there is not whole."""
    try:
        plain = json.loads(_file(key).read_text(encoding="utf-8"))
        return [_entry(one) for one in plain["entries"]]
    except (OSError, ValueError, KeyError, TypeError, NameError, SyntaxError, AttributeError):
        return None


def keep(key: str, entries: Iterable[Entry]) -> None:
    """Keep plugins; where they have no plain form, or nothing can be written, they are imported next time."""
    try:
        plain = {"entries": [_plain(entry) for entry in entries]}
        text = json.dumps(plain)
        # What does not come back as it is would behave otherwise in the second command than in the first.
        if [_entry(one) for one in json.loads(text)["entries"]] != list(entries):
            return
        path = _file(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".plugins-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except (OSError, NotKept, TypeError, ValueError):
        return


@cache
def _readers() -> str:
    digest = hashlib.sha256()
    for folder in READERS:
        for file in sorted((PACKAGE / folder).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _file(key: str) -> Path:
    return platformdirs.user_cache_path("ablate") / "plugins" / f"{key}.json"


def _plain(entry: Entry) -> dict[str, Any]:
    plain = {one.name: getattr(entry, one.name) for one in fields(Entry) if one.name != "made"}
    plain["parameters"] = [
        {"name": p.name, "type": _text(p.type), "default": _default(p.default), "choices": list(p.choices)}
        for p in entry.parameters
    ]
    return {**plain, "asks": list(entry.asks), "incidental": sorted(entry.incidental), "before": dict(entry.before)}


def _entry(plain: Mapping[str, Any]) -> Entry:
    parameters = tuple(
        Parameter(p["name"], _type(p["type"]), _value(p["default"]), tuple(p["choices"])) for p in plain["parameters"]
    )
    sets = {name: tuple(plain[name]) for name in ("asks", "charts")} | {"incidental": frozenset(plain["incidental"])}
    return Entry(**{**plain, **sets, "parameters": parameters})


def _text(type_: Any) -> str:
    """A type that an option may have, as text."""
    for name, plain in PLAIN.items():
        if type_ is plain:
            return name
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in (list, dict):
        return f"{origin.__name__}[{', '.join(map(_text, arguments))}]"
    if len(arguments) == 2 and type(None) in arguments:
        inner = next(one for one in arguments if one is not type(None))
        return f"{_text(inner)} | None"
    raise NotKept(str(type_))


def _type(text: str) -> Any:
    """The type behind the text: names of plain types, in brackets and before `| None`, and nothing else."""
    if text.endswith(" | None"):
        return _type(text.removesuffix(" | None")) | None
    name, bracket, rest = text.partition("[")
    # Looked up and never evaluated: what lies in a cache folder is data.
    if not bracket:
        return PLAIN[name]
    arguments = tuple(_type(one) for one in _split(rest.removesuffix("]")))
    generic: Any = PLAIN[name]
    return generic[arguments if len(arguments) > 1 else arguments[0]]


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def _default(value: Any) -> Any:
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, dict | tuple | set):
        return {"dict": value} if isinstance(value, dict) else _refuse(value)
    return value


def _value(plain: Any) -> Any:
    if isinstance(plain, dict):
        return Path(plain["path"]) if "path" in plain else plain["dict"]
    return plain


def _refuse(value: Any) -> Any:
    raise NotKept(repr(value))

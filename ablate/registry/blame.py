"""Errors out of plugins, as one line that names the plugin, its file and the line in it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ablate.errors import AblateError, InputError
from ablate.registry.kinds import KINDS, Kind, passed
from ablate.registry.registration import Entry, entry_of, lookup
from ablate.system.paths import plugin_dir
from ablate.system.text import in_words

DECIDES_NUMBERS = False


@contextmanager
def blaming(nodes: Mapping[str, Any], what: str) -> Iterator[None]:
    """Turn an exception that these plugins raise, or that using them together raises, into one for the user.

    Not for what runs inside a cell's process, whose log keeps the whole traceback.

    Args:
        nodes: the config of a cell, or its nodes of the plugins at work, by kind.
        what: what is being done, as in "building the network".

    Raises:
        InputError: in place of any exception that is not one of ours; the traceback stays behind it.
    """
    try:
        yield
    except AblateError:
        raise
    except Exception as error:
        named = [(kind, node) for kind in KINDS.values() for node in _nodes(kind, nodes)]
        entries = [lookup(kind.name, node["name"]) for kind, node in named]
        raise InputError(_account(error, entries, what)) from error


@contextmanager
def blaming_one(plugin: object, what: str) -> Iterator[None]:
    """`blaming` for one plugin that was built.

    Raises:
        InputError: in place of any exception that is not one of ours.
    """
    try:
        yield
    except AblateError:
        raise
    except Exception as error:
        raise InputError(f"{what} fails: {in_words(error)} ({named_by(plugin)})") from error


def named_by(plugin: object) -> str:
    """A plugin that was built by its kind, name and file; by its class where a function made it.

    As in `data 'photos', /home/me/plugins/photos.py`.
    """
    entry = entry_of(type(plugin))
    if entry is not None:
        return named(entry)
    file = getattr(sys.modules.get(type(plugin).__module__), "__file__", None)
    return f"{type(plugin).__name__}, {file}" if file else type(plugin).__name__


def _nodes(kind: Kind, nodes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The nodes of a kind's plugins in a config."""
    if kind.group not in nodes:
        return []
    return list(nodes[kind.group].values()) if kind.several else [nodes[kind.group]]


def _account(error: Exception, entries: list[Entry], what: str) -> str:
    said = in_words(error)
    place = _place(error, entries)
    text = f"{what} fails: {said}" + (f" ({named(place[0])} line {place[1]})" if place else "")
    # Where a part only breaks what is built around it, its own lines are not in the traceback.
    suspects = [named(entry) + f", passed ({', '.join(passed(entry.kind))})" for entry in entries if is_own(entry)]
    if not suspects or (place and is_own(place[0])):
        return text
    return f"{text}; not built in: {'; '.join(suspects)}"


def _place(error: Exception, entries: list[Entry]) -> tuple[Entry, int] | None:
    """The plugin and the line that are nearest to where the exception was raised; those of one's own come first."""
    places = [
        (entry, frame.lineno)
        for frame in reversed(traceback.extract_tb(error.__traceback__))
        for entry in entries
        if frame.filename == entry.file and frame.lineno is not None
    ]
    return next((place for place in places if is_own(place[0])), places[0] if places else None)


def named(entry: Entry) -> str:
    """A plugin by its kind, name and file."""
    return f"{entry.kind} '{entry.name}', {entry.file}"


def is_own(entry: Entry) -> bool:
    """Whether a plugin is not one of those that come with ablate."""
    return plugin_dir() not in Path(entry.file).resolve().parents

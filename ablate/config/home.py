"""`~` in front of a path means the home folder, typed with quotes or without, and in files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, Node, OmegaConf

from ablate import registry
from ablate.errors import InputError

# `KEY=~...` or `KEY=[...]`; a `~` in front of the key deletes it, and is none of ours.
TYPED = re.compile(r"(\+{0,2}[^=~'\"\[{]+=)(~.*|\[.*\])", re.DOTALL)
ELEMENT = re.compile(r"(^|[\[,]\s*)(~[^,\]]*)")


def quote_home(text: str) -> str:
    """An override with `~/...` in it as Hydra's grammar wants it, which knows `~` in quotes only."""
    match = TYPED.fullmatch(text)
    if not match:
        return text
    return match[1] + ELEMENT.sub(lambda one: f'{one[1]}"{one[2].strip()}"' if '"' not in one[2] else one[0], match[2])


def store_at_home(text: str) -> str:
    """`runs=~/...` with the folder that is meant: Hydra itself makes folders of a sweep there, and knows no `~`."""
    match = re.fullmatch(r"""runs=['"]*(~.*?)['"]*""", text)
    return f'runs="{_at_home("runs", match[1])}"' if match else text


def find_home(config: DictConfig) -> None:
    """Put the folder that is meant in the place of each `~` at which a path of a composed config begins.

    Raises:
        InputError: it begins with the name of a user that is not known here.
    """
    for parent, key, path in _paths(config):
        node = parent._get_node(key)
        value = node._value() if isinstance(node, Node) else None
        if isinstance(value, list):
            found: Any = [_at_home(path, one._value()) for one in value]
            changed = found != [one._value() for one in value]
        else:
            found = _at_home(path, value)
            changed = found is not value
        if changed:
            OmegaConf.update(config, path, found, merge=False)


def at_home(what: str, path: Path) -> Path:
    """A path that was typed as an argument, with the home folder in the place of `~`.

    Raises:
        InputError: as `find_home`.
    """
    return Path(_at_home(what, path))


def _paths(config: DictConfig) -> Iterator[tuple[DictConfig, str, str]]:
    """Every place of a config that holds a path: the node around it, its key there, and its dotted key."""
    yield config, "runs", "runs"
    for kind in registry.KINDS.values():
        found = config[kind.group]
        nodes = {f"{kind.group}.{name}": found[name] for name in found} if kind.several else {kind.group: found}
        for place, node in nodes.items():
            for parameter in registry.lookup(kind.name, str(node["name"])).parameters:
                if parameter.is_path and parameter.name in node:
                    yield node, parameter.name, f"{place}.{parameter.name}"


def _at_home(key: str, value: Any) -> Any:
    """A text or path with the home folder; anything else as it is."""
    if not isinstance(value, str | Path) or not str(value).startswith("~"):
        return value
    found = os.path.expanduser(str(value))
    if found.startswith("~"):
        user = str(value).partition("/")[0]
        raise InputError(
            f"{key}={value}: there is no user '{user[1:]}' here whose home folder {user} could be; a folder that is "
            f"called so is ./{value}"
        )
    return Path(found) if isinstance(value, Path) else found

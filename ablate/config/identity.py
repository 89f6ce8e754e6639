"""What makes two cells the same cell: all that decides a number is part of its name, or declared not to be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from omegaconf import MISSING

from ablate import registry
from ablate.config.contents import Contents
from ablate.config.roles import declared_keys
from ablate.config.start import source_file
from ablate.registry.kinds import KINDS, Kind

DECIDES_NUMBERS = False

NAMED = ("block", "order", "shortcut")  # the parts that stand in an ID besides the family and its depth
DIGITS = 12  # of the hash


def names_of(
    config: Mapping[str, Any], contents: Contents, uses: Collection[str], kept: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """A cell's ID and the earlier ones, as `cell_id` and `earlier_ids`, where it is known what decides the outcome.

    Args:
        config: frozen.
        contents: what the files hold that it points to.
        uses: the keys of the config that its network asks for.
        kept: what decides, of this config or of one that differs in nothing but its seed.
    """
    digest = _digest({**kept, "seed": config["seed"]})
    return _name(config, uses, digest), _earlier(config, contents, digest)


def cell_id(config: Mapping[str, Any], contents: Contents, uses: Collection[str]) -> str:
    """A readable name with a hash of all that decides the outcome, such as `resnet110-basic-pre-identity-s3-1f0c9a`.

    Args:
        config: frozen.
        contents: what the files hold that it points to.
        uses: the keys of the config that its network asks for (`Profile.uses`): an ID names no others.
    """
    return _name(config, uses, _digest(decisive(config, contents)))


def earlier_ids(config: Mapping[str, Any], contents: Contents) -> list[str]:
    """The IDs that a cell had in earlier versions, newest first, by which its results are found again.

    Version 0.1 named parts that a network does not have. It knew nothing of what files hold: a cell whose numbers come
    from such files has no earlier ID.
    """
    return _earlier(config, contents, _digest(decisive(config, contents)))


def _earlier(config: Mapping[str, Any], contents: Contents, digest: str) -> list[str]:
    return [] if contents.digests else [_name(config, ("depth", *NAMED), digest)]


def decisive(config: Mapping[str, Any], contents: Contents | None = None) -> dict[str, Any]:
    """The part of a frozen config that decides the outcome, with what files hold in the place of where they lie.

    Args:
        config: frozen, or composed.
        contents: what files hold; None: paths are left out.
    """
    groups = {kind.group for kind in KINDS.values()}
    kept: dict[str, Any] = {key: value for key, value in config.items() if key not in groups}
    for key, declared in declared_keys().items():
        path = key.split(".")
        holder = _holder(kept, path)
        if holder is None or path[-1] not in holder:
            continue
        # What every cell had before the key existed stays out, so that a new key with its default changes no stored ID.
        is_as_before = declared.before != MISSING and holder[path[-1]] == declared.before
        if not declared.decides_numbers or is_as_before:
            del holder[path[-1]]
    if source_file(config) is not None:
        del kept["start"]  # what the file holds counts, and not where it lies
    for kind in KINDS.values():
        if kind.group in config and kind.decides_numbers:
            kept |= _of_kind(kind, config[kind.group])
    for key, digest in (contents.digests if contents else {}).items():
        *path, leaf = key.split(".")
        node: dict[str, Any] = kept
        for name in path:
            node = node.setdefault(name, {})
        node[leaf] = digest
    return kept


def _holder(kept: dict[str, Any], path: list[str]) -> dict[str, Any] | None:
    """The mapping that holds the last part of a key, as a copy that may be changed."""
    node = kept
    for name in path[:-1]:
        if not isinstance(node.get(name), Mapping):
            return None
        node[name] = dict(node[name])
        node = node[name]
    return node


def _of_kind(kind: Kind, nodes: Any) -> dict[str, Any]:
    """What of a kind's choice decides: nothing where it is the choice that every cell had before the kind existed."""
    if kind.several:
        deciding = {name: _of_plugin(kind, node) for name, node in nodes.items() if not _is_incidental(kind, node)}
        return {kind.group: deciding} if deciding else {}
    # The same for a kind that came later.
    if not isinstance(nodes, Mapping) or nodes.get("name") == kind.before:
        return {} if kind.before is not None else {kind.group: nodes}
    return {kind.group: _of_plugin(kind, nodes)}


def _is_incidental(kind: Kind, node: Mapping[str, Any]) -> bool:
    return registry.lookup(kind.name, node["name"]).is_incidental


def _of_plugin(kind: Kind, node: Mapping[str, Any]) -> dict[str, Any]:
    entry = registry.lookup(kind.name, node["name"])
    paths = {parameter.name for parameter in entry.parameters if parameter.is_path}
    return {
        key: value
        for key, value in node.items()
        if key not in entry.incidental and key not in paths and (key not in entry.before or entry.before[key] != value)
    }


def _digest(kept: Mapping[str, Any]) -> str:
    # Sorted: an ID must not depend on the order in which files and overrides set the keys.
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _name(config: Mapping[str, Any], uses: Collection[str], digest: str) -> str:
    depth = config["depth"] if "depth" in uses and config.get("depth") is not None else ""
    words = [f"{config['backbone']['name']}{depth}", *(config[key]["name"] for key in NAMED if key in uses)]
    return "-".join([*words, f"s{config['seed']}", digest])

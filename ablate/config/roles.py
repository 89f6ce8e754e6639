"""What each key of a config decides, read off the declarations of keys (`schema`) and of kinds (`registry.kinds`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ablate.config.schema import Key, Settings, about
from ablate.registry.kinds import KINDS, kind_of_key
from ablate.registry.roles import Role

# What Hydra takes beside the keys of the config: a study's file, and its own settings.
BESIDE = ("exp", "hydra")


def declared_keys(schema: type = Settings, path: str = "") -> dict[str, Key]:
    """What is declared of each key outside of plugins, by its dotted name; a section declared as a whole is one key."""
    found: dict[str, Key] = {}
    for one in fields(schema):
        declared = about(one)
        inner = one.default_factory
        if declared is not None:
            found[path + one.name] = declared
        elif isinstance(inner, type) and is_dataclass(inner):
            found |= declared_keys(inner, f"{path}{one.name}.")
    return found


def network_keys() -> tuple[str, ...]:
    """The keys that a network is made of, where its family asks for them: kinds of parts, and sizes."""
    kinds = [kind.group for kind in KINDS.values() if kind.makes_network]
    sizes = [key for key, one in declared_keys().items() if one.role is Role.NETWORK and one.decides_numbers]
    return (*kinds, *sizes)


def is_comparable(key: str) -> bool:
    """Whether a typed key is part of what is compared, as against saying how a study runs."""
    top = re.split(r"[./@]", key)[0]
    kind, declared = kind_of_key(top), declared_keys().get(top)
    if top in BESIDE:
        return False
    if kind is not None:
        return kind.comparable
    return declared is None or declared.comparable


def decides_numbers(key: str) -> bool:
    """Whether a typed key may decide a number of a cell's training; a probe, say, only looks on."""
    top = re.split(r"[./@]", key)[0]
    kind, declared = kind_of_key(top), declared_keys().get(key)
    return kind.decides_numbers if kind else declared is None or declared.decides_numbers


def has_effect(key: str) -> bool:
    """Whether a key that decides numbers changes what is trained, and not just what is measured or how it is computed.

    The keys of plugins always do, those of `evaluation` too: what the network is shown decides the errors reported.
    """
    declared = declared_keys().get(key)
    return declared is None or declared.role in (Role.NETWORK, Role.TRAINING)


def is_plugin_key(key: str) -> bool:
    """Whether a dotted key belongs to a plugin that decides numbers."""
    kind = kind_of_key(key.split(".")[0])
    return kind is not None and kind.decides_numbers


def shape_text(config: Mapping[str, Any]) -> str:
    """All of a config that decides its network's shape, as text: how it starts and is trained does not."""
    return _text(_shape_part(config))


def pace_text(config: Mapping[str, Any]) -> str:
    """All of a config that decides how fast it trains and how much memory that takes, as text."""
    part = _shape_part(config)
    for kind in KINDS.values():
        if kind.sets_pace != "nothing" and kind.group in config:
            node = config[kind.group]
            # An optimiser's rule costs time, its rate does not: arms that differ in a rate share one measurement.
            part[kind.group] = node["name"] if kind.sets_pace == "name" and not kind.several else node
    return _text(part | {key: _at(config, key) for key, one in declared_keys().items() if one.sets_pace})


def _shape_part(config: Mapping[str, Any]) -> dict[str, Any]:
    kinds = [kind.group for kind in KINDS.values() if kind.gives_shape]
    part = {key: config[key] for key in (*network_keys(), *kinds) if key in config}
    for key, one in declared_keys().items():
        if one.builds:
            *path, leaf = key.split(".")
            node = part
            for name in path:
                node = node.setdefault(name, {})
            node[leaf] = _at(config, key)
    return part


def _at(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key, or its default where a config is older than the key."""
    value: Any = config
    for name in key.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def _text(part: Mapping[str, Any]) -> str:
    return json.dumps(part, sort_keys=True, default=str)

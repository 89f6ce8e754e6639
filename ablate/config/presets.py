"""Presets (arch) beside other choices: the options that a preset gives to a part go with that part."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hydra.core.config_store import ConfigStore

from ablate.config.overrides import parse
from ablate.registry.kinds import KINDS

Settings = Mapping[str, Any]
NO_PRESET = "no_preset"


def replaced_parts(overrides: Sequence[str], settings: Settings) -> list[str]:
    """The kinds of plugins for which a preset sets options, and the overrides choose another plugin than the preset.

    Args:
        overrides: Hydra overrides.
        settings: what the preset sets: key or group -> value.
    """
    chosen = {override.key: override.value for override in parse(overrides) if not override.deletes}
    with_options = {key.partition(".")[0] for key in settings if "." in key}
    return [
        kind
        for kind in (one.group for one in KINDS.values())
        if kind in with_options and kind in settings and chosen.get(kind, settings[kind]) != settings[kind]
    ]


def store_without(name: str, settings: Settings, kinds: Collection[str]) -> str:
    """Make a preset known to Hydra that sets no options for these kinds, and return its name."""
    # Written as a file of `conf/arch` would be: Hydra then composes it in the preset's place, below all that was typed.
    groups = [kind.group for kind in KINDS.values()]
    node: dict[str, Any] = {"defaults": [{f"override /{kind}": settings[kind]} for kind in groups if kind in settings]}
    for key, value in settings.items():
        *path, leaf = key.split(".")
        if key in groups or path[:1] in [[kind] for kind in kinds]:
            continue
        inner = node
        for step in path:
            inner = inner.setdefault(step, {})
        inner[leaf] = value
    name = "_".join([name, "without", *kinds, "options"])
    ConfigStore.instance().store(group="arch", name=name, node=node, package="_global_", provider="ablate")
    return name


def store_none() -> str:
    """Make a preset known to Hydra that sets nothing, and return its name: Hydra takes no null for a group."""
    ConfigStore.instance().store(group="arch", name=NO_PRESET, node={}, package="_global_", provider="ablate")
    return NO_PRESET

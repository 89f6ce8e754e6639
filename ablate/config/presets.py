"""Presets (arch, scale) beside other choices: the options that a preset gives to a part go with that part.

A scale gives its batch size to whatever data set is chosen, but to one whose batch size is fixed; of other options the
kind says which are a scale's (`Kind.scaled`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hydra.core.config_store import ConfigStore

from ablate import registry
from ablate.config.overrides import parse
from ablate.errors import InputError
from ablate.registry.kinds import FILE_GROUPS, KINDS, Kind, kind_of_key

Settings = Mapping[str, Any]
NO_PRESET = "no_preset"
FITTED = "fitted"


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


def unfit_options(settings: Settings, chosen: Mapping[str, str], named: Mapping[str, str]) -> list[str]:
    """The options that a scale sets and that do not fit a chosen plugin: dotted keys.

    Those that go with another plugin, which is the scale's own choice, and those that the plugin has as a plain
    attribute. Any other that it lacks is a mistake in the file, and left for Hydra to refuse.

    Args:
        settings: what the scale sets: key or group -> value.
        chosen: plugin by group.
        named: plugin or file by group, as it is chosen: a file that builds on a plugin has values of its own.
    """
    unfit = []
    for key in settings:
        group, _, option = key.partition(".")
        kind = kind_of_key(group)
        if not kind or not option or group not in chosen:
            continue
        lacks = not _has_option(kind, chosen[group], option)
        if settings.get(group, named[group]) != named[group]:
            # A rate that suits SGD is none for Adam; how many images a scale takes is for any data set that says.
            unfit += [key] if lacks or option not in kind.scaled else []
        elif lacks and option in kind.attributes:
            unfit.append(key)
    return unfit


def _has_option(kind: Kind, name: str, option: str) -> bool:
    """Also of a plugin that does not exist, which is for Hydra to say."""
    if name not in {entry.name for entry in registry.entries(kind.name)}:
        return True
    return option in {one.name for one in registry.lookup(kind.name, name).parameters}


def refuse_fixed(overrides: Sequence[str], chosen: Mapping[str, str]) -> None:
    """Refuse a value that is typed for what a plugin has fixed.

    Args:
        overrides: Hydra overrides.
        chosen: plugin by group.

    Raises:
        InputError: there is one; names the plugin and its file.
    """
    for override in parse(overrides):
        for key in override.leaves if not override.deletes else ():
            group, _, option = key.partition(".")
            kind = kind_of_key(group)
            if kind and option in kind.attributes and not _has_option(kind, chosen.get(group, ""), option):
                entry = registry.lookup(kind.name, chosen[group])
                plugin = f"{kind.name} '{entry.name}', {entry.file}"
                raise InputError(f"{override.text}: {plugin}, has no option {option}: it is fixed there")


def store_without(group: str, name: str, settings: Settings, keys: Collection[str]) -> str:
    """Make a preset known to Hydra that lacks some of its keys, and return its name.

    Args:
        group: of the preset.
        name: of the preset.
        settings: what it sets: key or group -> value.
        keys: dotted ones, or the kinds of plugins that no option is set for.
    """
    # Written as a file of the group would be: Hydra then composes it in the preset's place, below all that was typed.
    groups = {*(kind.group for kind in KINDS.values()), *FILE_GROUPS} - {group}
    node: dict[str, Any] = {"defaults": [{f"override /{key}": settings[key]} for key in settings if key in groups]}
    for key, value in settings.items():
        *path, leaf = key.split(".")
        if key in groups or key in keys or path[:1] in [[kind] for kind in keys]:
            continue
        inner = node
        for step in path:
            inner = inner.setdefault(step, {})
        inner[leaf] = value
    name = "_".join([name, "without", *(key.replace(".", "_") for key in keys)])
    # In a group of its own, so that nobody is told of it as of a choice.
    ConfigStore.instance().store(group=f"{group}/{FITTED}", name=name, node=node, package="_global_", provider="ablate")
    return f"{FITTED}/{name}"


def store_none() -> str:
    """Make a preset known to Hydra that sets nothing, and return its name: Hydra takes no null for a group."""
    ConfigStore.instance().store(group="arch", name=NO_PRESET, node={}, package="_global_", provider="ablate")
    return NO_PRESET

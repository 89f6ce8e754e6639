"""Presets that fit what else is chosen: which plugins and files those are, and the scale without what they lack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ablate import registry
from ablate.config.overrides import parse
from ablate.config.presets import refuse_fixed, store_without, unfit_options
from ablate.errors import InputError
from ablate.registry.kinds import KINDS, kind_of_key
from ablate.system.paths import conf_dir


class Files(NamedTuple):
    """How config files are read.

    Attributes:
        names: from a group to the files of it, by name.
        settings: from a group and a name to what that file sets, with those that it builds on.
        read: a file, as it stands there.
    """

    names: Callable[[str], Mapping[str, Path]]
    settings: Callable[[str, str], Mapping[str, Any]]
    read: Callable[[Path], Mapping[str, Any]]


def for_hydra(
    arguments: Sequence[str], fitted: Callable[[Sequence[str]], list[str]]
) -> tuple[list[str], dict[str, str]]:
    """Arguments for Hydra's own composition, which then takes presets that fit the other choices, as `compose` does.

    Args:
        arguments: flags and overrides; those that sweep over values stay as they are.
        fitted: from overrides to those with presets that fit, and behind them what is added.

    Returns:
        The arguments, and by each that was not typed what was typed for it: nothing where it is added.

    Raises:
        InputError: a value is typed for what a plugin has fixed.
    """
    plain = [text for text in arguments if _is_plain(text)]
    fits = fitted(plain)
    stand_ins = {new: typed for new, typed in zip(fits, plain, strict=False) if new != typed}
    scales = [text for text in arguments if text.startswith("scale=")]
    for text in fits[len(plain) :]:
        # Swept over, a scale is each job's own.
        if all(scale in plain for scale in scales):
            stand_ins[text] = scales[-1] if scales else ""
    replaced = {typed: new for new, typed in stand_ins.items()}
    added = [replaced[""]] if "" in replaced else []
    return [*(replaced.get(text, text) for text in arguments), *added], stand_ins


def _is_plain(text: str) -> bool:
    """Whether an argument is an override of one value."""
    if text.startswith("-"):
        return False
    try:
        return bool(parse([text]))
    except InputError:
        return False


def fitted_scale(overrides: Sequence[str], files: Files) -> list[str]:
    """A choice of the scale without the options that a chosen plugin does not have; nothing where all fit.

    Args:
        overrides: Hydra overrides.
        files: how they are read.

    Raises:
        InputError: a value is typed for what a plugin has fixed.
    """
    named = _named(overrides, files)
    chosen = {group: _plugin_of(group, name, files) for group, name in named.items()}
    if chosen["scale"] not in files.names("scale"):
        return []
    refuse_fixed(overrides, chosen)
    settings = files.settings("scale", chosen["scale"])
    unfit = unfit_options(settings, chosen, named)
    return [f"scale={store_without('scale', chosen['scale'], settings, unfit)}"] if unfit else []


def _named(overrides: Sequence[str], files: Files) -> dict[str, str]:
    """The plugin or file of each group: by what is typed, else by the files that are chosen, else by default."""
    typed = {one.key: one.value for one in parse(overrides) if isinstance(one.value, str) and not one.deletes}
    chosen = {kind.group: kind.default for kind in KINDS.values() if kind.default}
    for default in files.read(conf_dir() / "config.yaml")["defaults"]:
        chosen |= {key: value for key, value in default.items() if value} if isinstance(default, dict) else {}
    # In the order of the defaults list, whose last word counts; a study's file may choose the scale.
    study = files.settings("exp", typed["exp"]) if typed.get("exp") in files.names("exp") else {}
    for group in ("scale", "arch"):
        name = str(typed.get(group) or study.get(group) or chosen.get(group))
        if name in files.names(group):
            chosen |= {**files.settings(group, name), group: name}
    return {group: str(name) for group, name in {**chosen, **study, **typed}.items()}


def _plugin_of(group: str, name: str, files: Files) -> str:
    """The plugin that a file of its kind's group builds on; any other name as it is."""
    kind = kind_of_key(group)
    if kind is None or name in {entry.name for entry in registry.entries(kind.name)}:
        return name
    names = files.names(group)
    seen: set[str] = set()
    while name in names and name not in seen:
        seen.add(name)
        bases = [one for one in files.read(names[name]).get("defaults", []) if isinstance(one, str)]
        name = next((one for one in bases if one != "_self_"), name)
    return name

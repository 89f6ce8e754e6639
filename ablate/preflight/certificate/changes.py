"""What differs between two frozen configs, as keys and as factors, and which of it an arm declares. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.config.compose import settings_of
from ablate.config.files import config_names
from ablate.config.identity import decisive
from ablate.config.overrides import leaves, parse
from ablate.registry.kinds import kind_of_key

if TYPE_CHECKING:
    from ablate.study.arms import Arm


def config_difference(baseline: Mapping[str, Any], arm: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The keys that decide the outcome and differ, but for the seed: dotted key -> [baseline's value, arm's value]."""
    before, after = (leaves({**decisive(config), "seed": 0}) for config in (baseline, arm))
    keys = dict.fromkeys([*before, *after])
    return {key: [before.get(key), after.get(key)] for key in keys if before.get(key) != after.get(key)}


def changed_factors(difference: Iterable[str]) -> list[str]:
    """The keys that differ, taken together as factors: another plugin is one change, whatever options it brings."""
    keys = list(difference)
    # `norm.name` among them means that another plugin was chosen, whose options then differ as a matter of course.
    chosen = {name for key in keys if kind_of_key(name := key.removesuffix(".name"))}
    return list(dict.fromkeys(group if (group := key.split(".")[0]) in chosen else key for key in keys))


def undeclared_factors(declared: Sequence[str], factors: Sequence[str]) -> list[str]:
    """The factors that differ without being among the keys that the arm declares.

    An arm without overrides is the base configuration: the one factor that its baseline sets otherwise is what it
    declares.
    """
    if not declared:
        return list(factors) if len(factors) > 1 else []
    return [factor for factor in factors if not any(_covers(key, factor) for key in declared)]


def declared_keys(arm: Arm) -> list[str]:
    """The keys that an arm declares to change, with all that a preset among its overrides sets."""
    keys = list(arm.changes)
    for override in parse(arm.overrides):
        is_preset = kind_of_key(override.key) is None and isinstance(override.value, str)
        if is_preset and override.value in config_names(override.key):
            keys += settings_of(override.key, str(override.value))
    return list(dict.fromkeys(keys))


def _covers(key: str, factor: str) -> bool:
    """Whether a declared key is the factor or a group that holds it."""
    return factor == key or factor.startswith(f"{key}.")

"""Entries of a study's section that are typed one by one, such as `study.grid.depth=[8,14]` or `~study.arms.pre`.

The name of a factor is a dotted key itself, and that of an arm may have a dot. To Hydra each dot leads one level down:
it is given such an entry as a mapping, or not at all where it is taken away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.config.overrides import Typed
from ablate.errors import InputError, nearest
from ablate.study import recipe_parts

FACTORS = ("grid", "zip")
ARM_FIELDS = ("overrides", "baseline", "match", "knob", "changes", "seeds_from", "starts_from")
FIELDS = {"arms": ARM_FIELDS, "leave_one_out": recipe_parts.FIELDS, "add_one_in": recipe_parts.FIELDS}
PARTS = (*FIELDS, *FACTORS)
OF_SCALE = re.compile(rf"(study\.scales\.[^.]+\.(?:{'|'.join(FACTORS)}))\.(.+\..+)")


@dataclass(frozen=True)
class Entry:
    """One entry that was typed.

    Attributes:
        part: of the section, one of `PARTS`.
        name: of the factor, the arm or the part of a recipe.
        field: of an arm or a part, where one of them was typed; else empty.
    """

    part: str
    name: str
    field: str = ""

    @property
    def key(self) -> str:
        """The dotted key of the entry as a whole."""
        return f"study.{self.part}.{self.name}"

    @property
    def is_dotted(self) -> bool:
        """Whether Hydra would read its name as more than one level."""
        return "." in self.name


def entry_of(key: str) -> Entry | None:
    """The entry that a typed key names; None where it names something else, or a part as a whole."""
    study, _, rest = key.partition(".")
    part, _, name = rest.partition(".")
    if study != "study" or part not in PARTS or not name:
        return None
    before, _, last = name.rpartition(".")
    return Entry(part, before, last) if before and last in FIELDS.get(part, ()) else Entry(part, name)


def for_hydra(typed: Sequence[Typed]) -> list[str]:
    """What was typed as Hydra can compose it: dotted entries as mappings, without those that are taken away.

    Raises:
        InputError: the values of a factor are no list, or a factor of a scale has dots.
    """
    texts = []
    for override in typed:
        entry = entry_of(override.key)
        if entry is not None and entry.part in FACTORS and not override.deletes:
            _refuse_no_list(override, entry)
        if match := OF_SCALE.fullmatch(override.key):
            value = override.text.partition("=")[2] or "[...]"
            raise InputError(f"'{override.text}': a name with dots is typed as ++{match[1]}={{{match[2]}:{value}}}")
        if entry is None or not entry.is_dotted:
            texts.append(override.text)
        elif not override.deletes:
            texts.append(as_mapping(entry, override.text.partition("=")[2]))
    return texts


def as_mapping(entry: Entry, value: str) -> str:
    """An entry as a mapping, which Hydra merges into those that are there."""
    inner = f"{{{entry.field}:{value}}}" if entry.field else value
    # Forced: whether it may be added is for `check_entries` to say, which knows the name that was typed.
    return f"++study.{entry.part}={{{entry.name}:{inner}}}"


def check_entries(typed: Sequence[Typed], filed: Mapping[str, Any]) -> None:
    """Hold dotted entries against what a study has, as Hydra does it with all others.

    Args:
        typed: what the user typed.
        filed: the section without it.

    Raises:
        InputError: an entry is changed or taken away that is not there, or added that is.
    """
    for override in typed:
        entry = entry_of(override.key)
        if entry is None:
            continue
        if entry.is_dotted:
            _check_dotted(override, entry, filed[entry.part])


def _refuse_no_list(override: Typed, entry: Entry) -> None:
    if not isinstance(override.value, list):
        such = override.text.partition("=")[2] or "a,b"
        raise InputError(f"{override.text}: must be a list, such as {entry.key}=[{such}]")


def _check_dotted(override: Typed, entry: Entry, known: Mapping[str, Any]) -> None:
    exists = entry.name in known
    if override.deletes and not exists:
        near = nearest(entry.name, known)
        hint = f"; did you mean '~study.{entry.part}.{near}'?" if near else ""
        raise InputError(f"cannot delete '{entry.key}': it does not exist{hint}; known: {', '.join(known) or 'none'}")
    if override.text.startswith("++") or override.deletes:
        return
    if override.text.startswith("+") and exists:
        raise InputError(f"{entry.key} exists already; set it without the plus")
    if not override.text.startswith("+") and not exists:
        near = nearest(entry.name, known)
        hint = f"; did you mean 'study.{entry.part}.{near}'?" if near else ""
        names = ", ".join(sorted(known)) or "none"
        raise InputError(f"unknown key '{entry.key}'{hint}; known: {names}; +{entry.key}=[...] adds one")

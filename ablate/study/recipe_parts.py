"""Designs that take a recipe apart: leave one part out of the full recipe, or add one part to the bare one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.errors import InputError
from ablate.study.arms import Arm
from ablate.study.conflicts import parse_own
from ablate.study.fields import mapping, texts
from ablate.study.names import check_arm

FULL, BARE = "full", "bare"
FIELDS = ("with", "without")


@dataclass(frozen=True)
class Part:
    """One part of a recipe: the overrides with it, and those without it."""

    name: str
    present: list[str]
    absent: list[str]

    @property
    def keys(self) -> list[str]:
        """The keys that tell a network with the part from one without it."""
        parsed = [o for texts in (self.present, self.absent) for o in parse_own(f"part '{self.name}'", texts)]
        return list(dict.fromkeys(override.key for override in parsed))


def leave_one_out(given: Mapping[str, Any]) -> list[Arm]:
    """The arm `full` with every part, and against it an arm `no_PART` for each part: all parts but that one.

    Raises:
        InputError: a part is not written as one, or changes nothing.
    """
    parts = [_part("leave_one_out", str(name), node) for name, node in given.items()]
    names = [part.name for part in parts]
    full = Arm(FULL, _recipe(parts, names), design="leave_one_out")
    others = [
        Arm(f"no_{part.name}", _recipe(parts, {*names} - {part.name}), FULL, part.keys, design="leave_one_out")
        for part in parts
    ]
    return [full, *others] if parts else []


def add_one_in(given: Mapping[str, Any]) -> list[Arm]:
    """The arm `bare` without any part, and against it an arm `only_PART` for each part: that one alone.

    Raises:
        InputError: a part is not written as one, or changes nothing.
    """
    parts = [_part("add_one_in", str(name), node) for name, node in given.items()]
    bare = Arm(BARE, _recipe(parts, ()), design="add_one_in")
    others = [
        Arm(f"only_{part.name}", _recipe(parts, {part.name}), BARE, part.keys, design="add_one_in") for part in parts
    ]
    return [bare, *others] if parts else []


def _recipe(parts: Sequence[Part], present: Collection[str]) -> list[str]:
    # In the order of the file, so that equal recipes compose to equal configs whichever design makes them.
    return [text for part in parts for text in (part.present if part.name in present else part.absent)]


def _part(design: str, name: str, given: Any) -> Part:
    check_arm(name, f"part of study.{design}")
    where = f"study.{design}.{name}"
    if isinstance(given, list):
        present, absent = texts(where, given), []
    else:
        fields = mapping(where, given, FIELDS)
        present, absent = (texts(f"{where}.{key}", fields.get(key, [])) for key in FIELDS)
    if present == absent:
        raise InputError(f"{where} is the same with and without: a part needs an override that changes something")
    return Part(name, present, absent)

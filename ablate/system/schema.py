"""Values that were read from a file, held against the dataclass that says what they must be."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from ablate.errors import InputError

DECIDES_NUMBERS = False

T = TypeVar("T")

# What msgspec calls a kind of value, and people do.
KINDS = {
    "array": "a list", "bool": "true or false", "float": "a number", "int": "a whole number", "null": "null",
    "object": "a mapping", "str": "text",
}  # fmt: skip


def checked(plain: Any, form: type[T]) -> T:
    """An instance of a dataclass from plain values; keys that it has not are left out, nothing is converted.

    Raises:
        InputError: a value is missing or of another type; says where, without the name of the file.
    """
    try:
        return msgspec.convert(plain, form)
    except (msgspec.ValidationError, ValueError, TypeError) as error:  # the latter two of the dataclass itself
        raise InputError(in_words(str(error))) from error


def in_words(text: str) -> str:
    """What msgspec says ("Expected `str`, got `int` - at `$.cells[0].id`") as part of a sentence, the place first."""
    reason, _, place = text.replace("`", "").partition(" - at ")
    place = place.replace("$.", "").replace("$", "") or "it"
    if match := re.fullmatch(r"Object missing required field (\S+)", reason):
        return f"{place} has no {match[1]}"
    if match := re.fullmatch(r"Expected (.+), got (.+)", reason):
        return f"{place} must be {_kinds(match[1])} and is {_kinds(match[2])}"
    if match := re.fullmatch(r"Invalid enum value (.+)", reason):
        return f"{place} cannot be {match[1]}"
    return f"{place}: {reason[:1].lower()}{reason[1:]}"


def _kinds(text: str) -> str:
    return " or ".join(KINDS.get(one, one) for one in text.split(" | "))

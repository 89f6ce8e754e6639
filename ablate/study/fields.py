"""Checks of the form in which a study's file describes an arm or a part."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ablate.errors import InputError, unknown


def texts(where: str, given: Any, such_as: str = "[order=pre]") -> list[str]:
    """A list of texts, such as overrides.

    Raises:
        InputError: it is something else; says where.
    """
    if not isinstance(given, list):
        raise InputError(f"{where}: must be a list, such as {such_as}, and not {given}")
    if not all(isinstance(text, str) for text in given):
        raise InputError(f"{where}: must be a list of texts, such as {such_as}, and not {given}")
    return list(given)


def mapping(where: str, given: Any, fields: Collection[str]) -> dict[str, Any]:
    """A mapping that has no other keys than these fields; what is null counts as absent.

    Raises:
        InputError: it is no mapping, or has another key.
    """
    if not isinstance(given, Mapping):
        raise InputError(
            f"{where}: must be a list, such as [order=pre], or a mapping with {', '.join(fields)}, "
            f"and not {'null' if given is None else given}"
        )
    for key in given:
        if key not in fields:
            raise unknown(f"field of {where}", str(key), fields)
    return {str(key): value for key, value in given.items() if value is not None}

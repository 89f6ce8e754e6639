"""Selectors: which cells of a study a term of a contrast speaks of, and when two grid values are the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ablate.errors import InputError

ANY = "*"


@dataclass(frozen=True)
class Selector:
    """Arms, and the values that pin grid factors; over all cells that match, the mean is taken within a seed.

    Attributes:
        arm: a name, several joined by `|`, or `*` for all.
        factors: each with a value or several joined by `|`; a factor left open is averaged over.
    """

    arm: str
    factors: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        pinned = ",".join(f"{factor}={value}" for factor, value in self.factors)
        return f"{self.arm}@{pinned}" if pinned else self.arm

    @property
    def arms(self) -> list[str]:
        """The arms by name; empty for all."""
        return [] if self.arm == ANY else alternatives(self.arm)

    def pins(self, factor: str) -> bool:
        """Whether it names values of a factor."""
        return factor in (name for name, _ in self.factors)

    def at(self, factor: str, value: object) -> Selector:
        """The same cells, of those with one value of a further factor."""
        return Selector(self.arm, (*self.factors, (factor, value_text(value))))

    def matches(self, arm: str, factors: Mapping[str, object]) -> bool:
        """Whether it speaks of the cells of this arm at this point of the grid."""
        pinned = all(
            value_text(factors.get(name)) in map(value_text, alternatives(value)) for name, value in self.factors
        )
        return pinned and (not self.arms or arm in self.arms)


def alternatives(text: str) -> list[str]:
    """The names or values in `a|b|c`."""
    return [part.strip() for part in text.split("|")]


def parse_selector(text: str) -> Selector:
    """Read `arm` or `arm@factor=value[,factor=value]`, such as `post@depth=110`, `*@depth=56|110` or `a|b`.

    Raises:
        InputError: the text has another form, or pins a factor twice.
    """
    arm, at, rest = str(text).partition("@")
    pairs = [part.partition("=") for part in rest.split(",")] if at else []
    factors = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    named = [arm, *(part for pair in factors for part in pair)]
    if any(not one for name in named for one in alternatives(name)):
        raise InputError(f"selector '{text}' cannot be read; write it as arm or arm@factor=value,factor=value")
    if len({name for name, _ in factors}) < len(factors):
        raise InputError(f"selector '{text}' pins a factor twice")
    return Selector(arm.strip(), factors)


def value_text(value: Any) -> str:
    """One text for all spellings of a grid value: `110`, `'110'` and `110.0` agree, and so do `True` and `'true'`.

    A CSV file does not say what type a value had, so values are compared by this text. Nothing (None, NaN) is `null`.
    """
    if isinstance(value, list | tuple | dict):
        return str(value)
    if _is_missing(value) or not str(value).strip():
        return "null"
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _is_missing(value: Any) -> bool:
    """What pandas takes for nothing; what Python itself knows is told without it."""
    if value is None or isinstance(value, str | bool | int):
        return value is None
    if isinstance(value, float):
        return math.isnan(value)
    import pandas as pd

    return bool(pd.isna(value))

"""Selectors: which cells of a study a term of a contrast speaks of, and when two grid values are the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ablate.errors import InputError


@dataclass(frozen=True)
class Selector:
    """An arm, and the values that pin grid factors; a factor left open is averaged over, within a seed."""

    arm: str
    factors: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        pinned = ",".join(f"{factor}={value}" for factor, value in self.factors)
        return f"{self.arm}@{pinned}" if pinned else self.arm


def parse_selector(text: str) -> Selector:
    """Read `arm` or `arm@factor=value[,factor=value]`, such as `post@depth=110`.

    Raises:
        InputError: the text has another form, or pins a factor twice.
    """
    arm, at, rest = str(text).partition("@")
    pairs = [part.partition("=") for part in rest.split(",")] if at else []
    factors = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    if not arm.strip() or any(not name or not value for name, value in factors):
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
    if value is None or pd.isna(value) or str(value).strip() in ("", "null"):
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

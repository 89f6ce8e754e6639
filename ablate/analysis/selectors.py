"""Selectors: which cells of a study a term of a contrast speaks of, and when two grid values are the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from ablate.errors import InputError
from ablate.system.reading import parse_yaml

ANY = "*"
ROUNDING = 1e-12  # a sum below this part of its terms is rounding, and counts as none


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

    @property
    def meaning(self) -> tuple[Any, ...]:
        """The same for all spellings of one selector: `a|b` and `b|a`, `a@depth=8` and `a@depth=8.0`."""
        factors = sorted((factor, tuple(sorted(values_of(value)))) for factor, value in self.factors)
        return tuple(sorted(set(self.arms))), tuple(factors)

    def pins(self, factor: str) -> bool:
        """Whether it names values of a factor."""
        return factor in (name for name, _ in self.factors)

    def at(self, factor: str, value: object) -> Selector:
        """The same cells, of those with one value of a further factor."""
        return Selector(self.arm, (*self.factors, (factor, value_text(value))))

    def matches(self, arm: str, factors: Mapping[str, object]) -> bool:
        """Whether it speaks of the cells of this arm at this point of the grid."""
        pinned = all(value_text(factors.get(name)) in values_of(value) for name, value in self.factors)
        return pinned and (not self.arms or arm in self.arms)


def alternatives(text: str) -> list[str]:
    """The names or values in `a|b|c`, each once."""
    return list(dict.fromkeys(part.strip() for part in _split(text, "|")))


def values_of(text: str) -> list[str]:
    """The values in `a|b|c` by the one text that all spellings of each have (`value_text`)."""
    return list(dict.fromkeys(map(value_text, alternatives(text))))


@cache
def parse_selector(text: str) -> Selector:
    """Read `arm` or `arm@factor=value[,factor=value]`, such as `post@depth=110`, `*@depth=56|110` or `a|b`.

    A value that is a list stands in brackets, as `a@aux.at=[stage1,stage2]`.

    Raises:
        InputError: the text has another form, or pins a factor twice.
    """
    arm, at, rest = str(text).partition("@")
    pairs = [part.partition("=") for part in _split(rest, ",")] if at else []
    factors = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    named = [arm, *(part for pair in factors for part in pair)]
    if any(not one for name in named for one in alternatives(name)):
        raise InputError(f"selector '{text}' cannot be read; write it as arm or arm@factor=value,factor=value")
    if ANY in (arms := alternatives(arm)) and len(arms) > 1:
        raise InputError(f"selector '{text}' names all arms and one of them; write {ANY}, or the arms alone")
    if len({name for name, _ in factors}) < len(factors):
        raise InputError(f"selector '{text}' pins a factor twice; several values are written as factor=value|value")
    return Selector("|".join(arms), factors)


def added_up(contrast: Mapping[str, float]) -> dict[Selector, float]:
    """The selectors of a contrast with their weights, those that say the same in other letters added up.

    What adds up to zero is left out, as if it were not there.
    """
    terms: dict[tuple[Any, ...], tuple[Selector, float]] = {}
    for text, weight in contrast.items():
        selector = parse_selector(text)
        known, sum_ = terms.get(selector.meaning, (selector, 0.0))
        terms[selector.meaning] = known, sum_ + float(weight)
    largest = max((abs(float(weight)) for weight in contrast.values()), default=0.0)
    return {selector: weight for selector, weight in terms.values() if abs(weight) > ROUNDING * largest}


def weights_on(terms: Mapping[Selector, float], cells: Sequence[tuple[str, Mapping[str, object]]]) -> list[float]:
    """The weight that each cell has in a contrast, exactly 0 where its terms cancel there.

    Args:
        terms: selectors with their weights; the weight of each is shared by the cells that it speaks of.
        cells: arm and point of each, without seeds.
    """
    weights = [0.0] * len(cells)
    for selector, weight in terms.items():
        named = [place for place, (arm, factors) in enumerate(cells) if selector.matches(arm, factors)]
        for place in named:
            weights[place] += weight / len(named)
    largest = max(map(abs, terms.values()), default=0.0)
    return [weight if abs(weight) > ROUNDING * largest else 0.0 for weight in weights]


def says_nothing(claim: str) -> InputError:
    """The error for a contrast whose weights cancel on every cell: whatever the results, its value is 0."""
    return InputError(
        f"claim '{claim}' says nothing: the weights of its contrast cancel on every cell, so its value is 0 whatever "
        "the results; compare different cells"
    )


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that stand in no brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "[{") - (letter in "]}")
        if letter == separator and depth <= 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def value_text(value: Any) -> str:
    """One text for all spellings of a grid value: `110`, `'110'` and `110.0` agree, and so do `True` and `'true'`.

    A CSV file does not say what type a value had, so values are compared by this text. Nothing (None, NaN) is `null`.
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {value_text(one)}" for key, one in value.items()) + "}"
    if _is_missing(value) or not str(value).strip():
        return "null"
    text = str(value).strip()
    if text[:1] in ("[", "{"):
        return _list_text(text)
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


@cache
def _list_text(text: str) -> str:
    """A list or a mapping that is written as text, as people write it in a selector and Python in a table."""
    try:
        value = parse_yaml(text)
    except (yaml.YAMLError, InputError, ValueError):
        return text
    return value_text(_without_none(value)) if isinstance(value, list | dict) else text


def _without_none(value: Any) -> Any:
    """YAML reads Python's `None` as a text."""
    if isinstance(value, list):
        return [_without_none(one) for one in value]
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items()}
    return None if value == "None" else value


def _is_missing(value: Any) -> bool:
    """What pandas takes for nothing; what Python itself knows is told without it."""
    if value is None or isinstance(value, str | bool | int):
        return value is None
    if isinstance(value, float):
        return math.isnan(value)
    import pandas as pd

    return bool(pd.isna(value))

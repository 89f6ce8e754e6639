"""The points of a study: its grid, the factors that vary together, and what is left out."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.analysis.selectors import value_text
from ablate.errors import InputError, unknown

Values = Mapping[str, Sequence[Any]]
Exclusions = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Factors:
    """What varies beside the arms.

    Attributes:
        grid: factors that vary freely, with their values.
        zipped: factors that vary together: one position takes the values that stand at one place of all lists.
    """

    grid: dict[str, list[Any]]
    zipped: dict[str, list[Any]]

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Factors:
        """Those of a study's section.

        Raises:
            InputError: a value stands twice, lists that vary together differ in length, or a factor is in both.
        """
        grid, zipped = section["grid"], section["zip"]
        for factor, values in grid.items():
            if not values or any(value in values[:index] for index, value in enumerate(values)):
                raise InputError(f"study.grid.{factor}={values}: give at least one value, and each of them once")
        for factor in zipped:
            if factor in grid:
                raise InputError(f"{factor} is in study.grid and in study.zip; a factor varies in one of the two")
        _check_zip(zipped)
        return cls(dict(grid), dict(zipped))

    def points(self) -> list[dict[str, Any]]:
        """Every combination of the grid's values with every position of the zip: factor -> value."""
        # Without a zip one empty position, so that the product below is the grid's alone.
        positions = list(zip(*self.zipped.values(), strict=True)) if self.zipped else [()]
        names = [*self.grid, *self.zipped]
        return [
            dict(zip(names, (*values, *position), strict=True))
            for *values, position in itertools.product(*self.grid.values(), positions)
        ]

    @property
    def sizes(self) -> dict[str, int]:
        """How many values each factor of the grid has, and how many positions the zip."""
        positions = {"study.zip": len(next(iter(self.zipped.values())))} if self.zipped else {}
        return {**{factor: len(values) for factor, values in self.grid.items()}, **positions}

    @property
    def places(self) -> dict[str, str]:
        """Where each factor stands in the study's file, such as `study.grid.depth`."""
        return {
            **{name: f"study.grid.{name}" for name in self.grid},
            **{name: f"study.zip.{name}" for name in self.zipped},
        }

    def levels(self) -> dict[str, list[Any]]:
        """The values of each factor, each of them once."""
        # By text, since a value may be a list, which no set takes.
        once = {factor: list({value_text(v): v for v in values}.values()) for factor, values in self.zipped.items()}
        return {**self.grid, **once}

    def pinned(self, pins: Mapping[str, Any]) -> Factors:
        """The factors with what the user pinned: one value in the grid, the positions with that value in the zip.

        Raises:
            InputError: no position of the zip has the value, and other factors of it are not pinned.
        """
        grid = {factor: [pins[factor]] if factor in pins else values for factor, values in self.grid.items()}
        own = {factor: pins[factor] for factor in self.zipped if factor in pins}
        # All of it is pinned (or there is nothing to pin): a point of the user's own, which need not be a position.
        if len(own) == len(self.zipped):
            return Factors(grid, {factor: [value] for factor, value in own.items()})
        positions = [
            position
            for position in zip(*self.zipped.values(), strict=True)
            if all(_same(dict(zip(self.zipped, position, strict=True))[factor], value) for factor, value in own.items())
        ]
        if not positions:
            raise _no_position(self.zipped, own)
        return Factors(grid, dict(zip(self.zipped, map(list, zip(*positions, strict=True)), strict=True)))


def check_exclusions(exclusions: Exclusions, arms: Collection[str], levels: Values) -> None:
    """Hold `study.exclude` against the arms and factors that a study has.

    Raises:
        InputError: an entry is empty, or names an arm, factor or value that does not exist.
    """
    for entry in exclusions:
        where = f"(study.exclude, {_entry_text(entry)})"
        # An entry that says nothing holds everywhere (`all` of nothing), and would exclude the whole study.
        if not entry:
            raise InputError("study.exclude has an empty entry, which would leave nothing; name an arm or a factor")
        for key, value in entry.items():
            if key == "arm":
                if str(value) not in arms:
                    raise unknown("arm", str(value), arms, where)
            elif key not in levels:
                raise unknown("factor", str(key), ["arm", *levels], where)
            elif not any(_same(value, level) for level in levels[key]):
                raise unknown(f"value of {key}", str(value), map(value_text, levels[key]), where)


def is_excluded(exclusions: Exclusions, arm: str, factors: Mapping[str, Any]) -> bool:
    """Whether an entry of `study.exclude` names this arm at this point: all that it says holds there."""
    place = {"arm": arm, **factors}
    return any(all(key in place and _same(place[key], value) for key, value in entry.items()) for entry in exclusions)


def point_text(factors: Mapping[str, Any]) -> str:
    """A point as text, such as `depth=110,width=0.5`; empty where nothing varies."""
    return ",".join(f"{factor}={value_text(value)}" for factor, value in factors.items())


def _same(one: Any, other: Any) -> bool:
    # As text: in selectors and files a value has no type, and to Python 1, 1.0 and True are one.
    return value_text(one) == value_text(other)


def _check_zip(zipped: Values) -> None:
    lengths = {factor: len(values) for factor, values in zipped.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{factor} has {length}" for factor, length in lengths.items())
        raise InputError(f"study.zip takes one value of each list at a time, and their lengths differ: {listed}")
    positions = [point_text(dict(zip(zipped, values, strict=True))) for values in zip(*zipped.values(), strict=True)]
    if zipped and not positions:
        raise InputError(f"study.zip has no values for {', '.join(zipped)}; give at least one")
    for index, position in enumerate(positions):
        if position in positions[:index]:
            raise InputError(f"study.zip has {position} twice; give each position once")


def _no_position(zipped: Values, own: Mapping[str, Any]) -> InputError:
    positions = [point_text(dict(zip(zipped, values, strict=True))) for values in zip(*zipped.values(), strict=True)]
    free = ", ".join(factor for factor in zipped if factor not in own)
    return InputError(
        f"no position of study.zip has {point_text(own)}; positions: {'; '.join(positions)}; "
        f"for another one set {free} too"
    )


def _entry_text(entry: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in entry.items()) + "}"

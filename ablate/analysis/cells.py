"""The cells of a table of results as contrasts read them: labels, seeds, statuses and values, in one form."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ablate.analysis.selectors import Selector, parse_selector, value_text, values_of
from ablate.errors import InputError

Grid = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Cells:
    """The rows of a table of results, and what their labels stand for.

    Attributes:
        labels: of each row: its cell without the seed, as `arm@factor=value,...`.
        seeds: of each row.
        statuses: of each row; all `done` where the table has none.
        values: of each row, NaN where there is none.
        places: label -> arm, and the text of each factor.
    """

    labels: list[str]
    seeds: list[int]
    statuses: list[str]
    values: list[float]
    places: dict[str, tuple[str, dict[str, str]]]

    def matching(self, selector: Selector) -> list[str]:
        """The labels that a selector names; none where some arm or value that it names is nowhere in the table."""
        wanted = {name: set(values_of(value)) for name, value in selector.factors}
        arms = set(selector.arms)
        if not arms <= {arm for arm, _ in self.places.values()}:
            return []
        if any(not texts <= {at[name] for _, at in self.places.values()} for name, texts in wanted.items()):
            return []
        return [
            label
            for label, (arm, at) in self.places.items()
            if (not arms or arm in arms) and all(at[name] in texts for name, texts in wanted.items())
        ]

    def found(self, labels: Collection[str]) -> dict[tuple[str, int], tuple[str, float]]:
        """Status and value of the cells with these labels, by label and seed.

        Raises:
            InputError: one of them stands twice in the table.
        """
        found: dict[tuple[str, int], tuple[str, float]] = {}
        for label, seed, status, value in zip(self.labels, self.seeds, self.statuses, self.values, strict=True):
            if label in labels:
                if (label, seed) in found:
                    raise InputError(
                        f"the results have two rows for {label} seed {seed}; each cell stands once, and the columns of "
                        "grid factors stand between 'arm' and 'seed'"
                    )
                found[label, seed] = status, value
        return found


def cells_of(frame: pd.DataFrame, selectors: Iterable[Selector], metric: str) -> Cells:
    """The rows of a table, with factors as comparable text, and a metric.

    Raises:
        InputError: it lacks a column that is needed, an arm cannot be named, or a seed is no whole number.
    """
    named = [factor for selector in selectors for factor, _ in selector.factors]
    for column in ("arm", "seed", *named):
        if column not in frame.columns:
            raise no_column(column, frame)
    columns = [str(column) for column in frame.columns]
    between = columns[columns.index("arm") + 1 : columns.index("seed")]
    factors = [factor for factor in dict.fromkeys([*between, *named]) if factor != "cell"]
    arms = [str(arm) for arm in frame["arm"].tolist()]
    _refuse_grammar(dict.fromkeys(arms))
    places: dict[str, tuple[str, dict[str, str]]] = {}
    labels: list[str] = []
    known: dict[tuple[str, ...], str] = {}
    for place in zip(arms, *(_texts(frame[factor]) for factor in factors), strict=True):
        if place not in known:
            at = dict(zip(factors, place[1:], strict=True))
            known[place] = place[0] + ("@" + ",".join(f"{name}={text}" for name, text in at.items()) if at else "")
            places[known[place]] = place[0], at
        labels.append(known[place])
    statuses = [str(status) for status in frame["status"].tolist()] if "status" in columns else ["done"] * len(frame)
    numbers = pd.to_numeric(frame[metric], errors="coerce").tolist() if metric in columns else [math.nan] * len(frame)
    return Cells(labels, seeds_of(frame), statuses, [float(number) for number in numbers], places)


def _refuse_grammar(arms: Iterable[str]) -> None:
    """An arm whose name a selector reads as something else could be meant by none."""
    for arm in arms:
        try:
            named = parse_selector(arm).arms
        except InputError:
            named = []
        if named != [arm]:
            raise InputError(
                f"the results have an arm '{arm}', which no selector can name: '|', '@' and '*' mean something else "
                "there, and blanks at the ends do not count; rename it"
            )


def _texts(column: pd.Series) -> list[str]:
    """The values of a factor as comparable text, each of them read once; to Python 1 and true are one value."""
    values = [(type(value), value if isinstance(value, str | float | int) else str(value)) for value in column.tolist()]
    known = {(kind, value): value_text(_plain(kind, value)) for kind, value in dict.fromkeys(values)}
    return [known[one] for one in values]


def _plain(kind: type, value: object) -> object:
    return None if value in ("None", "<NA>", "NaT") and kind is not str else value


def no_column(column: str, frame: pd.DataFrame) -> InputError:
    """The error for a table that lacks a column."""
    return InputError(f"the results have no column '{column}'; columns: {', '.join(map(str, frame.columns))}")


def seeds_of(frame: pd.DataFrame) -> list[int]:
    """The seeds of a table's rows.

    Raises:
        InputError: one is no whole number.
    """
    return [seed if type(seed) is int else _seed_of(seed) for seed in frame["seed"].tolist()]


def _seed_of(value: Any) -> int:
    whole = value_text(value) if not isinstance(value, bool) else "no number"
    try:
        return int(whole)
    except ValueError:
        raise InputError(f"the results have a seed '{value}'; seeds are whole numbers, such as 0") from None


def levels_in_order(frame: pd.DataFrame, factor: str, grid: Grid | None) -> list[str]:
    """The values of a factor, by their text, in the order in which a trend goes over them.

    Numbers go by size, and false before true. Words, lists and null have no order of their own, so with one of them
    the values go in the order in which the study's grid lists them. Without a grid null, which is nothing, stands
    before all numbers.

    Raises:
        InputError: there is no such column, or the order of its values is not known.
    """
    if factor not in frame.columns:
        raise no_column(factor, frame)
    levels = list(dict.fromkeys(_texts(frame[factor])))
    if set(levels) <= {"false", "true"}:
        return sorted(levels)
    if all(map(_is_number, levels)):
        return sorted(levels, key=float)
    known = [value_text(value) for value in (grid or {}).get(factor, [])]
    if not known and all(level == "null" or _is_number(level) for level in levels):
        return sorted(levels, key=lambda level: -math.inf if level == "null" else float(level))
    if len(levels) > 1 and not set(levels) <= set(known):
        raise InputError(
            f"a trend over {factor} needs an order of its values ({', '.join(levels)}), and not all of them are "
            f"numbers: give the study's grid, as in judge(..., grid={{'{factor}': [...]}}), in whose order they count"
        )
    return [level for level in known if level in levels] or levels


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False

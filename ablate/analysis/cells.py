"""The cells of a table of results as contrasts read them: labels, seeds, statuses and values, in one form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ablate.analysis.selectors import Selector, parse_selector, value_text
from ablate.errors import InputError

Grid = Mapping[str, Sequence[Any]]


def cells_of(frame: pd.DataFrame, selectors: Iterable[Selector], metric: str) -> pd.DataFrame:
    """The table with factors as comparable text, a label for each cell without its seed, its status and its value."""
    named = [factor for selector in selectors for factor, _ in selector.factors]
    for column in ("arm", "seed", *named):
        if column not in frame.columns:
            raise no_column(column, frame)
    columns = [str(column) for column in frame.columns]
    factors = list(dict.fromkeys([*columns[columns.index("arm") + 1 : columns.index("seed")], *named]))
    factors = [factor for factor in factors if factor != "cell"]
    cells = pd.DataFrame({"arm": frame["arm"].astype(str), "seed": seeds_of(frame)})
    _refuse_grammar(cells["arm"].unique())
    label = cells["arm"]
    for position, factor in enumerate(factors):
        cells[f"@{factor}"] = pd.Series(_texts(frame[factor]), index=frame.index)
        label = label + ("," if position else "@") + factor + "=" + cells[f"@{factor}"]
    cells["label"] = label
    cells["status"] = frame["status"].astype(str) if "status" in columns else "done"
    cells["value"] = pd.to_numeric(frame[metric], errors="coerce") if metric in columns else np.nan
    return cells


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
    values = [(type(value), value if isinstance(value, str | float | int) else str(value)) for value in column]
    known = {(kind, value): value_text(_plain(kind, value)) for kind, value in dict.fromkeys(values)}
    return [known[one] for one in values]


def _plain(kind: type, value: object) -> object:
    return None if value in ("None", "<NA>", "NaT") and kind is not str else value


def no_column(column: str, frame: pd.DataFrame) -> InputError:
    """The error for a table that lacks a column."""
    return InputError(f"the results have no column '{column}'; columns: {', '.join(map(str, frame.columns))}")


def seeds_of(frame: pd.DataFrame) -> pd.Series:
    """The seeds of a table's rows.

    Raises:
        InputError: one is no whole number.
    """
    if pd.api.types.is_integer_dtype(frame["seed"]):
        return frame["seed"].astype(int)
    return pd.Series([_seed_of(value) for value in frame["seed"]], index=frame.index, dtype=int)


def _seed_of(value: Any) -> int:
    whole = value_text(value) if not isinstance(value, bool) else "no number"
    try:
        return int(whole)
    except ValueError:
        raise InputError(f"the results have a seed '{value}'; seeds are whole numbers, such as 0") from None


def levels_in_order(frame: pd.DataFrame, factor: str, grid: Grid | None) -> list[str]:
    """The values of a factor, by their text, in the order in which a trend goes over them.

    Numbers go by size, and false before true. Words, lists and null have no order of their own, so with one of them
    the values go in the order in which the study's grid lists them.

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
    if len(levels) > 1 and not set(levels) <= set(known):
        raise InputError(
            f"a trend over {factor} needs an order of its values ({', '.join(levels)}), and not all of them are "
            f"numbers: give the study's grid, as in judge(..., grid={{'{factor}': [...]}}), in whose order they count"
        )
    return [level for level in known if level in levels] or levels


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def refuse_duplicates(cells: pd.DataFrame) -> None:
    """Each cell stands once in a table.

    Raises:
        InputError: one stands twice.
    """
    twice = cells[cells.duplicated(["label", "seed"])]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(
            f"the results have two rows for {row['label']} seed {row['seed']}; "
            "each cell stands once, and the columns of grid factors stand between 'arm' and 'seed'"
        )

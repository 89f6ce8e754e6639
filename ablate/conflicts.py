"""What in a study cannot stand together: each is an error that says so, since one of the two would be lost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.config import settings_of
from ablate.errors import InputError
from ablate.identity import AROUND
from ablate.overrides import Typed, parse

if TYPE_CHECKING:
    from ablate.study import Cell

Arms = Mapping[str, Sequence[Typed]]


def is_around(key: str) -> bool:
    """Whether a key says how a study runs, and nothing of what is compared."""
    return re.split(r"[./@]", key)[0] in (*AROUND, "seed", "exp", "hydra")


def parse_own(owner: str, overrides: Sequence[str]) -> list[Typed]:
    """Read overrides of the study itself, such as an arm's.

    Raises:
        InputError: one of them is not an override, sets what is no part of a comparison, or what another one sets.
    """
    try:
        parsed = parse(overrides)
    except InputError as error:
        raise InputError(f"{owner}: {error}") from error
    owners: dict[str, str] = {}
    for override in parsed:
        if is_around(override.key):
            raise InputError(f"{owner} sets {override.text}, which is no part of what is compared")
        for key in override.leaves:
            if key in owners:
                raise InputError(f"{owner} sets {key} twice: {owners[key]} and {override.text}")
            owners[key] = override.text
    return parsed


def refuse_typed_arms(compared: Sequence[Typed], arms: Arms) -> None:
    """What an arm sets cannot be typed as well."""
    owners: dict[str, list[str]] = {}
    for arm, overrides in arms.items():
        for override in overrides:
            for key in override.leaves:
                owners.setdefault(key, []).append(f"{arm}: {override.text}")
    for override in compared:
        for key in override.leaves:
            if key in owners:
                raise InputError(
                    f"'{override.text}' names what the study's arms set ({'; '.join(owners[key])}); "
                    f"leave it out, change the arm with study.arms.NAME=[...], or drop it with ~study.arms.NAME"
                )


def refuse_bad_grid(grid: Mapping[str, Sequence[Any]], arms: Arms) -> None:
    """A factor of the grid has different values, and no arm sets it."""
    for factor, values in grid.items():
        if is_around(factor):
            raise InputError(f"study.grid.{factor} is no part of what is compared (seeds are in study.seeds)")
        if not values or any(value in values[:index] for index, value in enumerate(values)):
            raise InputError(f"study.grid.{factor}={values}: give at least one value, and each of them once")
        for arm, overrides in arms.items():
            for override in overrides:
                if factor in override.leaves:
                    raise InputError(f"arm '{arm}' sets {override.text}, and study.grid.{factor} sweeps it; drop one")


def refuse_overruled_preset(compared: Sequence[Typed], grid: Mapping[str, Any], arms: Arms) -> None:
    """A preset (arch) sets values by itself, and the study must not set each of its cells to others."""
    preset = next((o for o in compared if o.key == "arch" and o.value is not None), None)
    if preset is None or "arch" in grid:
        return
    pinned = {key for o in compared for key in o.leaves}
    for key, value in settings_of("arch", preset.value).items():
        if key in grid and key not in pinned:
            raise InputError(
                f"'{preset.text}' sets {key}={value}, and this study sweeps {key}; leave it out, or pin {key} too"
            )
        in_arms = [o.leaves[key] for overrides in arms.values() for o in overrides if key in o.leaves]
        if len(in_arms) == len(arms) and value not in in_arms:
            raise InputError(
                f"'{preset.text}' sets {key}={value}, and every arm of this study sets another; leave it out"
            )


def refuse_twins(cells: Sequence[Cell]) -> None:
    """Two arms with the same config would be compared with themselves."""
    seen: dict[str, Cell] = {}
    for cell in cells:
        twin = seen.setdefault(cell.id, cell)
        if twin is not cell:
            raise InputError(
                f"{_place(twin)} and {_place(cell)} have the same config: nothing to compare; "
                f"give one of them an override that changes something"
            )


def _place(cell: Cell) -> str:
    point = " ".join(f"{factor}={value}" for factor, value in cell.factors.items())
    return f"arm '{cell.arm}'{' at ' if point else ''}{point}"

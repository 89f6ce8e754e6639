"""How many cells a study may have: counted before they are made."""

from __future__ import annotations

import math
from collections.abc import Sized

from ablate.errors import InputError

MOST_CELLS = 20_000  # all of them are composed before the first is trained
MOST_LOOKS = 1000  # each of them tests every claim


def refuse_many_seeds(what: str, number: int) -> None:
    """Refuse a number of seeds that no study can have.

    Raises:
        InputError: it is larger than the number of cells that a study may have.
    """
    if number > MOST_CELLS:
        raise InputError(f"{what}={number}: a study has at most {MOST_CELLS:,} cells, one for each arm, point and seed")


def refuse_many_cells(arms: Sized, levels: dict[str, int], seeds: Sized) -> None:
    """Refuse a study of more cells than can be planned.

    Args:
        arms: of the study.
        levels: how many values each part of its points has, by the name of the part.
        seeds: of each arm at each point.

    Raises:
        InputError: there are more than `MOST_CELLS`; says how the number comes about.
    """
    cells = len(arms) * math.prod(levels.values()) * len(seeds)
    if cells > MOST_CELLS:
        parts = {
            "arms": len(arms),
            **{f"values of {name}": number for name, number in levels.items()},
            "seeds": len(seeds),
        }
        told = " x ".join(f"{number:,} {name}" for name, number in parts.items() if number > 1)
        raise InputError(f"{told} make {cells:,} cells; a study has at most {MOST_CELLS:,}")

"""Numbers of seeds at which a study may be looked at: without scipy, for those who only plan."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ablate.errors import InputError

LEAST_AT_A_LOOK = 3  # two values have a spread of one degree of freedom, by which nothing is decided


def refuse_looks(looks: Sequence[int]) -> None:
    """Several looks must be at whole numbers of seeds, rising, of which the first is not too small.

    Raises:
        InputError: they are not.
    """
    told = ", ".join(map(str, looks))
    if any(isinstance(one, bool) or not isinstance(one, int) for one in looks):
        raise InputError(f"looks at {told} seeds: these must be whole numbers")
    if len(looks) > 1 and looks[0] < LEAST_AT_A_LOOK:
        raise InputError(f"looks at {told} seeds: a look needs at least {LEAST_AT_A_LOOK} seeds")
    if any(later <= earlier for earlier, later in pairwise(looks)):
        raise InputError(f"looks at {told} seeds: these must rise")

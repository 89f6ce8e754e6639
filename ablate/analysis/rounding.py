"""When numbers differ by rounding alone: said once, for contrasts and for every test on their values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

OF_TERMS = 2.0**-50  # of the terms of a sum: eight times the rounding of one of them
RELATIVE = 1e-10  # of values whose terms are not known: the differences of 17/360 and the like are off by 1e-14


def rounding_of(terms: Iterable[float]) -> float:
    """By how much the sum of these terms may be off."""
    return OF_TERMS * math.fsum(map(abs, terms))


def settled(values: ArrayLike, errors: ArrayLike) -> NDArray[np.float64]:
    """The values, with those made equal in size that differ by rounding, and zero what is nothing else.

    Args:
        values: shape (n,); infinite ones stay as they are.
        errors: by how much each may be off.
    """
    given = np.asarray(values, dtype=np.float64)
    off = np.broadcast_to(np.asarray(errors, dtype=np.float64), given.shape)
    sizes = np.abs(given)
    sizes = np.where(sizes <= off, 0.0, sizes)
    finite = np.flatnonzero(np.isfinite(sizes))
    order = finite[np.argsort(sizes[finite], kind="stable")]
    for one, next_ in pairwise(order):
        if sizes[one] > 0 and sizes[next_] - sizes[one] <= off[one] + off[next_]:
            sizes[next_] = sizes[one]
    return np.asarray(np.copysign(sizes, given) + 0.0)

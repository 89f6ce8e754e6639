"""Seeds whose values lie far from the others, as where training collapses in some of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

COLLAPSE = 0.2  # chance of a collapse for which error rates are told

# The gap between two groups of values over the range of the larger group, which normal values exceed in 5 % of samples
# of three, 3 % of four, 2 % of five and six, and ever fewer beyond.
GAPS = {3: 30.0, 4: 8.0, 5: 6.0, 6: 3.5, 7: 3.0}
GAP_OF_MANY = 2.5


def apart(values: Sequence[float]) -> list[int]:
    """The places of values that lie far from the others: the smaller of two clusters; empty where there is but one.

    A mean of two clusters stands between them where no value is, and its interval, which takes the spread for that of
    one cluster, misses the truth far more often than it says. Fewer than three values have no clusters.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size < 3 or not np.all(np.isfinite(data)):
        return []
    order = np.argsort(data, kind="stable")
    gaps = np.diff(data[order])
    if not gaps.any():
        return []
    after = int(gaps.argmax()) + 1
    low, high = order[:after], order[after:]
    main, rest = (low, high) if len(low) >= len(high) else (high, low)
    # Of a coarse metric many values are equal: then the range is no less than the least step between two values.
    spread = max(float(np.ptp(data[main])), float(gaps[gaps > 0].min()))
    return sorted(rest.tolist()) if gaps.max() > GAPS.get(data.size, GAP_OF_MANY) * spread else []


def unseen(seeds: int, chance: float = COLLAPSE) -> float:
    """The chance that so many seeds show nothing of what befalls one with this chance."""
    return (1 - chance) ** seeds

"""Small result tables with known answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

GAP = {"post@depth=110": 1, "pre@depth=110": -1}


def results(cells: Mapping[tuple[str, int], Sequence[float]], metric: str = "train/loss") -> pd.DataFrame:
    """A table with the values of each (arm, depth), seeds counted from 0, all done."""
    rows = [
        {"cell": f"{arm}-{depth}-{seed}", "arm": arm, "depth": depth, "seed": seed, "status": "done", metric: value}
        for (arm, depth), values in cells.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def paired(differences: Sequence[float], metric: str = "train/loss") -> pd.DataFrame:
    """post and pre at depth 110, whose difference has these values."""
    pre = [0.5] * len(differences)
    return results({("post", 110): [a + b for a, b in zip(pre, differences, strict=True)], ("pre", 110): pre}, metric)


def with_status(frame: pd.DataFrame, arm: str, seeds: Sequence[int], status: str) -> pd.DataFrame:
    """The table with an arm's cells of these seeds ended otherwise, and so without a metric."""
    changed = frame.copy()
    rows = (changed["arm"] == arm) & changed["seed"].isin(seeds)
    changed.loc[rows, "status"] = status
    changed.loc[rows, [column for column in changed.columns if "/" in column]] = float("nan")
    return changed


def claim(**changes: Any) -> dict[str, Any]:
    """A claim that post's training loss is higher than pre's at depth 110, with these fields changed."""
    base = {"id": "gap", "metric": "train/loss", "contrast": GAP, "expect": "positive", "margin": 0.05}
    return {**base, **changes}

"""Tables and claims of every kind, drawn at random: sizes from 1e-9 to 1e9, ties, cells without a value or of 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

ARMS = ("a", "b", "c", "d", "e")
DEPTHS = (20, 56, 110)
NORMS = (None, "batch", "group")
PLANS = ((3, 5, 8), (6, 9, 12), (4, 6))
RNG = np.random.Generator


@dataclass(frozen=True)
class Drawn:
    """A table with claims about it, and how it is judged."""

    frame: pd.DataFrame
    claims: list[dict[str, Any]]
    looks: tuple[int, ...]
    grid: dict[str, list[Any]]


def draw(rng: RNG) -> Drawn:
    """A table of one to twelve seeds and up to five arms, with one to four claims."""
    arms = ARMS[: rng.integers(2, 6)]
    grid: dict[str, list[Any]] = {"depth": list(DEPTHS[: rng.integers(1, 4)])}
    if rng.random() < 0.15:
        grid["norm"] = list(NORMS)
    metric = str(rng.choice(["train/loss", "test/error", "test/accuracy", "seconds", "epochs_to/0.1", "params"]))
    frame, size = _table(rng, arms, grid, metric)
    claims = [_claim(rng, number, arms, grid, metric, size) for number in range(rng.integers(1, 5))]
    looks = PLANS[rng.integers(len(PLANS))] if rng.random() < 0.2 else ()
    return Drawn(frame.sample(frac=1, random_state=int(rng.integers(1000))), claims, looks, grid)


def _table(rng: RNG, arms: tuple[str, ...], grid: dict[str, list[Any]], metric: str) -> tuple[pd.DataFrame, float]:
    """The table, and the size of differences between its arms."""
    n = int(rng.integers(1, 13))
    scale = 1.0 if metric in ("test/error", "test/accuracy") else 10.0 ** rng.integers(-9, 10)
    spread = float(rng.choice([0.0, 0.01, 0.1, 0.5]))
    gap = float(rng.choice([0.0, 0.02, 0.1, 0.5]))
    chances = {"diverged": rng.choice([0, 0, 0.15]), "failed": rng.choice([0, 0, 0.1]), "pending": 0.02}
    rows = []
    for place, arm in enumerate(arms):
        for depth in grid["depth"]:
            for norm in grid.get("norm", [None]):
                level = 1 + gap * place * rng.choice([0, 1, 1]) + 0.1 * gap * grid["depth"].index(depth)
                for seed in range(n):
                    value = scale * abs(level + spread * _noise(rng)) * 0.2
                    status = next((name for name, chance in chances.items() if rng.random() < chance), "done")
                    rows.append((arm, depth, norm, seed, status, value if status == "done" else np.nan))
    frame = pd.DataFrame(rows, columns=["arm", "depth", "norm", "seed", "status", metric])
    frame = frame if "norm" in grid else frame.drop(columns="norm")
    coarse = rng.random() < 0.3 and scale == 1.0
    if coarse or metric == "params":
        frame[metric] = np.round(frame[metric] * (360 if coarse else 1e6)) / (360 if coarse else 1)
    if rng.random() < 0.15:
        frame.loc[rng.random(len(frame)) < 0.2, metric] *= 0.0
    return frame, 0.2 * scale * max(gap, spread, 0.01) * (1e6 if metric == "params" else 1)


def _noise(rng: RNG) -> float:
    return float(rng.normal() if rng.random() < 0.9 else rng.lognormal())


def _claim(
    rng: RNG, number: int, arms: tuple[str, ...], grid: dict[str, list[Any]], metric: str, size: float
) -> dict[str, Any]:
    kind = str(rng.choice(["pair", "pair", "ratio", "trend", "words", "threshold", "mean", "interaction"]))
    one: dict[str, Any] = {"id": f"{kind} {number}", "metric": metric, "contrast": {arms[0]: 1, arms[1]: -1}}
    if kind == "trend" and len(grid["depth"]) > 1:
        one |= {"contrast": {arms[0]: 1}, "trend": "depth"}
    elif kind == "words" and "norm" in grid:
        one |= {"contrast": {arms[0]: 1}, "trend": "norm"}
    elif kind == "threshold":
        one |= {"contrast": {arms[0]: 1}, "threshold": size * float(rng.choice([1, 2, 10]))}
    elif kind == "mean" and len(arms) > 2:
        one["contrast"] = {"|".join(arms[:-1]): 1, arms[-1]: -1}
    elif kind == "interaction" and len(grid["depth"]) > 1:
        low, high = grid["depth"][0], grid["depth"][-1]
        one["contrast"] = {
            f"{arm}@depth={depth}": sign * side
            for arm, sign in ((arms[0], 1), (arms[1], -1)) for depth, side in ((high, 1), (low, -1))
        }  # fmt: skip
    margin = float(rng.choice([0.0, 0.1, 0.5, 1.0, 3.0]) * size)
    expect = str(rng.choice(["positive", "negative", "zero"]))
    if rng.random() < 0.3 and kind != "threshold":
        one["scale"], margin = "ratio", float(rng.choice([0.0, 0.02, 0.1, 0.5, 2.0]))
    if rng.random() < 0.1:
        one["requires"] = [{"cells": arms[0], "metric": metric, "below": size * float(rng.choice([1, 5, 50]))}]
    least = 0.0 if expect != "zero" else 0.1 if "scale" in one else size
    return {**one, "expect": expect, "margin": margin or least}

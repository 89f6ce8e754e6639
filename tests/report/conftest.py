"""Made-up studies with plausible numbers, for every test of the report."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr, stdtrit

from ablate.interfaces.chart import ChartedTable
from ablate.report import write_report
from ablate.report.inputs import Inputs, gather

CLAIMS: list[dict[str, Any]] = [
    {
        "id": "pre_beats_post_when_deep",
        "says": "At depth 110 pre-activation reaches a lower training loss.",
        "metric": "train/loss",
        "contrast": {"post@depth=110": 1.0, "pre@depth=110": -1.0},
        "expect": "positive",
        "margin": 0.05,
        "paper": {"value": "6.61 -> 6.37 % test error, ResNet-110", "where": "Table 3"},
    },
    {
        "id": "gap_grows_with_depth",
        "says": "The advantage of pre-activation grows from depth 20 to depth 110.",
        "metric": "train/loss",
        "contrast": {"post@depth=110": 1.0, "pre@depth=110": -1.0, "post@depth=20": -1.0, "pre@depth=20": 1.0},
        "expect": "positive",
        "margin": 0.05,
        "paper": {"value": "", "where": ""},
    },
    {
        "id": "same_error_when_shallow",
        "says": "At depth 20 the two orders have the same test error.",
        "metric": "test/error",
        "contrast": {"post@depth=20": 1.0, "pre@depth=20": -1.0},
        "expect": "zero",
        "margin": 0.01,
        "paper": {"value": "8.75 vs 8.65 %", "where": "text"},
    },
]


@dataclass
class Fake:
    """The arguments of `write_report`, made up."""

    study: dict[str, Any]
    frame: pd.DataFrame
    history: pd.DataFrame
    verdicts: list[dict[str, Any]]

    def end(self, row: int, status: str, reason: str = "", after: int = 0) -> None:
        """Gives a cell another end than `done`: no metrics, and history only up to the epoch `after`."""
        metrics = ["train/loss", "train/error", "test/loss", "test/error"]
        self.frame.loc[row, ["status", "reason"]] = [status, reason]
        self.frame.loc[row, metrics] = float("nan")
        late = (self.history["cell"] == self.frame.loc[row, "cell"]) & (self.history["epoch"] > after)
        self.history = self.history[~late].reset_index(drop=True)

    def judge(self) -> None:
        """Computes the verdicts anew from the cells that there are."""
        self.verdicts = [fake_verdict(claim, self.frame) for claim in self.study["claims"]]

    def write(self, folder: Path, tables: Sequence[ChartedTable] = ()) -> list[Path]:
        return write_report(folder, self.study, self.frame, self.history, self.verdicts, tables)

    def gathered(self) -> Inputs:
        return gather(self.study, self.frame, self.history, self.verdicts)


def fake_study(
    arms: tuple[str, ...] = ("post", "pre"),
    grid: dict[str, list[Any]] | None = None,
    seeds: int = 6,
    epochs: int = 10,
    claims: list[dict[str, Any]] | None = None,
) -> Fake:
    """A study whose later arms train a little better, the more so the larger the first grid value."""
    grid = {"depth": [20, 56, 110]} if grid is None else grid
    rng = np.random.default_rng(0)
    cells, rows, epoch_rows = [], [], []
    for (k, arm), point, seed in itertools.product(enumerate(arms), itertools.product(*grid.values()), range(seeds)):
        place = dict(zip(grid, point, strict=True))
        size = float(point[0]) if point and isinstance(point[0], (int, float)) else 20.0
        name = "-".join([arm, *(f"{key}{value}" for key, value in place.items()), f"s{seed}", f"{len(cells):04x}"])
        cells.append({"id": name, "arm": arm, "factors": place, "seed": seed})
        head = {"cell": name, "arm": arm, **place, "seed": seed}
        floor = (0.05 + 0.0012 * size * (1.0 - 0.6 * min(k, 1)) + 0.02 * k) * math.exp(rng.normal(0, 0.12))
        curve = [_epoch(epoch, epochs, floor, rng) for epoch in range(1, epochs + 1)]
        epoch_rows += [{**head, **values} for values in curve]
        last = {key: value for key, value in curve[-1].items() if key not in ("epoch", "lr", "seconds")}
        cost = {"params": 855 * size + 40 * k, "flops": 2.04e5 * size, "seconds": 0.11 * size * epochs / 10}
        rows.append({**head, "status": "done", "reason": "", "reused_from": "", "stale": False, **last, **cost})
    claims = CLAIMS if claims is None else claims
    study = {
        "name": "preact_vs_postact",
        "question": "Does full pre-activation train deeper residual networks better than post-activation?",
        "source": 'He et al. 2016, "Identity Mappings in Deep Residual Networks", arXiv 1603.05027, Table 3',
        "scale": "quick",
        "command": "python -m ablate +exp=preact_vs_postact",
        "overrides": [],
        "arms": {arm: [f"order={arm}"] for arm in arms},
        "grid": grid,
        "seeds": list(range(seeds)),
        "claims": claims,
        "cells": cells,
        "versions": {"ablate": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
    }
    frame, history = pd.DataFrame(rows), pd.DataFrame(epoch_rows)
    return Fake(study, frame, history, [fake_verdict(claim, frame) for claim in claims])


def _epoch(epoch: int, epochs: int, floor: float, rng: np.random.Generator) -> dict[str, float]:
    loss = floor + 2.2 * math.exp(-4.5 * epoch / epochs) * math.exp(rng.normal(0, 0.05))
    error = min(0.9, 0.22 * loss)
    return {
        "epoch": epoch,
        "train/loss": loss,
        "train/error": error,
        "test/loss": loss * 1.15 + 0.02,
        "test/error": round(360 * (error * 1.1 + 0.008)) / 360,
        "lr": 0.1,
        "seconds": 0.3,
    }


def fake_verdict(claim: dict[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """A paired t test of a claim's contrast, in the plain form of a verdict."""
    terms = [w * _cells(frame, s).set_index("seed")[claim["metric"]] for s, w in claim["contrast"].items()]
    values = sum(terms[1:], terms[0]).dropna()
    n = len(values)
    known = {**claim, "n": n, "seeds": values.index.tolist(), "values": {str(k): float(v) for k, v in values.items()}}
    rest = {"test": "paired t", "disagreement": False, "diverged": [], "missing": [], "seeds_needed": None, "notes": []}
    if n < 2:
        return {**known, **rest, "verdict": None, "effect": None, "low": None, "high": None, "p": None, "sentence": "",
                "notes": [f"A test needs two paired seeds; there {'is' if n == 1 else 'are'} {n}."]}  # fmt: skip
    mean, sd = float(values.mean()), float(values.std())
    half = float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n)
    p = 2 * float(stdtr(n - 1, -abs(mean) / (sd / math.sqrt(n)))) if sd else 1.0
    word = _word(claim, mean, mean - half, mean + half)
    return {
        **known, **rest, "verdict": word, "effect": mean, "low": mean - half, "high": mean + half, "sd": sd, "p": p,
        "p_holm": min(1.0, 3 * p), "p_signflip": max(p, 2 / 2**n), "d": mean / sd if sd else None,
        "seeds_needed": 14 if word == "inconclusive" else None,
        "sentence": f"Over {n} paired seeds the contrast is {mean:+.3f} on average, which makes the claim {word}.",
    }  # fmt: skip


def _word(claim: dict[str, Any], mean: float, low: float, high: float) -> str:
    inside = -claim["margin"] <= low and high <= claim["margin"]
    if claim["expect"] == "zero":
        return "supported" if inside else "inconclusive"
    return "equivalent" if inside else "supported" if low > 0 and mean >= claim["margin"] else "inconclusive"


def _cells(frame: pd.DataFrame, selector: str) -> pd.DataFrame:
    arm, _, where = selector.partition("@")
    chosen = frame[frame["arm"] == arm]
    for pair in filter(None, where.split(",")):
        name, _, value = pair.partition("=")
        chosen = chosen[chosen[name].astype(str) == value]
    return chosen


@pytest.fixture
def make() -> Callable[..., Fake]:
    return fake_study


@pytest.fixture
def fake() -> Fake:
    """Two arms, three depths, six seeds, three claims; one diverged, one failed, one pending cell."""
    made = fake_study()
    made.end(15, "diverged", "training loss is NaN at epoch 4", after=3)
    made.end(32, "failed", "out of memory")
    made.end(35, "pending")
    made.judge()
    made.verdicts[0]["diverged"] = ["post@depth=110 seed 3"]
    return made


@pytest.fixture
def small() -> Fake:
    """No grid, no claims, one metric: two charts, soon drawn."""
    made = fake_study(grid={}, seeds=2, epochs=2, claims=[])
    made.frame = made.frame.drop(columns=["train/loss", "train/error", "test/loss"])
    made.history = made.history.drop(columns=["train/loss", "train/error", "test/loss"])
    return made


@pytest.fixture(scope="session")
def finished() -> Fake:
    """Every cell done; not to be changed by a test."""
    return fake_study()


@pytest.fixture(scope="session")
def report(finished: Fake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report of the finished study."""
    folder = tmp_path_factory.mktemp("report") / "preact_vs_postact"
    finished.write(folder)
    return folder

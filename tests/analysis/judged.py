"""Studies drawn with known truth, of any kind of claim, judged one by one by `judge` itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablate.analysis import Verdict, judge

Array = NDArray[np.float64]
Arms = Mapping[str, Array]
Draw = Callable[[np.random.Generator, int], Arms]

COLLAPSE = 0.2  # the part of seeds in which an arm that collapses does
FAILED_TRAINING = 4.0  # what the metric then is, where it is about 1 else
FIVE = ("a", "b", "c", "d", "e")
MEAN_AGAINST_ONE = {"a|b|c|d": 1.0, "e": -1.0}
PAIR = {"a": 1.0, "b": -1.0}


@dataclass(frozen=True)
class Case:
    """A kind of study whose truth is known.

    Attributes:
        name: of its line in the documentation.
        draw: values of each arm, NaN for a diverged cell.
        claims: what is claimed.
        false: the verdicts that are false of any of them.
        told: what a caution says beside each false verdict (a pattern), where there are more of them than 5 %.
    """

    name: str
    draw: Draw
    claims: Sequence[Mapping[str, Any]]
    false: tuple[str, ...]
    told: str = ""


def claims_of(contrast: Mapping[str, float] | Sequence[Mapping[str, float]], **fields: Any) -> list[dict[str, Any]]:
    """A claim for each contrast, with these fields in common."""
    contrasts = [contrast] if isinstance(contrast, Mapping) else contrast
    common = {"metric": "train/loss", "expect": "positive", "margin": 0.0, **fields}
    return [{"id": f"claim {place}", "contrast": one, **common} for place, one in enumerate(contrasts)]


def lognormal(rng: np.random.Generator, n: int) -> Arms:
    """Five arms alike."""
    return {arm: rng.lognormal(size=n) for arm in FIVE}


def collapsing(rng: np.random.Generator, n: int) -> Arms:
    """Five arms alike, each of which collapses in a fifth of its seeds."""
    return {arm: _collapsed(rng, rng.normal(1.0, 0.1, n)) for arm in FIVE}


def diverging(rng: np.random.Generator, n: int) -> Arms:
    """Five arms alike, each of which diverges in a fifth of its seeds."""
    return {arm: np.where(rng.random(n) < COLLAPSE, np.nan, rng.lognormal(size=n)) for arm in FIVE}


def perfect(rng: np.random.Generator, n: int) -> Arms:
    """Two arms alike with few errors among 360 images: none in a fifth of cells."""
    return {arm: rng.poisson(1.6, n) / 360 for arm in ("a", "b")}


def five_pairs(gap: float, collapse: float = 0.0) -> Draw:
    """Five pairs of arms whose means differ by `gap`, to which come collapses of one arm in a part of the seeds."""

    def draw(rng: np.random.Generator, n: int) -> Arms:
        arms: dict[str, Array] = {}
        for k in range(5):
            first = rng.normal(1.0 + gap, 0.1, n)
            arms[f"a{k}"] = np.where(rng.random(n) < collapse, FAILED_TRAINING, first)
            arms[f"b{k}"] = rng.normal(1.0, 0.1, n)
        return arms

    return draw


def one_collapsing(rng: np.random.Generator, n: int) -> Arms:
    """Two arms of which one collapses in a fifth of the seeds."""
    return {"a": _collapsed(rng, rng.normal(1.0, 0.1, n)), "b": rng.normal(1.0, 0.1, n)}


def _collapsed(rng: np.random.Generator, values: Array) -> Array:
    return np.where(rng.random(len(values)) < COLLAPSE, rng.normal(FAILED_TRAINING, 0.3, len(values)), values)


def table(arms: Arms, metric: str = "train/loss") -> pd.DataFrame:
    """The results of a study; a cell without a value has diverged."""
    values = np.concatenate(list(arms.values()))
    counts = [len(one) for one in arms.values()]
    return pd.DataFrame(
        {
            "arm": np.repeat(list(arms), counts),
            "seed": np.concatenate([np.arange(count) for count in counts]),
            "status": np.where(np.isnan(values), "diverged", "done"),
            metric: values,
        }
    )


def judged(case: Case, n: int, studies: int, looks: tuple[int, ...] = ()) -> Iterator[list[Verdict]]:
    """The verdicts of so many studies."""
    rng = np.random.default_rng(n)
    metric = case.claims[0]["metric"]
    for _ in range(studies):
        yield judge(table(case.draw(rng, n), metric), case.claims, looks=looks)


def false_rate(case: Case, n: int, studies: int, looks: tuple[int, ...] = ()) -> float:
    """The part of studies of which any claim has a false verdict."""
    return float(np.mean([any(v.verdict in case.false for v in study) for study in judged(case, n, studies, looks)]))


def missed(n: int, studies: int, looks: tuple[int, ...] = ()) -> float:
    """The part of intervals that miss the truth where one of two arms collapses in a fifth of the seeds."""
    case = Case("", one_collapsing, claims_of(PAIR, margin=0.1), ())
    found = [study[0] for study in judged(case, n, studies, looks)]
    return float(np.mean([not (v.low or 0.0) < GAP_BY_COLLAPSE < (v.high or 0.0) for v in found]))


FIVE_PAIRS = [{f"a{k}": 1.0, f"b{k}": -1.0} for k in range(5)]
DIFFERENT = ("supported", "contradicted")
LOGNORMAL_MEAN = float(np.exp(0.5))
GAP_BY_COLLAPSE = COLLAPSE * (FAILED_TRAINING - 1.0)
COLLAPSING_MEAN = 1.0 + GAP_BY_COLLAPSE

CASES = (
    Case("two arms alike that collapse in a fifth of seeds", collapsing, claims_of(PAIR), DIFFERENT),
    Case("two arms alike that diverge in a fifth of seeds", diverging, claims_of(PAIR), DIFFERENT),
    Case("four arms against a fifth, all lognormal alike", lognormal, claims_of(MEAN_AGAINST_ONE), DIFFERENT),
    Case("four arms against a fifth, all collapse alike", collapsing, claims_of(MEAN_AGAINST_ONE), DIFFERENT),
    Case("four arms against a fifth, all diverge alike", diverging, claims_of(MEAN_AGAINST_ONE), DIFFERENT),
    Case(
        "ratio of two arms alike, a fifth of cells without an error", perfect,
        claims_of(PAIR, metric="test/error", scale="ratio"), DIFFERENT,
    ),
    Case(
        "five claims of a sign, differences at the margin", five_pairs(0.1),
        claims_of(FIVE_PAIRS, margin=0.1), ("equivalent", "contradicted"), "shown for this claim by itself",
    ),
    Case(
        "five claims of zero, differences at the margin", five_pairs(0.1),
        claims_of(FIVE_PAIRS, margin=0.1, expect="zero"), DIFFERENT,
    ),
    Case(
        "a lognormal arm against a threshold at its mean", lognormal,
        claims_of({"a": 1.0}, threshold=LOGNORMAL_MEAN), DIFFERENT, "Held against a threshold",
    ),
    Case(
        "an arm that collapses in a fifth of seeds against a threshold at its mean", collapsing,
        claims_of({"a": 1.0}, threshold=COLLAPSING_MEAN), DIFFERENT, "Held against a threshold",
    ),
    Case(
        "five claims of zero, in each of which one arm collapses in a fifth of seeds", five_pairs(0.0, COLLAPSE),
        claims_of(FIVE_PAIRS, margin=0.2, expect="zero"), ("supported",), "a collapse of training|Two clusters",
    ),
)  # fmt: skip

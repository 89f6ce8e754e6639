"""The figures of one claim, at one look: effect, interval and p values, before Holm and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ablate.analysis.contrast import Contrast, ContrastValues
from ablate.analysis.gate_wording import why_not_tested
from ablate.analysis.gates import read_gates
from ablate.analysis.metrics import STATIC
from ablate.analysis.rule import Criterion
from ablate.analysis.sequential import Look
from ablate.analysis.statistics import (
    SIGN_FLIP_MOST,
    difference_p,
    equivalence_p,
    paired_t,
    sign_flip_p,
    signed_rank_p,
)
from ablate.analysis.verdict import EXACT, NOT_TESTED, SIGNED_RANK, Verdict
from ablate.config.schema import Claim
from ablate.errors import nearest


@dataclass(frozen=True)
class Finding:
    """What one look shows of one claim.

    Attributes:
        figures: the verdict's figures, without Holm, verdict and words.
        effect: on the scale that is tested: of logarithms for a ratio; NaN where there is none.
        p: the p that goes into Holm, adjusted over the looks; NaN where nothing was tested.
        is_whole: no cell of this look is still to come.
    """

    figures: Verdict
    effect: float = math.nan
    p: float = math.nan
    is_whole: bool = True

    @property
    def is_tested(self) -> bool:
        """Whether the claim is one of those over which Holm adjusts."""
        return not math.isnan(self.p)


def tested_margin(claim: Claim | Verdict) -> float:
    """The margin on the scale that is tested: log(1 + margin) for a ratio."""
    return math.log1p(claim.margin) if claim.scale == "ratio" else float(claim.margin)


def gather(frame: pd.DataFrame, measured: Contrast, look: Look, seeds: Sequence[int] | None, alpha: float) -> Finding:
    """The figures of a claim at a look, from these seeds, or from all that the table has (None)."""
    claim = measured.claim
    verdict, found = Verdict.of(claim), measured.of(seeds)
    if reason := _why_untested(frame, claim, found):
        return Finding(verdict.replace(sentence=f"Not tested: {reason}.", missing=found.missing))
    verdict = verdict.replace(
        verdict="inconclusive",
        gates=read_gates(frame, claim.requires, seeds),
        level=look.level(alpha),
        n=len(found.values),
        seeds=list(found.values),
        values={seed: _told(claim, value) for seed, value in found.values.items()},
        diverged=found.diverged,
        missing=found.missing,
        looks=list(look.looks) if look.is_one_of_many else [],
        look=look.seeds if look.is_one_of_many else None,
    )
    values = list(found.values.values())
    if claim.metric in STATIC:
        finding = _exact(verdict, claim, values)
    elif found.diverged:
        finding = _ranked(verdict, claim, values, look)
    else:
        finding = _averaged(verdict, claim, values, look, alpha)
    return _gated(replace(finding, is_whole=claim.metric in STATIC or found.to_come == 0))


def _gated(finding: Finding) -> Finding:
    """The finding, taken out of the test where a gate of the claim fails; its figures stay, for people to look at."""
    verdict = finding.figures
    if not verdict.n or not (reason := why_not_tested(verdict.gates)):
        return finding
    # Open as long as cells of this look are to come: they may bring a mean back to the right side.
    untested = verdict.replace(
        verdict=NOT_TESTED,
        sentence=f"Not tested: {reason}.",
        look=verdict.look if finding.is_whole else None,
        open=not finding.is_whole,
        p=None,
        p_signflip=None,
        p_equivalence=None,
        disagreement=False,
    )
    return replace(finding, figures=untested, p=math.nan)


def _why_untested(frame: pd.DataFrame, claim: Claim, found: ContrastValues) -> str:
    if found.absent:
        return f"this run has no cells of {', '.join(found.absent)}"
    done = frame["status"].eq("done").any() if "status" in frame.columns else True
    if claim.metric in frame.columns or not done:
        return ""
    near = nearest(claim.metric, [str(column) for column in frame.columns])
    return f"no cell recorded {claim.metric}" + (f"; the nearest is {near}" if near else "")


def _exact(verdict: Verdict, claim: Claim, values: list[float]) -> Finding:
    """A metric of the network itself: one value, without chance, seeds or a test."""
    if not values:
        return Finding(verdict.replace(test=EXACT))
    told = _told(claim, values[0])
    first = dict(list(verdict.values.items())[:1])
    figures = verdict.replace(
        test=EXACT, effect=told, low=told, high=told, n=1, values=first, seeds=list(first), looks=[], look=None
    )
    return Finding(figures, values[0])


def _averaged(verdict: Verdict, claim: Claim, values: list[float], look: Look, alpha: float) -> Finding:
    """Figures by the paired t test."""
    t = paired_t(values, verdict.level)
    criterion = Criterion(claim.expect, tested_margin(claim))
    p_tested = float(look.adjusted(difference_p(t.effect, t.sd, t.n, criterion.tested_margin)))
    p = _or_none(t.p)
    p_signflip = _or_none(sign_flip_p(values)) if 2 <= t.n <= SIGN_FLIP_MOST else None
    figures = verdict.replace(
        effect=_if_finite(claim, t.effect),
        low=_if_finite(claim, t.low),
        high=_if_finite(claim, t.high),
        sd=_or_none(t.sd),
        d=_or_none(t.effect / t.sd) if t.sd > 0 else None,
        p=p,
        p_signflip=p_signflip,
        p_equivalence=_or_none(look.adjusted_one_sided(equivalence_p(t.effect, t.sd, t.n, criterion.margin))),
        disagreement=p is not None and p_signflip is not None and (p < alpha) != (p_signflip < alpha),
    )
    return Finding(figures, float(t.effect), p_tested)


def _ranked(verdict: Verdict, claim: Claim, values: list[float], look: Look) -> Finding:
    """Figures by the signed-rank test, for values some of which are infinite or ties of diverged cells."""
    median = _median(sorted(values))
    verdict = verdict.replace(effect=None if median is None else _told(claim, median), test=SIGNED_RANK)
    if len(values) < 2:
        return Finding(verdict)
    criterion = Criterion(claim.expect, tested_margin(claim))
    p_tested = float(look.adjusted(signed_rank_p(values, criterion.tested_margin)))
    return Finding(verdict.replace(p=signed_rank_p(values)), math.nan if median is None else median, p_tested)


def _median(ordered: list[float]) -> float | None:
    """The median; None where it would lie between minus and plus infinity, or there are no values."""
    if not ordered:
        return None
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return None if low == -math.inf and high == math.inf else (low + high) / 2


def _told(claim: Claim, value: float) -> float:
    """A value of the tested scale as it is told: a ratio's logarithm as relative change."""
    return math.expm1(value) if claim.scale == "ratio" else value


def _if_finite(claim: Claim, value: Any) -> float | None:
    number = _or_none(value)
    return None if number is None else _told(claim, number)


def _or_none(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number

"""The figures of one claim, at one look: effect, interval and p values, before Holm and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ablate.analysis.clusters import apart
from ablate.analysis.contrast import Contrast, ContrastValues
from ablate.analysis.gate_wording import why_not_tested
from ablate.analysis.gates import read_gates
from ablate.analysis.metrics import STATIC
from ablate.analysis.permutation import Uneven, balancing_shift
from ablate.analysis.ranks import pseudomedian, signed_rank
from ablate.analysis.rule import Criterion
from ablate.analysis.sequential import Look
from ablate.analysis.statistics import (
    SIGN_FLIP_MOST,
    difference_p,
    equivalence_p,
    paired_t,
    sign_flip_p,
)
from ablate.analysis.verdict import EXACT, NOT_TESTED, PAIRED_T, PERMUTED_RANK, PERMUTED_T, SIGNED_RANK, Verdict
from ablate.config.schema import Claim
from ablate.errors import nearest


@dataclass(frozen=True)
class Finding:
    """What one look shows of one claim.

    Attributes:
        figures: the verdict's figures, without Holm, verdict and words.
        effect: on the scale that is tested: of logarithms for a ratio; NaN where there is none.
        p: the p that goes into Holm, adjusted over the looks; NaN where nothing was tested.
        p_equivalence: likewise, one-sided, of no difference that matters; NaN where ranks decide.
        p_signflip: of the hypothesis of `p`; that p itself where there is no sign-flip.
        direction: 1 or -1, the side of zero on which the test lies; 0 for neither.
        is_whole: no cell of this look is still to come.
        taken: the number of seeds that were looked at.
        before: numbers of seeds at which the claim was judged outside of planned looks.
    """

    figures: Verdict
    effect: float = math.nan
    p: float = math.nan
    p_equivalence: float = math.nan
    p_signflip: float = math.nan
    direction: int = 0
    is_whole: bool = True
    taken: int = 0
    before: tuple[int, ...] = ()

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
        perfect=found.perfect,
        missing=found.missing,
        looks=list(look.looks) if look.is_one_of_many else [],
        look=look.seeds if look.is_one_of_many else None,
    )
    if claim.metric in STATIC:
        finding = _exact(verdict, claim, list(found.values.values()))
    else:
        layout = measured.layout
        cells = Uneven(measured.table(found, layout), layout.weights) if layout and not layout.is_even else None
        test = _ranked if found.diverged or found.perfect else _averaged
        finding = test(verdict, claim, list(found.values.values()), look, cells)
    return _gated(replace(finding, is_whole=claim.metric in STATIC or found.to_come == 0, taken=found.taken))


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


def _averaged(verdict: Verdict, claim: Claim, values: list[float], look: Look, cells: Uneven | None) -> Finding:
    """Figures by the paired t test; of an uneven contrast the larger p of that and of arms that change places."""
    t = paired_t(values, verdict.level)
    criterion = Criterion(claim.expect, tested_margin(claim))
    margin, p = criterion.tested_margin, float(t.p)
    p_difference = float(difference_p(t.effect, t.sd, t.n, margin))
    p_equivalence = float(equivalence_p(t.effect, t.sd, t.n, criterion.margin))
    if cells is not None and t.n > 1:
        p = max(p, cells.difference_p(0.0))
        p_difference = max(p_difference, cells.difference_p(margin))
        p_equivalence = max(p_equivalence, cells.equivalence_p(criterion.margin))
    p_difference = float(look.adjusted(p_difference))
    p_equivalence = float(look.adjusted_one_sided(p_equivalence))
    has_flip = cells is None and 2 <= t.n <= SIGN_FLIP_MOST
    figures = verdict.replace(
        effect=_if_finite(claim, t.effect),
        low=_if_finite(claim, t.low),
        high=_if_finite(claim, t.high),
        sd=_or_none(t.sd),
        d=_or_none(t.effect / t.sd) if t.sd > 0 else None,
        p=_or_none(p),
        p_signflip=_or_none(sign_flip_p(values)) if has_flip else None,
        p_equivalence=_or_none(p_equivalence),
        test=PAIRED_T if cells is None else PERMUTED_T,
        apart=[verdict.seeds[place] for place in apart(values)],
    )
    flip = float(look.adjusted(_sign_flip_beyond(values, margin))) if has_flip else p_difference
    effect = float(t.effect)
    return Finding(figures, effect, p_difference, p_equivalence, flip, _sign(effect))


def _sign_flip_beyond(values: list[float], margin: float) -> float:
    """The exact sign-flip p of a mean within ±margin, held against its near end."""
    mean = math.fsum(values) / len(values)
    if abs(mean) <= margin:
        return float(sign_flip_p(values)) if margin == 0 else 1.0
    return float(sign_flip_p([value - math.copysign(margin, mean) for value in values]))


def _ranked(verdict: Verdict, claim: Claim, values: list[float], look: Look, cells: Uneven | None) -> Finding:
    """Figures by ranks, for values some of which are infinite or ties of diverged cells."""
    margin = Criterion(claim.expect, tested_margin(claim)).tested_margin
    if cells is None:
        effect, sides = pseudomedian(values), np.sign(values)
    else:
        effect = balancing_shift(cells.values, cells.weights) if values else None
        sides = np.sign(np.round(cells.rank_contrasts(), 9))
    figures = verdict.replace(
        effect=None if effect is None else _told(claim, effect),
        test=SIGNED_RANK if cells is None else PERMUTED_RANK,
        above=int(np.sum(sides > 0)),
        below=int(np.sum(sides < 0)),
    )
    size = math.nan if effect is None else effect
    if len(values) < 2:
        return Finding(figures, size)
    zero, tested = (signed_rank(values, m) if cells is None else cells.ranked(m) for m in (0.0, margin))
    p = float(look.adjusted(tested.p))
    return Finding(figures.replace(p=zero.p), size, p, p_signflip=p, direction=zero.direction)


def _sign(effect: float) -> int:
    return int(effect > 0) - int(effect < 0)


def _told(claim: Claim, value: float) -> float:
    """A value of the tested scale as it is told: a ratio's logarithm as relative change."""
    if claim.scale != "ratio":
        return value
    return math.expm1(value) if value < 700 else math.inf  # beyond 1e304


def _if_finite(claim: Claim, value: Any) -> float | None:
    number = _or_none(value)
    return None if number is None else _told(claim, number)


def _or_none(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number

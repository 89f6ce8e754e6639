"""Verdicts: what the results of a study say on each of its claims."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ablate.analysis.claims import ClaimLike, as_claim
from ablate.analysis.contrast import ContrastValues, contrast_values
from ablate.analysis.power import seeds_to_decide
from ablate.analysis.rule import Criterion, decide
from ablate.analysis.statistics import (
    ALPHA,
    SIGN_FLIP_MOST,
    difference_p,
    equivalence_p,
    holm,
    paired_t,
    sign_flip_p,
    signed_rank_p,
)
from ablate.analysis.wording import notes_of, sentence_of
from ablate.errors import nearest
from ablate.schema import Claim


@dataclass(frozen=True)
class Verdict:
    """What the evidence says on one claim.

    Attributes:
        verdict: `supported`, `contradicted`, `equivalent` or `inconclusive`; None where the claim was not tested.
        effect: mean of the paired values; their median under the signed-rank test; infinite where that is.
        low: lower end of the interval of the effect, 95 % at alpha 0.05; None for one seed or diverged cells.
        high: its upper end.
        sd: standard deviation of the paired values.
        d: the standardised effect, effect / sd.
        n: number of paired values.
        seeds: their seeds.
        values: the contrast by seed; infinite where diverged cells decide it.
        p: two-sided p of a zero effect, by `test`.
        p_holm: the p that decides, adjusted over the study's tested claims: of a zero effect, or for `expect: zero` of
            an effect within ±margin.
        p_signflip: exact sign-flip p of a zero effect, for at most 12 seeds without diverged cells.
        p_equivalence: p of an effect outside ±margin (two one-sided tests); below alpha / 2 the interval lies inside.
        test: `paired t`, or `signed rank` where a cell diverged.
        disagreement: the t test and the sign-flip lie on different sides of alpha.
        diverged: the diverged cells among those of the claim.
        missing: cells without a value, with the reason; their seeds are not used.
        seeds_needed: seeds that would probably decide an inconclusive claim (`seeds_to_decide`).
        sentence: the verdict for a reader who knows no statistics.
        notes: cautions.
    """

    id: str
    says: str
    metric: str
    contrast: dict[str, float]
    expect: str
    margin: float
    paper: dict[str, str]
    verdict: str | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    d: float | None = None
    n: int = 0
    seeds: list[int] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)
    p: float | None = None
    p_holm: float | None = None
    p_signflip: float | None = None
    p_equivalence: float | None = None
    test: str = "paired t"
    disagreement: bool = False
    diverged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    seeds_needed: int | None = None
    sentence: str = ""
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON can hold them: what is not finite becomes None."""
        plain: dict[str, Any] = _finite(dataclasses.asdict(self))
        return plain


def judge(frame: pd.DataFrame, claims: Sequence[ClaimLike], *, alpha: float = ALPHA) -> list[Verdict]:
    """A verdict on each claim, by one rule for all (`ablate.analysis.rule.decide`).

    Each seed gives one value of the contrast. The paired t test decides, with Holm's adjustment over the claims that
    could be tested; the exact sign-flip stands beside it. Where a needed cell diverged, its value ranks as worst and
    the exact signed-rank test takes the place of the t test: it can show a difference, and never that there is none.
    Cells that failed or are pending are listed, and their seeds are left out.

    Args:
        frame: results, one row a cell (see `contrast_values`).
        claims: the study's claims. Those that name cells which this run has not, or a metric that no finished cell
            recorded, get the verdict None.
        alpha: level of the study, and of the intervals (1 - alpha).

    Raises:
        InputError: a selector cannot be read, or names a factor that the results have no column for.
    """
    read = [as_claim(claim) for claim in claims]
    measured = [_measure(frame, claim, alpha) for claim in read]
    tested = [i for i, (_, p) in enumerate(measured) if not math.isnan(p)]
    adjusted = dict(zip(tested, holm([measured[i][1] for i in tested]).tolist(), strict=True))
    return [_conclude(v, adjusted.get(i), len(tested), alpha) for i, (v, _) in enumerate(measured)]


def _measure(frame: pd.DataFrame, claim: Claim, alpha: float) -> tuple[Verdict, float]:
    """The figures of one claim, and the p that goes into Holm (NaN where it could not be tested)."""
    paper = {"value": claim.paper.value, "where": claim.paper.where}
    contrast = {text: float(weight) for text, weight in claim.contrast.items()}
    verdict = Verdict(claim.id, claim.says, claim.metric, contrast, claim.expect, float(claim.margin), paper)
    found = contrast_values(frame, claim)
    reason = _why_untested(frame, claim, found)
    if reason:
        return dataclasses.replace(verdict, sentence=f"Not tested: {reason}.", missing=found.missing), math.nan
    verdict = dataclasses.replace(
        verdict,
        verdict="inconclusive",
        n=len(found.values),
        seeds=list(found.values),
        values=found.values,
        diverged=found.diverged,
        missing=found.missing,
    )
    return _ranked(verdict) if found.diverged else _averaged(verdict, alpha)


def _why_untested(frame: pd.DataFrame, claim: Claim, found: ContrastValues) -> str:
    if found.absent:
        return f"this run has no cells of {', '.join(found.absent)}"
    done = frame["status"].eq("done").any() if "status" in frame.columns else True
    if claim.metric in frame.columns or not done:
        return ""
    near = nearest(claim.metric, [str(column) for column in frame.columns])
    return f"no cell recorded {claim.metric}" + (f"; the nearest is {near}" if near else "")


def _averaged(verdict: Verdict, alpha: float) -> tuple[Verdict, float]:
    """Figures by the paired t test."""
    values = list(verdict.values.values())
    t = paired_t(values, alpha)
    tested_margin = Criterion(verdict.expect, verdict.margin).tested_margin
    p_tested = float(difference_p(t.effect, t.sd, t.n, tested_margin))
    p = _or_none(t.p)
    p_signflip = _or_none(sign_flip_p(values)) if 2 <= t.n <= SIGN_FLIP_MOST else None
    figures = dataclasses.replace(
        verdict,
        effect=_or_none(t.effect),
        low=_or_none(t.low),
        high=_or_none(t.high),
        sd=_or_none(t.sd),
        d=_or_none(t.effect / t.sd) if t.sd > 0 else None,
        p=p,
        p_signflip=p_signflip,
        p_equivalence=_or_none(equivalence_p(t.effect, t.sd, t.n, verdict.margin)),
        disagreement=p is not None and p_signflip is not None and (p < alpha) != (p_signflip < alpha),
    )
    return figures, p_tested


def _ranked(verdict: Verdict) -> tuple[Verdict, float]:
    """Figures by the signed-rank test, for values some of which are infinite or ties of diverged cells."""
    values = sorted(verdict.values.values())
    verdict = dataclasses.replace(verdict, effect=_median(values), test="signed rank")
    if len(values) < 2:
        return verdict, math.nan
    p_tested = signed_rank_p(values, Criterion(verdict.expect, verdict.margin).tested_margin)
    return dataclasses.replace(verdict, p=signed_rank_p(values)), p_tested


def _median(ordered: list[float]) -> float | None:
    """The median; None where it would lie between minus and plus infinity, or there are no values."""
    if not ordered:
        return None
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return None if low == -math.inf and high == math.inf else (low + high) / 2


def _conclude(verdict: Verdict, p_holm: float | None, tests: int, alpha: float) -> Verdict:
    """Add the verdict, the seeds that would decide, the sentence and the notes."""
    if verdict.verdict is None:
        return verdict
    criterion = Criterion(verdict.expect, verdict.margin, alpha, tests)
    effect, p, p_inside = (math.nan if x is None else x for x in (verdict.effect, p_holm, verdict.p_equivalence))
    name = str(decide(criterion, effect, p, p_inside))
    verdict = dataclasses.replace(verdict, verdict=name, p_holm=p_holm)
    if name == "inconclusive" and verdict.effect is not None and verdict.sd is not None:
        needed = seeds_to_decide(verdict.n, verdict.effect, verdict.sd, criterion)
        verdict = dataclasses.replace(verdict, seeds_needed=needed)
    return dataclasses.replace(verdict, sentence=sentence_of(verdict, alpha), notes=notes_of(verdict, alpha))


def _or_none(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

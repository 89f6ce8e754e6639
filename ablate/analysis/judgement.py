"""From a table of results to a verdict on each claim of a study."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from ablate.analysis.claims import ClaimLike, as_claim
from ablate.analysis.contrast import contrast
from ablate.analysis.finding import Finding, gather, tested_margin
from ablate.analysis.limits import limits_of
from ablate.analysis.peeking import with_looks_taken
from ablate.analysis.power_analysis import seeds_to_decide
from ablate.analysis.rule import Criterion, decide
from ablate.analysis.sequential import Look, Looks
from ablate.analysis.statistics import ALPHA, holm, least_seeds
from ablate.analysis.verdict import EXACT, Verdict
from ablate.analysis.wording import notes_of, sentence_of
from ablate.config.schema import Claim

OTHER_MARGINS = {"half": 0.5, "double": 2.0}  # of a claim's own: how much its verdict hangs on the choice


def judge(
    frame: pd.DataFrame,
    claims: Sequence[ClaimLike],
    *,
    alpha: float = ALPHA,
    looks: Sequence[int] = (),
    judged_before: Mapping[str, Sequence[int]] | None = None,
) -> list[Verdict]:
    """A verdict on each claim, by one rule for all (`ablate.analysis.rule.decide`).

    Each seed gives one value of the contrast. The paired t test decides, with Holm's adjustment over the claims that
    could be tested; the exact sign-flip stands beside it. Where a needed cell diverged, its value ranks as worst and
    the exact signed-rank test takes the place of the t test: it can show a difference, and never that there is none.
    Cells that failed or are pending are listed, and their seeds are left out. A metric of the network itself
    (parameters, FLOPs) is compared as it is.

    With several looks the table is gone through as it grew: at each look the seeds up to there are judged, p values
    allow for all the looks (`ablate.analysis.sequential`), and a claim that is decided stays as it is.

    Args:
        frame: results, one row a cell (see `contrast_values`).
        claims: the study's claims. Those that name cells which this run has not, a metric that no finished cell
            recorded, or a gate that fails, are `not tested`, and Holm does not count them.
        alpha: level of the study, and of the intervals (1 - alpha).
        looks: the numbers of seeds at which the study is looked at, rising; one or none: all seeds are judged at once.
        judged_before: by claim the numbers of seeds at which it was judged outside of these looks. Its p does not allow
            for them; the verdict says so, and what a plan over them would have given.

    Raises:
        InputError: a selector cannot be read or names a factor that the results have no column for, or a contrast says
            nothing: its weights cancel on every cell.
    """
    read = [as_claim(claim) for claim in claims]
    if len(looks) < 2:
        findings = [gather(frame, contrast(frame, claim), Look(), None, alpha) for claim in read]
        verdicts = _conclude_all(read, findings, alpha)
    else:
        verdicts = _look_by_look(frame, read, tuple(looks), alpha)
    if judged_before:
        return with_looks_taken(frame, read, verdicts, judged_before, alpha, _conclude_all)
    return verdicts


def at_other_margins(
    frame: pd.DataFrame, claims: Sequence[ClaimLike], verdicts: Sequence[Verdict], *, looks: Sequence[int] = ()
) -> list[Verdict]:
    """The verdicts, each with those that half and double the margins would have given (`Verdict.at_margins`)."""
    read = [as_claim(claim) for claim in claims]
    found: list[dict[str, str]] = [{} for _ in verdicts]
    for name, times in OTHER_MARGINS.items():
        others = judge(frame, [dataclasses.replace(one, margin=times * one.margin) for one in read], looks=looks)
        for place, other in enumerate(others):
            if verdicts[place].is_tested and verdicts[place].margin:
                found[place][name] = other.verdict
    return [verdict.replace(at_margins=other) for verdict, other in zip(verdicts, found, strict=True)]


def _look_by_look(frame: pd.DataFrame, claims: Sequence[Claim], looks: Looks, alpha: float) -> list[Verdict]:
    findings: dict[int, Finding] = {}
    settled: dict[int, Verdict] = {}
    verdicts: list[Verdict] = []
    seeds = sorted(int(seed) for seed in frame["seed"].unique()) if len(frame) else []
    # The seeds of a study count from 0, and those of a look that has not been run are not in the table.
    seeds = [*seeds, *(seed for seed in range(looks[-1]) if seed not in seeds)]
    measured = [contrast(frame, claim) for claim in claims]
    for number in looks:
        reached = False
        for place, one in enumerate(measured):
            if place in settled:
                continue
            found = gather(frame, one, Look(number, looks), seeds[:number], alpha)
            if found.is_whole or place not in findings:
                findings[place] = found
                reached = reached or found.is_whole
        if verdicts and not reached:
            break
        verdicts = _conclude_all(claims, [findings[place] for place in range(len(claims))], alpha, settled)
        settled = {place: verdict for place, verdict in enumerate(verdicts) if not verdict.open}
    return verdicts


def _conclude_all(
    claims: Sequence[Claim], findings: Sequence[Finding], alpha: float, settled: dict[int, Verdict] | None = None
) -> list[Verdict]:
    """Holm over all claims that were tested, and a verdict for those that are not settled."""
    tested = [place for place, one in enumerate(findings) if one.is_tested]
    adjusted = dict(zip(tested, holm([findings[place].p for place in tested]).tolist(), strict=True))
    return [
        (settled or {}).get(place) or _conclude(claim, findings[place], adjusted.get(place), len(tested), alpha)
        for place, claim in enumerate(claims)
    ]


def _conclude(claim: Claim, finding: Finding, p_holm: float | None, tests: int, alpha: float) -> Verdict:
    """Add the verdict, the seeds that would decide, the sentence, its limits and the notes."""
    verdict = finding.figures
    if not verdict.is_tested:
        return verdict
    criterion = Criterion(claim.expect, tested_margin(claim), alpha, tests)
    verdict = verdict.replace(verdict=_name(criterion, finding, p_holm), p_holm=p_holm)
    inconclusive = verdict.verdict == "inconclusive"
    is_last = not verdict.looks or (verdict.look == verdict.looks[-1] and finding.is_whole)
    verdict = verdict.replace(open=inconclusive and not is_last, look=verdict.look if finding.is_whole else None)
    if inconclusive and is_last and verdict.sd is not None and math.isfinite(finding.effect):
        needed = seeds_to_decide(verdict.n, finding.effect, verdict.sd, criterion)
        least = least_seeds(alpha)  # with fewer the sign-flip would stand against the verdict
        verdict = verdict.replace(seeds_needed=None if needed is None else max(needed, least))
    return verdict.replace(
        sentence=sentence_of(verdict, alpha), not_shown=limits_of(verdict), notes=notes_of(verdict, alpha)
    )


def _name(criterion: Criterion, finding: Finding, p_holm: float | None) -> str:
    if finding.figures.test == EXACT:
        return _compared(criterion, finding.effect)
    # Before the first look is whole, nothing is decided: which seeds have ended by then is no matter of chance alone.
    if finding.figures.looks and not finding.is_whole:
        return "inconclusive"
    p_equivalence = finding.figures.p_equivalence
    p, inside = (math.nan if x is None else x for x in (p_holm, p_equivalence))
    return str(decide(criterion, finding.effect, p, inside))


def _compared(criterion: Criterion, effect: float) -> str:
    """The verdict on an effect that is known without error, by the same rule."""
    if math.isnan(effect):
        return "inconclusive"
    size = abs(effect)
    within = size <= criterion.margin * (1 + 1e-9) if criterion.expect == "zero" else size < criterion.margin
    return str(decide(criterion, effect, p_difference=0.0, p_equivalence=float(not within)))

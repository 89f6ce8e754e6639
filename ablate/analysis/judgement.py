"""From a table of results to a verdict on each claim of a study."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from ablate.analysis.adjustment import NOTHING, Adjusted, adjust
from ablate.analysis.advice import advised
from ablate.analysis.cells import Grid, seeds_of
from ablate.analysis.claims import ClaimLike, as_claim
from ablate.analysis.contrast import Contrast, contrast
from ablate.analysis.finding import Finding, gather, tested_margin
from ablate.analysis.limits import limits_of
from ablate.analysis.looks import refuse_looks
from ablate.analysis.notes import notes_of
from ablate.analysis.peeking import with_looks_taken
from ablate.analysis.rounding import RELATIVE
from ablate.analysis.rule import Criterion, Reading, conclude, read
from ablate.analysis.sequential import Look, Looks
from ablate.analysis.statistics import ALPHA
from ablate.analysis.verdict import EXACT, Verdict
from ablate.analysis.wording import sentence_of
from ablate.config.schema import Claim

OTHER_MARGINS = {"half": 0.5, "double": 2.0}  # of a claim's own: how much its verdict hangs on the choice


def judge(
    frame: pd.DataFrame,
    claims: Sequence[ClaimLike],
    *,
    alpha: float = ALPHA,
    looks: Sequence[int] = (),
    judged_before: Mapping[str, Sequence[int]] | None = None,
    grid: Grid | None = None,
) -> list[Verdict]:
    """A verdict on each claim, by one rule for all (`ablate.analysis.rule.decide`).

    Each seed gives one value of the contrast. The paired t test decides, with Holm's adjustment over the claims that
    could be tested; the exact sign-flip stands beside it. Where a needed cell diverged, its value ranks as worst and
    the exact signed-rank test takes the place of the t test: it can show a difference, and never that there is none.
    Contrasts that weigh arms unevenly are held against arms that change places (`ablate.analysis.permutation`).
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
        grid: of the study, for trends over values that are no numbers: the order of these.

    Raises:
        InputError: a selector cannot be read or names a factor that the results have no column for, or a contrast says
            nothing: its weights cancel on every cell; a seed is no whole number; the order of a trend's values is not
            known; or the looks do not rise from at least three seeds.
    """
    refuse_looks(looks)
    measured = [contrast(frame, as_claim(claim), grid) for claim in claims]
    if len(looks) < 2:
        findings = [gather(frame, one, Look(), None, alpha) for one in measured]
        verdicts = _conclude_all(measured, [_after(one, judged_before) for one in findings], alpha)
    else:
        verdicts = _look_by_look(frame, measured, tuple(looks), alpha, judged_before)
    if judged_before:
        return with_looks_taken(frame, measured, verdicts, judged_before, alpha, _conclude_all)
    return verdicts


def at_other_margins(
    frame: pd.DataFrame,
    claims: Sequence[ClaimLike],
    verdicts: Sequence[Verdict],
    *,
    looks: Sequence[int] = (),
    grid: Grid | None = None,
) -> list[Verdict]:
    """The verdicts, each with those that half and double the margins would have given (`Verdict.at_margins`)."""
    read = [as_claim(claim) for claim in claims]
    found: list[dict[str, str]] = [{} for _ in verdicts]
    for name, times in OTHER_MARGINS.items():
        changed = [dataclasses.replace(one, margin=times * one.margin) for one in read]
        others = judge(frame, changed, looks=looks, grid=grid)
        for place, other in enumerate(others):
            if verdicts[place].is_tested and verdicts[place].margin:
                found[place][name] = other.verdict
    return [verdict.replace(at_margins=other) for verdict, other in zip(verdicts, found, strict=True)]


def _after(finding: Finding, judged_before: Mapping[str, Sequence[int]] | None) -> Finding:
    """The finding with the seeds at which its claim was judged before: a plan of more has to take them in."""
    return dataclasses.replace(finding, before=tuple((judged_before or {}).get(finding.figures.id, ())))


def _look_by_look(
    frame: pd.DataFrame,
    measured: Sequence[Contrast],
    looks: Looks,
    alpha: float,
    judged_before: Mapping[str, Sequence[int]] | None,
) -> list[Verdict]:
    findings: dict[int, Finding] = {}
    settled: dict[int, Verdict] = {}
    verdicts: list[Verdict] = []
    seeds = sorted(set(seeds_of(frame)))
    # The seeds of a study count from 0, and those of a look that has not been run are not in the table.
    seeds = [*seeds, *(seed for seed in range(looks[-1]) if seed not in seeds)]
    for number in looks:
        reached = False
        for place, one in enumerate(measured):
            if place in settled:
                continue
            found = _after(gather(frame, one, Look(number, looks), seeds[:number], alpha), judged_before)
            if found.is_whole or place not in findings:
                findings[place] = found
                reached = reached or found.is_whole
        if verdicts and not reached:
            break
        verdicts = _conclude_all(measured, [findings[place] for place in range(len(measured))], alpha, settled)
        settled = {place: verdict for place, verdict in enumerate(verdicts) if not verdict.open}
    return verdicts


def _conclude_all(
    measured: Sequence[Contrast], findings: Sequence[Finding], alpha: float, settled: dict[int, Verdict] | None = None
) -> list[Verdict]:
    """Holm over all claims that were tested, and a verdict for those that are not settled."""
    tested = [place for place, one in enumerate(findings) if one.is_tested]
    adjusted = dict(zip(tested, adjust([findings[place] for place in tested]), strict=True))
    return [
        (settled or {}).get(place) or _conclude(one.claim, findings[place], adjusted.get(place), len(tested), alpha)
        for place, one in enumerate(measured)
    ]


def _conclude(claim: Claim, finding: Finding, adjusted: Adjusted | None, tests: int, alpha: float) -> Verdict:
    """Add the verdict, the seeds that would decide, the sentence, its limits and the notes."""
    verdict = finding.figures
    if not verdict.is_tested:
        return verdict
    criterion = Criterion(claim.expect, tested_margin(claim), alpha, max(1, tests))
    reading = _reading(criterion, finding, adjusted or NOTHING)
    verdict = _with_p(verdict.replace(tests=criterion.tests), adjusted, alpha)
    verdict = verdict.replace(verdict=str(conclude(criterion, reading)))
    inconclusive = verdict.verdict == "inconclusive"
    is_last = not verdict.looks or (verdict.look == verdict.looks[-1] and finding.is_whole)
    verdict = verdict.replace(open=inconclusive and not is_last, look=verdict.look if finding.is_whole else None)
    if inconclusive and is_last:
        verdict = advised(verdict, criterion, finding)
    return verdict.replace(
        sentence=sentence_of(verdict, reading, alpha, finding.p),
        not_shown=limits_of(verdict),
        notes=notes_of(verdict, alpha),
    )


def _with_p(verdict: Verdict, adjusted: Adjusted | None, alpha: float) -> Verdict:
    """The p values after Holm, and whether the sign-flip stands against the test that decides."""
    if adjusted is None:
        return verdict
    p, flip = adjusted.p, adjusted.p_signflip if verdict.p_signflip is not None else None
    return verdict.replace(
        p_holm=p,
        p_equivalence_holm=None if math.isnan(adjusted.p_equivalence) else adjusted.p_equivalence,
        p_signflip_holm=flip,
        disagreement=flip is not None and (p < alpha) != (flip < alpha),
    )


def _reading(criterion: Criterion, finding: Finding, adjusted: Adjusted) -> Reading:
    """What the figures show, by which the verdict is named and its sentence written."""
    figures = finding.figures
    if figures.test == EXACT:
        size = abs(finding.effect)
        is_zero = criterion.expect == "zero"
        within = size <= criterion.margin * (1 + RELATIVE) if is_zero else size < criterion.margin * (1 - RELATIVE)
        p = math.nan if math.isnan(finding.effect) else 0.0
        return read(criterion, finding.effect, p, float(not within))
    # Before the first look is whole, nothing is decided: which seeds have ended by then is no matter of chance alone.
    early = bool(figures.looks) and not finding.is_whole
    known = NOTHING if early else adjusted
    return read(criterion, finding.effect, known.p, known.p_equivalence, finding.direction)

"""Looks that no plan had: what a plan over all looks that were taken would have said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from ablate.analysis.contrast import Contrast
from ablate.analysis.finding import Finding, gather
from ablate.analysis.sequential import Look
from ablate.analysis.verdict import Verdict

Conclude = Callable[[Sequence[Contrast], Sequence[Finding], float], list[Verdict]]


def with_looks_taken(
    frame: pd.DataFrame,
    measured: Sequence[Contrast],
    verdicts: Sequence[Verdict],
    judged_before: Mapping[str, Sequence[int]],
    alpha: float,
    conclude: Conclude,
) -> list[Verdict]:
    """The verdicts, each with the p and the verdict that a plan over the looks taken at it would have given.

    The verdict itself stays: what a claim's p allows for was fixed before. For a study that was to end at the first of
    these looks, the p of a plan over all of them still errs more often than it says, as the whole of alpha was spent
    there (docs/statistics.md has the rate).

    Args:
        frame: results.
        measured: the claims of the study.
        verdicts: on them.
        judged_before: by claim the numbers of seeds at which it was judged outside of planned looks.
        alpha: level of the study.
        conclude: adds Holm and verdicts to findings.
    """
    findings = [
        gather(frame, one, _look(verdict, judged_before), verdict.seeds, alpha)
        for one, verdict in zip(measured, verdicts, strict=True)
    ]
    planned = conclude(measured, findings, alpha)
    return [
        verdict.replace(
            judged_before=sorted(judged_before[verdict.id]),
            p_over_looks=deciding_p(other),
            verdict_over_looks=other.verdict,
        )
        if verdict.id in judged_before
        else verdict
        for verdict, other in zip(verdicts, planned, strict=True)
    ]


def deciding_p(verdict: Verdict) -> float | None:
    """The p that a verdict rests on: of equivalence where it says that there is no difference that matters."""
    no_difference = verdict.verdict == "equivalent" or (verdict.expect == "zero" and verdict.verdict == "supported")
    return verdict.p_of_equivalence if no_difference else verdict.p_holm


def alarms(verdict: Verdict) -> list[str]:
    """What of a claim was not fixed before its results were seen, a sentence each: a reader must not miss it."""
    changed = [f"Changed since: {text}." for text in verdict.changed]
    return [*changed, *filter(None, [peeking_note(verdict)])]


def peeking_note(verdict: Verdict) -> str:
    """What to know of looks that no plan had; empty where there were none."""
    if not verdict.judged_before:
        return ""
    times = _listed(verdict.judged_before)
    note = f"Judged before at {times} seeds; its p does not allow for that"
    if verdict.p_over_looks is None:
        return f"{note}."
    p = "p < 0.001" if verdict.p_over_looks < 0.001 else f"p = {verdict.p_over_looks:.2g}"
    looks = _listed([*verdict.judged_before, verdict.n])
    same = "the same verdict" if verdict.verdict_over_looks == verdict.verdict else f"'{verdict.verdict_over_looks}'"
    return (
        f"{note}: a plan of looks at {looks} seeds would have given {p} and {same}. "
        "Whoever goes on until it pleases is wrong more often than either p says."
    )


def _look(verdict: Verdict, judged_before: Mapping[str, Sequence[int]]) -> Look:
    before = judged_before.get(verdict.id, ())
    planned = [look for look in verdict.looks if look <= verdict.n]
    if not before:
        return Look(verdict.look or 0, tuple(verdict.looks)) if verdict.looks else Look()
    looks = tuple(sorted({*before, *planned, verdict.n}))
    return Look(verdict.n, looks)


def _listed(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last

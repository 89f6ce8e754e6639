"""What would decide an inconclusive claim: a range of seeds, and the looks to plan for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ablate.analysis.finding import Finding
from ablate.analysis.looks import LEAST_AT_A_LOOK
from ablate.analysis.power_analysis import seeds_to_decide
from ablate.analysis.rule import Criterion
from ablate.analysis.statistics import least_seeds
from ablate.analysis.verdict import Verdict

LOOKS_MORE = 6  # planned after those so far
MOST_PLANNED = 200  # seeds that are worth a plan
COST_OF_LOOKS = 2.0  # the last of several looks tests at about alpha over this


def advised(verdict: Verdict, criterion: Criterion, finding: Finding) -> Verdict:
    """An inconclusive verdict with the seeds that would decide it, and the looks to plan.

    Args:
        verdict: with its figures.
        criterion: what its claim is held against.
        finding: where its figures are from.
    """
    low, middle, high = seeds_range(finding.effect, verdict, criterion)
    if not high:
        return verdict
    most = min(high, 2 * middle)
    so_far = sorted({*finding.before, *(verdict.looks or (finding.taken,))})
    plan = plan_of_looks(so_far, most) if most <= MOST_PLANNED else {}
    return verdict.replace(seeds_needed=[low, high], plan=plan)


def seeds_range(effect: float, verdict: Verdict, criterion: Criterion) -> tuple[int, int, int]:
    """The seeds that would decide if the truth lies within a standard error of what was seen: least, at it, and most.

    All 0 where nothing says so: no spread is known; or the effect is within a standard error of none, so that it may be
    none, and not within a margin either, so that no number of seeds would probably show anything.
    """
    if verdict.n < 2 or verdict.sd is None or not math.isfinite(effect):
        return 0, 0, 0
    error = verdict.sd / math.sqrt(verdict.n)
    if abs(effect) <= error and not abs(effect) + error < criterion.margin:
        return 0, 0, 0
    # At several looks, the last of which has a part of alpha; without spread the sign-flip decides, at any look.
    strict = replace(criterion, alpha=criterion.alpha / COST_OF_LOOKS) if verdict.sd else criterion
    needed = [seeds_to_decide(verdict.n, effect + k * error, verdict.sd, strict) for k in (-1, 0, 1)]
    if None in needed:
        return 0, 0, 0
    least = least_seeds(criterion.alpha, criterion.tests)  # with fewer the sign-flip would stand against the verdict
    numbers = [max(number or 0, least) for number in needed]
    return min(numbers), numbers[1], max(numbers)


def plan_of_looks(judged: Sequence[int], most: int) -> dict[str, int]:
    """`start`, `step` and `most` of looks among which are all those so far, up to about `most` seeds.

    A p that allows for all looks does so only for those that are planned.
    """
    start = max(LEAST_AT_A_LOOK, min(judged))
    steps = [later - earlier for earlier, later in pairwise(sorted({start, *(n for n in judged if n > start)}))]
    most = max(most, 1 + max([start, *judged]))  # of seeds so far some may have no value
    step = math.gcd(*steps) if steps else max(1, math.ceil((most - start) / LOOKS_MORE))
    return {"start": start, "step": step, "most": start + step * max(1, math.ceil((most - start) / step))}

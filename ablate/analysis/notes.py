"""The cautions that go with a verdict."""

from __future__ import annotations

from ablate.analysis.clusters import COLLAPSE, unseen
from ablate.analysis.figures import count, p_text
from ablate.analysis.statistics import least_seeds
from ablate.analysis.verdict import EXACT, PAIRED_T, PERMUTED_RANK, PERMUTED_T, SIGNED_RANK, Verdict

# From the tables of docs/statistics.md.
CLUSTERED = "54 to 75 %"
SKEWED, COLLAPSED = "13 to 23 %", "53 %"
RARE = 0.05  # a chance below which what stays unseen is not worth a caution


def notes_of(verdict: Verdict, alpha: float) -> list[str]:
    """Cautions: several looks, few seeds, tests that disagree, values without spread or in two clusters, and so on."""
    return [
        *_of_looks(verdict, alpha),
        *_of_few_seeds(verdict, alpha),
        *_of_the_sign_flip(verdict, alpha),
        *_of_equivalence(verdict, alpha),
        *_of_the_spread(verdict),
        *_of_the_contrast(verdict),
        *_of_cells(verdict),
    ]


def _of_looks(verdict: Verdict, alpha: float) -> list[str]:
    if not verdict.looks:
        return []
    planned = ", ".join(map(str, verdict.looks))
    if verdict.look is None:
        return [f"The first of the planned looks ({planned} seeds) has not been reached, so nothing is decided yet."]
    return [
        f"Looked at after {verdict.look} seeds, of the looks planned at {planned}: p values allow for all of them, and "
        f"the intervals of all looks together cover the truth in at least {100 * (1 - alpha):g} % of studies."
    ]


def _of_few_seeds(verdict: Verdict, alpha: float) -> list[str]:
    least = least_seeds(verdict.level, verdict.tests)
    if verdict.n >= least or verdict.test not in (PAIRED_T, SIGNED_RANK):
        return []
    look = " at this look" if verdict.looks else ""
    holm = f" after Holm over {verdict.tests} claims" if verdict.tests > 1 else ""
    return [
        f"{count(verdict.n, 'paired seed')}: {least} is the least at which the exact sign-flip can reach "
        f"{alpha:g}{look}{holm}."
    ]


def _of_the_sign_flip(verdict: Verdict, alpha: float) -> list[str]:
    if not verdict.disagreement:
        return []
    t, flip = (p_text("Holm", p, alpha) for p in (verdict.p_holm, verdict.p_signflip_holm))
    return [
        f"The t test ({t}) and the exact sign-flip ({flip}) lie on different sides of {alpha:g}: "
        "more seeds would make this firmer."
    ]


def _of_equivalence(verdict: Verdict, alpha: float) -> list[str]:
    if verdict.verdict != "equivalent" or verdict.test == EXACT or verdict.tests < 2:
        return []
    return [
        f"That the difference does not matter is shown for this claim by itself: false in at most "
        f"{100 * alpha / 2:g} % of claims, and not adjusted for the {verdict.tests} claims of the study."
    ]


def _of_the_spread(verdict: Verdict) -> list[str]:
    notes = []
    if verdict.sd == 0:
        notes.append(
            f"All {verdict.n} paired values are equal: the interval has no width and does not decide; "
            "the exact sign-flip does."
        )
    if verdict.apart:
        seeds = ", ".join(map(str, verdict.apart))
        notes.append(
            f"Two clusters: seed {seeds} lies far from the others. Of such values the mean is near none. Where one arm "
            f"collapses in {100 * COLLAPSE:g} % of its seeds, 95 % intervals of 3 to 6 seeds held the truth in only "
            f"{CLUSTERED} of simulated studies."
        )
    elif says_no_difference(verdict) and unseen(verdict.n) > RARE:
        notes.append(
            f"{count(verdict.n, 'seed')}: a collapse of training that befalls {100 * COLLAPSE:g} % of the seeds of one "
            f"arm would be unseen in {100 * unseen(verdict.n):.0f} % of such studies, and this verdict be false."
        )
    return notes


def says_no_difference(verdict: Verdict) -> bool:
    """Whether a verdict by the t test says that no difference matters."""
    is_none = verdict.verdict == "equivalent" or (verdict.verdict, verdict.expect) == ("supported", "zero")
    return is_none and verdict.test in (PAIRED_T, PERMUTED_T)


def _of_the_contrast(verdict: Verdict) -> list[str]:
    notes = []
    if verdict.threshold is not None and verdict.test != EXACT and verdict.n > 1:
        notes.append(
            "Held against a threshold, results have no second arm whose skew would cancel theirs: where they are as "
            f"skewed as lognormal ones, a difference is shown falsely in {SKEWED} of simulated studies instead of 5 %, "
            f"and in up to {COLLAPSED} where training collapses in {100 * COLLAPSE:g} % of seeds."
        )
    if verdict.test == PERMUTED_T:
        notes.append(
            "The contrast weighs arms unevenly, so that values of arms alike may be skew: its p is the larger of the "
            "t test's and of arms that change places within each seed."
        )
    return notes


def _of_cells(verdict: Verdict) -> list[str]:
    notes = []
    test = "exact signed-rank test" if verdict.test == SIGNED_RANK else "test by ranks of arms that change places"
    if verdict.diverged and verdict.test in (SIGNED_RANK, PERMUTED_RANK):
        notes.append(
            f"{count(len(verdict.diverged), 'cell')} diverged and ranked as worst, so the {test} "
            f"decides, without an interval: {_some(verdict.diverged)}."
        )
    if verdict.perfect and verdict.test in (SIGNED_RANK, PERMUTED_RANK):
        notes.append(
            f"{count(len(verdict.perfect), 'cell')} of value 0, which has no logarithm, ranked below all others, so "
            f"the {test} decides, without an interval: {_some(verdict.perfect)}."
        )
    if verdict.missing:
        notes.append(
            f"{count(len(verdict.missing), 'cell')} without a result, whose seeds are left out: "
            f"{_some(verdict.missing)}."
        )
    return notes


def _some(names: list[str], most: int = 6) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest

"""Verdicts in words: one plain sentence, and the cautions that go with it."""

from __future__ import annotations

import math

from ablate.analysis.metrics import metric_of
from ablate.analysis.power_analysis import MOST_SEEDS
from ablate.analysis.statistics import least_seeds
from ablate.analysis.subject import subject_of
from ablate.analysis.verdict import EXACT, SIGNED_RANK, Verdict


def sentence_of(verdict: Verdict, alpha: float) -> str:
    """The verdict in one sentence: the figure, how sure it is, and what is or is not shown.

    Rates of errors are fractions, and their differences are told in percentage points (`ablate.analysis.metrics`).
    """
    what = subject_of(verdict)
    head = str(verdict.verdict).capitalize()
    if verdict.n == 0:
        return f"{head}: {what} cannot be given, as no seed has every result that it needs."
    if verdict.test == EXACT:
        size = _amount(verdict, verdict.effect, sign="+") + _unit(verdict)
        return f"{head}: {what} is {size}, exactly{_compared(verdict)}."
    if verdict.test == SIGNED_RANK:
        figure = _ranked_figure(verdict, what)
    elif verdict.n == 1:
        size = _amount(verdict, verdict.effect, sign="+") + _unit(verdict)
        return f"{head}: {what} is {size} in the one seed that has it; one seed has no interval, so nothing is shown."
    else:
        figure = _averaged_figure(verdict, what)
    return f"{head}: {figure}; {_shown(verdict, alpha)}{_advice(verdict)}."


def notes_of(verdict: Verdict, alpha: float) -> list[str]:
    """Cautions: few seeds, several looks, tests that disagree, no spread, diverged and missing cells."""
    notes = _of_looks(verdict, alpha)
    least = least_seeds(alpha)
    if verdict.n < least and verdict.test != EXACT:
        notes.append(
            f"{_count(verdict.n, 'paired seed')}: "
            f"{least} is the least at which the exact sign-flip can reach {alpha:g}."
        )
    if verdict.disagreement:
        notes.append(
            f"The t test (p = {verdict.p:.2g}) and the exact sign-flip (p = {verdict.p_signflip:.2g}) "
            f"lie on different sides of {alpha:g}: more seeds would make this firmer."
        )
    if verdict.sd == 0:
        notes.append(
            f"All {verdict.n} paired values are equal: the interval has no width and does not decide; "
            "the exact sign-flip does."
        )
    if verdict.diverged:
        notes.append(
            f"{_count(len(verdict.diverged), 'cell')} diverged and ranked as worst, so the exact signed-rank test "
            f"decides, without an interval: {_some(verdict.diverged)}."
        )
    if verdict.missing:
        notes.append(
            f"{_count(len(verdict.missing), 'cell')} without a result, whose seeds are left out: "
            f"{_some(verdict.missing)}."
        )
    return notes


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


def _averaged_figure(verdict: Verdict, what: str) -> str:
    size = _amount(verdict, verdict.effect, sign="+") + _unit(verdict)
    ends = f"{_amount(verdict, verdict.low)} to {_amount(verdict, verdict.high)}"
    interval = f"{100 * (1 - verdict.level):.3g} % interval {ends}"
    return f"{what} is {size} ({interval}, {verdict.n} paired seeds, {_deciding_p(verdict)})"


def _ranked_figure(verdict: Verdict, what: str) -> str:
    values = verdict.values.values()
    above, below = sum(value > 0 for value in values), sum(value < 0 for value in values)
    counts = f"above zero in {above} and below zero in {below} of {_count(verdict.n, 'paired seed')}"
    cells = _count(len(verdict.diverged), "diverged cell")
    return f"{what} is {counts} ({cells} ranked as worst, signed-rank test, {_p_text('Holm', verdict.p_holm)})"


def _shown(verdict: Verdict, alpha: float) -> str:
    """What the figure shows, and what it does not."""
    matters = _what_matters(verdict)
    if verdict.verdict == "equivalent":
        though = ", although it is not zero" if verdict.p_holm is not None and verdict.p_holm < alpha else ""
        return f"the difference is smaller than {matters}{though}"
    if verdict.expect == "zero":
        return {
            "supported": f"the difference is smaller than {matters}, as the claim says",
            "contradicted": f"the difference is larger than {matters}, where the claim says there is none",
        }.get(str(verdict.verdict), f"whether the difference is smaller than {matters} is not shown")
    if verdict.verdict == "supported":
        return _supported_size(verdict, matters)
    if verdict.verdict == "contradicted":
        return f"the claim says the difference is {verdict.expect}, and it is of the other sign"
    if verdict.p_holm is not None and verdict.p_holm < alpha:
        return f"a {verdict.expect} difference is shown, but not that it reaches {matters}"
    return f"a {verdict.expect} difference is neither shown nor ruled out"


def _what_matters(verdict: Verdict) -> str:
    # "the 0.05 that matters", "the 10 % that matters", and "the 0.5 percentage points that matter"
    many = _unit(verdict) not in ("", " %")
    return f"the {_margin(verdict)} that matter{'' if many else 's'}"


def _compared(verdict: Verdict) -> str:
    """An exact effect beside the margin."""
    if verdict.verdict == "equivalent":
        return f"; that is less than {_what_matters(verdict)}"
    says = "none" if verdict.expect == "zero" else f"a {verdict.expect} one"
    if verdict.verdict == "contradicted":
        return f"; the claim says there is {says}"
    within = f"within {_what_matters(verdict)}" if verdict.expect == "zero" else f"at least {_what_matters(verdict)}"
    return f"; {within}" if verdict.margin else ", as the claim says"


def _supported_size(verdict: Verdict, matters: str) -> str:
    if verdict.margin == 0:
        return f"the difference is {verdict.expect}, as the claim says"
    near_end = verdict.low if verdict.expect == "positive" else verdict.high
    if near_end is None:
        return f"the median reaches {matters}, but the size of the difference has no interval"
    if near_end * (1 if verdict.expect == "positive" else -1) >= verdict.margin:
        return f"at least {matters}"
    return f"the estimate reaches {matters}, but a smaller difference is not ruled out"


def _advice(verdict: Verdict) -> str:
    if verdict.seeds_needed is None:
        return ""
    if verdict.seeds_needed >= MOST_SEEDS:
        return f"; to decide it would take {MOST_SEEDS} seeds or more"
    return f"; about {verdict.seeds_needed} seeds would probably decide it"


def _unit(verdict: Verdict) -> str:
    unit = metric_of(verdict.measure).difference_unit
    return f" {unit}" if unit else ""


def _margin(verdict: Verdict) -> str:
    return f"{metric_of(verdict.measure).factor * verdict.margin:g}{_unit(verdict)}"


def _amount(verdict: Verdict, value: float | None, sign: str = "") -> str:
    """A value in the metric's unit, with the decimals that two digits of the interval's half width need."""
    if value is None:
        return "unknown"
    scale = metric_of(verdict.measure).factor
    half = (verdict.high - verdict.low) / 2 if verdict.high is not None and verdict.low is not None else 0.0
    reference = (half or abs(verdict.effect or 0.0)) * scale
    decimals = min(8, max(0, 1 - math.floor(math.log10(reference)))) if reference > 0 else 0
    rounded = round(value * scale, decimals) + 0.0
    return f"{rounded:{sign if rounded else ''},.{decimals}f}"


def _deciding_p(verdict: Verdict) -> str:
    """The p that the verdict rests on."""
    no_difference = verdict.verdict == "equivalent" or (verdict.expect == "zero" and verdict.verdict != "contradicted")
    return _p_text("equivalence", verdict.p_equivalence) if no_difference else _p_text("Holm", verdict.p_holm)


def _p_text(name: str, p: float | None) -> str:
    if p is None:
        return f"no {name} p"
    return f"{name} p < 0.001" if p < 0.001 else f"{name} p = {p:.2g}"


def _some(names: list[str], most: int = 6) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""Verdicts in words: one plain sentence, from the reading that decided."""

from __future__ import annotations

from ablate.analysis.figures import amount, count, p_text, unit, what_matters
from ablate.analysis.power_analysis import MOST_SEEDS
from ablate.analysis.rounding import RELATIVE
from ablate.analysis.rule import Reading
from ablate.analysis.subject import subject_of
from ablate.analysis.verdict import EXACT, PERMUTED_RANK, PERMUTED_T, Verdict


def sentence_of(verdict: Verdict, reading: Reading, alpha: float, p_alone: float) -> str:
    """The verdict in one sentence: the figure, how sure it is, and what is or is not shown.

    Rates of errors are fractions, and their differences are told in percentage points (`ablate.analysis.metrics`).

    Args:
        verdict: with its figures and its word.
        reading: what decided it.
        alpha: level of the study.
        p_alone: what `p_holm` would be, were the claim the only one.
    """
    what = subject_of(verdict)
    head = str(verdict.verdict).capitalize()
    if verdict.n == 0:
        return f"{head}: {what} cannot be given, as no seed has every result that it needs."
    size = amount(verdict, verdict.effect, sign="+") + unit(verdict)
    if verdict.test == EXACT:
        return f"{head}: {what} is {size}, exactly{_compared(verdict)}."
    if verdict.is_ranked:
        figure = _ranked_figure(verdict, what, alpha)
    elif verdict.n == 1:
        return f"{head}: {what} is {size} in the one seed that has it; one seed has no interval, so nothing is shown."
    else:
        figure = _averaged_figure(verdict, what, alpha)
    return f"{head}: {figure}; {_shown(verdict, reading, alpha, p_alone)}{_advice(verdict)}."


def _averaged_figure(verdict: Verdict, what: str, alpha: float) -> str:
    size = amount(verdict, verdict.effect, sign="+") + unit(verdict)
    ends = f"{amount(verdict, verdict.low)} to {amount(verdict, verdict.high)}"
    interval = f"{100 * (1 - verdict.level):.3g} % interval {ends}"
    return f"{what} is {size} ({interval}, {verdict.n} paired seeds, {_deciding_p(verdict, alpha)})"


def _ranked_figure(verdict: Verdict, what: str, alpha: float) -> str:
    seeds = count(verdict.n, "paired seed")
    by = " by ranks" if verdict.test == PERMUTED_RANK else ""
    counts = f"above zero in {verdict.above} and below zero in {verdict.below} of {seeds}{by}"
    cells = [f"{count(len(verdict.diverged), 'diverged cell')} ranked as worst"] if verdict.diverged else []
    cells += [f"{count(len(verdict.perfect), 'cell')} of value 0 ranked lowest"] if verdict.perfect else []
    test = "ranks of arms that change places" if by else "signed-rank test"
    return f"{what} is {counts} ({', '.join([*cells, test, p_text('Holm', verdict.p_holm, alpha)])})"


def _shown(verdict: Verdict, reading: Reading, alpha: float, p_alone: float) -> str:
    """What the figure shows, and what it does not."""
    matters = what_matters(verdict)
    if verdict.looks and verdict.look is None:
        return "nothing is decided before the first look"
    if verdict.verdict == "inconclusive":
        return _not_shown(verdict, reading, alpha, p_alone)
    if verdict.verdict == "equivalent":
        return f"the difference is smaller than {matters}{', although it is not zero' if reading.excluded else ''}"
    if verdict.expect == "zero":
        return {
            "supported": f"the difference is smaller than {matters}, as the claim says",
            "contradicted": f"the difference is larger than {matters}, where the claim says there is none",
        }[str(verdict.verdict)]
    if verdict.verdict == "supported":
        return _supported_size(verdict, matters)
    return f"the claim says the difference is {verdict.expect}, and it is of the other sign"


def _not_shown(verdict: Verdict, reading: Reading, alpha: float, p_alone: float) -> str:
    """Why a claim is inconclusive, also where the interval by itself would say more."""
    matters, less = what_matters(verdict), _is_inside(verdict)
    smaller = f"the interval lies within {_both_ways(verdict)}, but {_why(verdict, verdict.p_equivalence, alpha / 2)}"
    if verdict.expect == "zero":
        open_ = f"whether the difference is smaller than {matters} is not shown"
        beyond = f"the interval lies beyond {_both_ways(verdict)}, but {_why(verdict, p_alone, alpha)}"
        return f"{smaller}, so {open_}" if less else f"{beyond}, so {open_}" if _is_beyond(verdict) else open_
    if reading.excluded and reading.toward > 0:
        return f"a {verdict.expect} difference is shown, but not that it reaches {matters}"
    if reading.excluded:
        return "the ranks and the effect that balances them lie on different sides of zero, so no difference is shown"
    first = f"a {verdict.expect} difference is neither shown nor ruled out"
    if _excludes_zero(verdict):
        first = f"the interval excludes zero, but {_why(verdict, p_alone, alpha)}, so no difference is shown"
    return f"{first}; {smaller}, so that the difference is smaller is not shown" if less else first


def _why(verdict: Verdict, p: float | None, level: float) -> str:
    """What stands against an interval: the p of the one claim, or what Holm asks beyond it."""
    if p is not None and p < level:
        return f"Holm asks more over {count(verdict.tests, 'claim')}"
    if verdict.sd == 0:
        return f"{verdict.n} equal values are too few"
    return "arms that change places come as far by chance" if verdict.test == PERMUTED_T else "only just"


def _excludes_zero(verdict: Verdict) -> bool:
    low, high = verdict.low, verdict.high
    return low is not None and high is not None and (low > 0 or high < 0)


def _is_inside(verdict: Verdict) -> bool:
    """Whether the interval lies within the margin, by more than rounding."""
    low, high, (down, up) = verdict.low, verdict.high, verdict.bounds
    return low is not None and high is not None and down * (1 - RELATIVE) < low and high < up * (1 - RELATIVE)


def _is_beyond(verdict: Verdict) -> bool:
    """Whether it lies beyond the margin, likewise."""
    low, high, (down, up) = verdict.low, verdict.high, verdict.bounds
    return low is not None and high is not None and (low > up * (1 + RELATIVE) or high < down * (1 + RELATIVE))


def _both_ways(verdict: Verdict) -> str:
    return what_matters(verdict.replace(verdict="equivalent"))


def _compared(verdict: Verdict) -> str:
    """An exact effect beside the margin."""
    if verdict.verdict == "equivalent":
        return f"; that is less than {what_matters(verdict)}"
    says = "none" if verdict.expect == "zero" else f"a {verdict.expect} one"
    if verdict.verdict == "contradicted":
        return f"; the claim says there is {says}"
    if verdict.verdict == "inconclusive":
        return ", neither more nor less" if verdict.effect == 0 else ""
    within = f"within {what_matters(verdict)}" if verdict.expect == "zero" else f"at least {what_matters(verdict)}"
    return f"; {within}" if verdict.margin else ", as the claim says"


def _supported_size(verdict: Verdict, matters: str) -> str:
    if verdict.margin == 0:
        return f"the difference is {verdict.expect}, as the claim says"
    if verdict.is_ranked:
        return f"the size that would balance the ranks reaches {matters}, but it has no interval"
    down, up = verdict.bounds
    low, high = verdict.low or 0.0, verdict.high or 0.0
    is_all = low >= up * (1 - RELATIVE) if verdict.expect == "positive" else high <= down * (1 - RELATIVE)
    return f"at least {matters}" if is_all else f"the estimate reaches {matters}, but a smaller one is not ruled out"


def _advice(verdict: Verdict) -> str:
    if not verdict.seeds_needed:
        return ""
    low, high = verdict.seeds_needed
    if low >= MOST_SEEDS:
        return f"; to decide it would take {MOST_SEEDS} seeds or more"
    upwards = " or many more" if high >= MOST_SEEDS else ""
    many = f"{low} to {high} seeds" if low < high and not upwards else f"{low} seeds{upwards}"
    # Without blanks and in quotes, as a shell takes it.
    plan = ",".join(f"{key}:{value}" for key, value in verdict.plan.items())
    return f"; about {many} would probably decide it" + (f", as with 'study.seeds={{{plan}}}'" if plan else "")


def _deciding_p(verdict: Verdict, alpha: float) -> str:
    """The p that the verdict rests on, with its level where that is not the study's."""
    is_beyond = verdict.effect is not None and not verdict.bounds[0] <= verdict.effect <= verdict.bounds[1]
    if verdict.verdict == "equivalent" or (verdict.expect == "zero" and not is_beyond):
        text = p_text("equivalence", verdict.p_equivalence_holm, alpha / 2)
        return text if verdict.p_equivalence_holm is None else f"{text}, level {alpha / 2:g}"
    return p_text("Holm", verdict.p_holm, alpha)

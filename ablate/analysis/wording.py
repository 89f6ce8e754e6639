"""Verdicts in words: one plain sentence, and the cautions that go with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ablate.analysis.power import MOST_SEEDS
from ablate.analysis.selectors import Selector, parse_selector

if TYPE_CHECKING:
    from ablate.analysis.verdict import Verdict


def sentence_of(verdict: Verdict, alpha: float) -> str:
    """The verdict in one sentence: the figure, how sure it is, and what is or is not shown.

    Metrics that end in `error` are fractions, and their differences are told in percentage points.
    """
    what = subject(verdict.contrast, metric_text(verdict.metric))
    head = str(verdict.verdict).capitalize()
    if verdict.n == 0:
        return f"{head}: {what} cannot be given, as no seed has every result that it needs."
    if verdict.test == "signed rank":
        figure = _ranked_figure(verdict, what)
    elif verdict.n == 1:
        size = _amount(verdict, verdict.effect, sign="+") + _unit(verdict)
        return f"{head}: {what} is {size} in the one seed that has it; one seed has no interval, so nothing is shown."
    else:
        figure = _averaged_figure(verdict, what, alpha)
    return f"{head}: {figure}; {_finding(verdict, alpha)}{_advice(verdict)}."


def notes_of(verdict: Verdict, alpha: float) -> list[str]:
    """Cautions: few seeds, tests that disagree, no spread, diverged and missing cells."""
    notes = []
    least = math.floor(math.log2(2 / alpha)) + 1
    if verdict.n < least:
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


def metric_text(metric: str) -> str:
    """A metric's name for people: `train/loss` is `train loss`."""
    return metric.replace("/", " ").replace("_", " ")


def subject(contrast: Mapping[str, float], metric: str) -> str:
    """What a contrast subtracts from what, such as `at depth 110 post minus pre train loss`."""
    terms = [(parse_selector(text), weight) for text, weight in contrast.items() if weight != 0]
    gaps = _gaps(terms)
    if len(gaps) == 1:
        (plus, minus), place = gaps[0]
        return f"{_at(place)} {plus} minus {minus} {metric}".strip()
    return f"{metric} of {_terms_text(terms, gaps)}"


def _terms_text(terms: list[tuple[Selector, float]], gaps: list[tuple[tuple[str, str], Selector]]) -> str:
    if gaps:
        text = _gap_text(*gaps[0])
        for arms, place in gaps[1:]:
            swapped = arms == gaps[0][0][::-1]
            text += f" minus {_gap_text(arms[::-1], place)}" if swapped else f" plus {_gap_text(arms, place)}"
        return text
    ordered = sorted(terms, key=lambda term: -term[1])
    if [weight for _, weight in ordered] == [1, -1]:
        return " minus ".join(_term_text(selector, 1) for selector, _ in ordered)
    text = " ".join(f"{'+' if weight > 0 else '-'} {_term_text(selector, abs(weight))}" for selector, weight in ordered)
    return text.removeprefix("+ ")


def _gaps(terms: list[tuple[Selector, float]]) -> list[tuple[tuple[str, str], Selector]]:
    """The contrast as differences of two arms at one place each; empty where it is something else."""
    places: dict[tuple[tuple[str, str], ...], dict[float, str]] = {}
    for selector, weight in terms:
        arms = places.setdefault(selector.factors, {})
        if weight not in (1, -1) or weight in arms:
            return []
        arms[weight] = selector.arm
    if any(len(arms) != 2 for arms in places.values()):
        return []
    return [((arms[1], arms[-1]), Selector("", factors)) for factors, arms in places.items()]


def _gap_text(arms: tuple[str, str], place: Selector) -> str:
    return f"({arms[0]} minus {arms[1]} {_at(place)})".replace(" )", ")")


def _term_text(selector: Selector, weight: float) -> str:
    times = "" if weight == 1 else f"{weight:.3g} x "
    return f"{times}{selector.arm} {_at(selector)}".strip()


def _at(selector: Selector) -> str:
    pinned = " and ".join(f"{factor} {value}" for factor, value in selector.factors)
    return f"at {pinned}" if pinned else ""


def _averaged_figure(verdict: Verdict, what: str, alpha: float) -> str:
    size = _amount(verdict, verdict.effect, sign="+") + _unit(verdict)
    interval = f"{100 * (1 - alpha):g} % interval {_amount(verdict, verdict.low)} to {_amount(verdict, verdict.high)}"
    return f"{what} is {size} ({interval}, {verdict.n} paired seeds, {_evidence(verdict)})"


def _ranked_figure(verdict: Verdict, what: str) -> str:
    values = verdict.values.values()
    above, below = sum(value > 0 for value in values), sum(value < 0 for value in values)
    counts = f"above zero in {above} and below zero in {below} of {_count(verdict.n, 'paired seed')}"
    cells = _count(len(verdict.diverged), "diverged cell")
    return f"{what} is {counts} ({cells} ranked as worst, signed-rank test, {_p_text('Holm', verdict.p_holm)})"


def _finding(verdict: Verdict, alpha: float) -> str:
    """What the figure shows, and what it does not."""
    matters = f"the {_margin(verdict)} that matter{'' if _is_error(verdict.metric) else 's'}"
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


def _supported_size(verdict: Verdict, matters: str) -> str:
    if verdict.margin == 0:
        return f"the difference is {verdict.expect}, as the claim says"
    near_end = verdict.low if verdict.expect == "positive" else verdict.high
    if near_end is None:
        return f"the median reaches {matters}, but the size of the difference has no interval"
    if abs(near_end) >= verdict.margin:
        return f"at least {matters}"
    return f"the estimate reaches {matters}, but a smaller difference is not ruled out"


def _advice(verdict: Verdict) -> str:
    if verdict.seeds_needed is None:
        return ""
    if verdict.seeds_needed >= MOST_SEEDS:
        return f"; to decide it would take {MOST_SEEDS} seeds or more"
    return f"; about {verdict.seeds_needed} seeds would probably decide it"


def _is_error(metric: str) -> bool:
    return metric.endswith("error")


def _unit(verdict: Verdict) -> str:
    return " percentage points" if _is_error(verdict.metric) else ""


def _margin(verdict: Verdict) -> str:
    return f"{verdict.margin * (100 if _is_error(verdict.metric) else 1):g}{_unit(verdict)}"


def _amount(verdict: Verdict, value: float | None, sign: str = "") -> str:
    """A value in the metric's unit, with the decimals that two digits of the interval's half width need."""
    if value is None:
        return "unknown"
    scale = 100 if _is_error(verdict.metric) else 1
    half = (verdict.high - verdict.low) / 2 if verdict.high is not None and verdict.low is not None else 0.0
    reference = (half or abs(verdict.effect or 0.0)) * scale
    decimals = min(8, max(0, 1 - math.floor(math.log10(reference)))) if reference > 0 else 0
    rounded = round(value * scale, decimals) + 0.0
    return f"{rounded:{sign if rounded else ''},.{decimals}f}"


def _evidence(verdict: Verdict) -> str:
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

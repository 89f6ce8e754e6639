"""What a claim is about, in words: its contrast, with the metric."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.analysis.metrics import metric_of
from ablate.analysis.selectors import Selector, added_up, alternatives
from ablate.analysis.verdict import Verdict


def subject_of(verdict: Verdict) -> str:
    """What a claim's effect is the size of, such as `at depth 110 post minus pre training loss`."""
    metric = metric_of(verdict.metric)
    joint = "over" if verdict.scale == "ratio" else "minus"
    if verdict.trend:
        terms = added_up(verdict.contrast)
        only = next(iter(terms)) if len(terms) == 1 and 1 in terms.values() else None
        several = f"{metric.words} of {_terms_text(list(terms.items()), [], joint)}"
        of = f"{_term_text(only, 1)} {metric.words}" if only else several
        return f"the rise of {of} from the first to the last {verdict.trend}"
    if verdict.threshold is not None:
        terms = added_up(verdict.contrast)
        size = f"{metric.factor * verdict.threshold:g} {metric.unit}".rstrip()
        return f"{metric.words} of {_terms_text(list(terms.items()), [], joint)} {joint} {size}"
    return subject(verdict.contrast, metric.words, joint)


def subject(contrast: Mapping[str, float], metric: str, joint: str = "minus") -> str:
    """What a contrast subtracts from what, such as `at depth 110 post minus pre training loss`; `over` for a ratio."""
    terms = list(added_up(contrast).items())
    gaps = _gaps(terms)
    if len(gaps) == 1:
        (plus, minus), place = gaps[0]
        return f"{_at(place)} {plus} {joint} {minus} {metric}".strip()
    return f"{metric} of {_terms_text(terms, gaps, joint)}"


def _terms_text(terms: list[tuple[Selector, float]], gaps: list[tuple[tuple[str, str], Selector]], joint: str) -> str:
    if gaps:
        text = _gap_text(*gaps[0], joint)
        for arms, place in gaps[1:]:
            swapped = arms == gaps[0][0][::-1]
            other = "times" if joint == "over" else "plus"
            added = f"{joint} {_gap_text(arms[::-1], place, joint)}" if swapped else ""
            text += f" {added or f'{other} {_gap_text(arms, place, joint)}'}"
        return text
    ordered = sorted(terms, key=lambda term: -term[1])
    if [weight for _, weight in ordered] == [1, -1]:
        return f" {joint} ".join(_term_text(selector, 1) for selector, _ in ordered)
    text = " ".join(f"{'+' if weight > 0 else '-'} {_term_text(selector, abs(weight))}" for selector, weight in ordered)
    return text.removeprefix("+ ")


def _gaps(terms: list[tuple[Selector, float]]) -> list[tuple[tuple[str, str], Selector]]:
    """The contrast as differences of two arms at one place each; empty where it is something else."""
    places: dict[tuple[tuple[str, str], ...], dict[float, str]] = {}
    for selector, weight in terms:
        arms = places.setdefault(selector.factors, {})
        if weight not in (1, -1) or weight in arms:
            return []
        arms[weight] = _arms_text(selector)
    if any(len(arms) != 2 for arms in places.values()):
        return []
    return [((arms[1], arms[-1]), Selector("", factors)) for factors, arms in places.items()]


def _gap_text(arms: tuple[str, str], place: Selector, joint: str) -> str:
    return f"({arms[0]} {joint} {arms[1]} {_at(place)})".replace(" )", ")")


def _term_text(selector: Selector, weight: float) -> str:
    times = "" if weight == 1 else f"{weight:.3g} x "
    return f"{times}{_arms_text(selector)} {_at(selector)}".strip()


def _arms_text(selector: Selector) -> str:
    return " or ".join(selector.arms) or "all arms"


def _at(selector: Selector) -> str:
    pinned = " and ".join(f"{factor} {' or '.join(alternatives(value))}" for factor, value in selector.factors)
    return f"at {pinned}" if pinned else ""

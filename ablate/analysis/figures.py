"""The figures of a verdict as its sentence prints them: never so coarse that they say what the values do not."""

from __future__ import annotations

import math

from ablate.analysis.metrics import metric_of
from ablate.analysis.verdict import Verdict

MOST_DECIMALS, MOST_DIGITS = 8, 15
MORE_DECIMALS = 6  # of an interval's end, so that it stays on its side of zero and of the margin


def amount(verdict: Verdict, value: float | None, sign: str = "") -> str:
    """A value in the metric's unit, with the decimals that two digits of the interval's half width need, or more."""
    if value is None:
        return "unknown"
    if not math.isfinite(value):
        return f"{'-' if value < 0 else sign}infinite"
    shown, decimals = value * _factor(verdict), _decimals(verdict)
    leading = math.floor(math.log10(abs(shown))) if shown else 0
    if shown and (decimals > MOST_DECIMALS or leading >= MOST_DIGITS):
        return f"{shown:{sign}.{min(MOST_DIGITS, max(0, leading + decimals))}e}"
    rounded = round(shown, decimals) + 0.0
    return f"{rounded:{sign if rounded else ''},.{max(0, min(decimals, MOST_DECIMALS))}f}"


def unit(verdict: Verdict) -> str:
    """The unit of the effect, after a blank; empty for a plain number."""
    text = metric_of(verdict.measure).difference_unit
    return f" {text}" if text else ""


def what_matters(verdict: Verdict) -> str:
    """The margin on the side that counts: "the 0.05 that matters", "the 1 percentage point that matters".

    A ratio's margin of 10 % is 9.09 % downwards: on the scale of logarithms both are as far from none.
    """
    down, up = (abs(_factor(verdict) * bound) for bound in verdict.bounds)
    size = down if verdict.expect == "negative" and verdict.verdict != "equivalent" else up
    both = verdict.scale == "ratio" and (verdict.expect == "zero" or verdict.verdict == "equivalent")
    further = f" ({down:.3g} % downwards)" if both else ""
    text = f"{size:.3g}" if verdict.scale == "ratio" and size == down != up else f"{size:g}"
    one = text == "1"
    words = unit(verdict).removesuffix("s") if one and unit(verdict) != " s" else unit(verdict)
    many = words not in ("", " %") and not one
    return f"the {text}{words} that matter{'' if many else 's'}{further}"


def p_text(name: str, p: float | None, level: float) -> str:
    """A p with its name, with so many digits that it does not round to the other side of its level."""
    if p is None:
        return f"no {name} p"
    if p < 0.001 <= level:
        return f"{name} p < 0.001"
    for digits in (2, 3, 4, 6):
        text = f"{p:.{digits}g}"
        if (float(text) < level) == (p < level):
            return f"{name} p = {text}"
    return f"{name} p {'just below' if p < level else 'at'} {level:g}"


def count(number: int, noun: str) -> str:
    """`1 cell`, `2 cells`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _factor(verdict: Verdict) -> float:
    return metric_of(verdict.measure).factor


def _decimals(verdict: Verdict) -> int:
    """Decimals of the effect and its interval; negative for none at all before the point."""
    k = _factor(verdict)
    ends = [k * x for x in (verdict.low, verdict.high) if x is not None and math.isfinite(x)]
    half = (ends[1] - ends[0]) / 2 if len(ends) == 2 else 0.0
    effect = k * (verdict.effect or 0.0)
    reference = half or (abs(effect) if math.isfinite(effect) else 0.0)
    if not 0 < reference < math.inf:
        return 0
    least = 1 - math.floor(math.log10(reference))
    marks = [0.0, *(k * bound for bound in verdict.bounds if math.isfinite(bound))]
    values = [x for x in (effect, *ends) if math.isfinite(x)]
    for decimals in range(max(0, least), max(0, least) + MORE_DECIMALS):
        if all(_stays(x, mark, decimals) for x in values for mark in marks):
            return decimals
    return max(0, least)


def _stays(x: float, mark: float, decimals: int) -> bool:
    """Whether a rounded value is on the same side of a mark."""
    shown = round(x, decimals)
    return (shown > mark) == (x > mark) and (shown < mark) == (x < mark)

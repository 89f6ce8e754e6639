"""Numbers as people read them. Errors are fractions in files and per cent here."""

from __future__ import annotations

import math

from ablate.analysis.metrics import RELATIVE, metric_of

MINUS = "\u2212"
ABSENT = "\u2013"
_POWERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def factor(metric: str) -> float:
    """What a stored value is multiplied by before it is shown."""
    return metric_of(metric).factor


def metric_name(metric: str) -> str:
    """`train/loss` as "training loss"."""
    return metric_of(metric).words


def metric_axis(metric: str) -> str:
    """The name of a metric with its unit, for an axis or a column."""
    unit = metric_of(metric).unit
    return metric_name(metric) + (f" ({unit})" if unit else "")


def difference_unit(metric: str) -> str:
    """The unit of a difference between two values of a metric; empty for a plain number."""
    return metric_of(metric).difference_unit


def decimals(width: float) -> int:
    """How many decimals show the two leading digits of `width`."""
    if not math.isfinite(width) or width <= 0:
        return 3
    return min(max(1 - math.floor(math.log10(width)), 0), 6)


def number(value: float | None, places: int | None = None, sign: bool = False) -> str:
    """A number with a true minus; four significant digits where `places` is not given."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if places is None:
        text = f"{value:+.4g}" if sign else f"{value:.4g}"
    else:
        value = round(value, places) + 0.0  # no "-0.00"
        text = f"{value:+,.{places}f}" if sign else f"{value:,.{places}f}"
    return text.replace("-", MINUS)


def value(metric: str, x: float | None) -> str:
    """One value of a metric with its unit."""
    if x is None or not math.isfinite(x):
        return ABSENT
    shown = factor(metric) * x
    places = (1 if abs(x) >= 0.1 else 2) if metric_of(metric).is_error else significant(shown, 3)
    return _with_unit(number(shown, places), metric)


def significant(x: float, digits: int) -> int:
    """How many decimals show `digits` leading digits of `x`, between 0 and 6."""
    if x == 0 or not math.isfinite(x):
        return 0
    return min(max(digits - 1 - math.floor(math.log10(abs(x))), 0), 6)


def mean_interval(metric: str, mean: float, low: float | None, high: float | None) -> str:
    """A mean and the half-width of its interval; the mean alone where there is no interval."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return value(metric, mean)
    k = factor(metric)
    half = k * (high - low) / 2
    places = decimals(half) if half > 0 else significant(k * mean, 3)
    return _with_unit(f"{number(k * mean, places)} ± {number(half, places)}", metric)


def _with_unit(text: str, metric: str) -> str:
    unit = metric_of(metric).unit
    return f"{text} {unit}" if unit else text


def effect(metric: str, mean: float | None, low: float | None, high: float | None, unit: bool = False) -> str:
    """A difference with its sign, at the precision that its interval warrants; `unit` adds "pp" or "%"."""
    if mean is None:
        return ABSENT
    text = number(factor(metric) * mean, _effect_places(metric, mean, low, high), sign=True)
    short = {"percentage points": "pp"}.get(difference_unit(metric), difference_unit(metric))
    return f"{text} {short}" if unit and short else text


def effect_interval(metric: str, mean: float | None, low: float | None, high: float | None) -> str:
    """The interval of a difference as "[low, high]"."""
    if mean is None or low is None or high is None:
        return ABSENT
    places, k = _effect_places(metric, mean, low, high), factor(metric)
    return f"[{number(k * low, places, sign=True)}, {number(k * high, places, sign=True)}]"


def _effect_places(metric: str, mean: float, low: float | None, high: float | None) -> int:
    half = (high - low) / 2 if low is not None and high is not None else 0.0
    return decimals(factor(metric) * half) if half > 0 else significant(factor(metric) * mean, 3)


def margin(metric: str, x: float | None) -> str:
    """The margin of a claim as "±0.05" with its unit; of a ratio both of its ends, which differ."""
    if x is None or math.isnan(x):
        return ABSENT
    if metric == RELATIVE.name:
        return f"{MINUS}{100 * x / (1 + x):.3g} % to +{100 * x:g} %"
    unit = difference_unit(metric)
    return f"±{factor(metric) * x:g}" + (f" {unit}" if unit else "")


def p_value(p: float | None) -> str:
    """A p value to two digits, never as zero."""
    if p is None or not math.isfinite(p):
        return ABSENT
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def count(n: float | None) -> str:
    """A large count with three digits and its power of a thousand: 1.73 M."""
    if n is None or not math.isfinite(n):
        return ABSENT
    for power, letter in _POWERS:
        # From here on three digits round up to the next power: 999,600 is 1 M and not 1,000 k.
        if abs(n) >= power * 0.9995:
            scaled = float(f"{n / power:.3g}")
            return f"{number(scaled, significant(scaled, 3))} {letter}"
    return number(n, 0 if n == int(n) else 1)


def duration(seconds: float | None) -> str:
    """A time as "12.3 s", "4 m 05 s" or "2 h 05 m"."""
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    # Beyond, one decimal would read "60.0 s".
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m"


def label(x: object) -> str:
    """A grid value as text: 20.0 is "20", True is "true"."""
    if isinstance(x, bool):
        return str(x).lower()
    if isinstance(x, float):
        return "null" if math.isnan(x) else f"{x:g}"
    return "null" if x is None else str(x)


def plural(n: int, noun: str) -> str:
    """A count with its noun: "1 cell", "3 cells", "2 studies"."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{n} {noun}" if n == 1 else f"{n} {many}"

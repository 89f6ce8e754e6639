"""Numbers as people read them. Errors are fractions in files and per cent here."""

from __future__ import annotations

import math

MINUS = "\u2212"
ABSENT = "\u2013"
RELATIVE = "relative change"  # stands in for a metric where effects are parts of the value that they change
_NAMES = {"train": "training", "test": "test"}
_POWERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def is_error(metric: str) -> bool:
    """Whether a metric is an error rate, kept as a fraction and shown in per cent."""
    return metric.rsplit("/", 1)[-1] == "error"


def factor(metric: str) -> float:
    """What a stored value is multiplied by before it is shown."""
    return 100.0 if is_error(metric) or metric == RELATIVE else 1.0


def metric_name(metric: str) -> str:
    """`train/loss` as "training loss"; a name of another form loses only its punctuation."""
    split, _, rest = metric.partition("/")
    words = f"{_NAMES[split]} {rest}" if split in _NAMES and rest else metric.replace("/", " ")
    return words.replace("_", " ")


def metric_axis(metric: str) -> str:
    """The name of a metric with its unit, for an axis or a column."""
    return metric_name(metric) + (" (%)" if is_error(metric) else "")


def difference_unit(metric: str) -> str:
    """The unit of a difference between two values of a metric; empty for a plain number."""
    if metric == RELATIVE:
        return "%"
    return "percentage points" if is_error(metric) else ""


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
    return number(100 * x, 1 if abs(x) >= 0.1 else 2) + " %" if is_error(metric) else number(x, significant(x, 3))


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
    text = f"{number(k * mean, places)} ± {number(half, places)}"
    return text + " %" if is_error(metric) else text


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
    """The margin of a claim as "±0.05" with its unit."""
    if x is None:
        return ABSENT
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
        if abs(n) >= power * 0.9995:
            scaled = float(f"{n / power:.3g}")
            return f"{number(scaled, significant(scaled, 3))} {letter}"
    return number(n, 0 if n == int(n) else 1)


def duration(seconds: float | None) -> str:
    """A time as "12.3 s", "4 m 05 s" or "2 h 05 m"."""
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
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
    """A count with its noun: "1 cell", "3 cells"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

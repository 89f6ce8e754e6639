"""A measured figure: the values of interleaved repetitions, and their median."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the bench.

    Attributes:
        name: what was measured.
        unit: of the values; `x` for a ratio.
        values: of each repetition.
        bound: what the project holds itself to, as text; empty where it is only told.
        meets: whether the median is within it; None without a bound.
    """

    name: str
    unit: str
    values: list[float]
    bound: str = ""
    meets: bool | None = None

    @property
    def median(self) -> float:
        """The middle value, which a disturbance of one repetition does not move."""
        return statistics.median(self.values)

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "least": min(self.values),
            "most": max(self.values),
            "values": self.values,
            "bound": self.bound,
            "meets": self.meets,
        }


def at_most(name: str, unit: str, values: list[float], bound: float) -> Figure:
    """A figure that is good when it is small."""
    return Figure(name, unit, values, f"at most {bound:g}", statistics.median(values) <= bound)


def at_least(name: str, unit: str, values: list[float], bound: float) -> Figure:
    """A figure that is good when it is large."""
    return Figure(name, unit, values, f"at least {bound:g}", statistics.median(values) >= bound)


def interleaved(
    ours: Callable[[], float], theirs: Callable[[], float], pairs: int
) -> tuple[list[float], list[float], list[float]]:
    """Both measurements pair by pair in alternating order, after one warm-up of each.

    Returns:
        Ours, theirs, and ours over theirs, a value for each pair.
    """
    ours(), theirs()
    first, second = [], []
    for pair in range(pairs):
        # What drifts meanwhile (heat, other processes) falls on both alike only where each is first as often.
        if pair % 2:
            second.append(theirs())
            first.append(ours())
        else:
            first.append(ours())
            second.append(theirs())
    return first, second, [one / other for one, other in zip(first, second, strict=True)]


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

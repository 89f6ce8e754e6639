"""A measured figure: the values of interleaved repetitions, and their median."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the bench; while a part runs, one for each repetition that is done.

    Attributes:
        name: what was measured.
        unit: of the values; `x` for a ratio.
        values: of each repetition that is done.
        of: repetitions that there are to be.
        bound: what the project holds itself to, as text; empty where it is only told.
        within: whether the median is within it; None without a bound.
    """

    name: str
    unit: str
    values: list[float]
    of: int
    bound: str = ""
    within: bool | None = None

    @property
    def median(self) -> float:
        """The middle value, which a disturbance of one repetition does not move."""
        return statistics.median(self.values)

    @property
    def finished(self) -> bool:
        """Whether all repetitions are done."""
        return len(self.values) >= self.of

    @property
    def meets(self) -> bool | None:
        """Whether it is within its bound; a figure of fewer repetitions than asked for is held to nothing."""
        return self.within if self.finished else None

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "least": min(self.values),
            "most": max(self.values),
            "values": self.values,
            "repetitions": self.of,
            "finished": self.finished,
            "bound": self.bound,
            "meets": self.meets,
        }


Measured = Generator[list[Figure], None, None]  # after each repetition, the figures that it has changed


def at_most(name: str, unit: str, values: list[float], of: int, bound: float) -> Figure:
    """A figure that is good when it is small."""
    return Figure(name, unit, values, of, f"at most {bound:g}", statistics.median(values) <= bound)


def at_least(name: str, unit: str, values: list[float], of: int, bound: float | None) -> Figure:
    """A figure that is good when it is large; None: it is held to nothing on this machine."""
    if bound is None:
        return Figure(name, unit, values, of)
    return Figure(name, unit, values, of, f"at least {bound:g}", statistics.median(values) >= bound)


@dataclass(frozen=True)
class Pairs:
    """What two measurements gave, pair by pair.

    Attributes:
        ours: a value for each pair that is done.
        theirs: as many.
        of: pairs that there are to be.
    """

    ours: list[float]
    theirs: list[float]
    of: int

    @property
    def ratios(self) -> list[float]:
        """Ours over theirs."""
        return [one / other for one, other in zip(self.ours, self.theirs, strict=True)]


def interleaved(ours: Callable[[], float], theirs: Callable[[], float], pairs: int) -> Iterator[Pairs]:
    """Both measurements pair by pair in alternating order; all that is done so far, after each pair.

    What is done once alone, such as filling caches, is the caller's to do before: a short run of each.
    """
    first: list[float] = []
    second: list[float] = []
    for pair in range(pairs):
        # What drifts meanwhile (heat, other processes) falls on both alike only where each is first as often.
        if pair % 2:
            other, one = theirs(), ours()
        else:
            one, other = ours(), theirs()
        first.append(one)
        second.append(other)
        yield Pairs(list(first), list(second), pairs)


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

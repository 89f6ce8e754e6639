"""The value of a numeric knob at which a cost comes nearest to a target."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ablate.errors import InputError

STEP = 1.002  # between two neighbouring values of a real knob
REACH = 1024  # how far a search goes from where it starts, as a factor
CLOSE = 0.005  # a difference that is not worth another network: a deep one takes a tenth of a second
PROBES = 32  # values tried in a bracket where a network refuses some

Cost = Callable[[float], int]


@dataclass(frozen=True)
class Knob:
    """The values that a knob can take, by number: the whole numbers from 1, or real ones in steps of 0.2 %.

    Attributes:
        start: the value of number 0.
        whole: whether the knob takes whole numbers alone.
    """

    start: float
    whole: bool

    def value(self, number: int) -> float:
        """The value of that number; real ones have four significant digits, so that a config stays readable."""
        return int(self.start) + number if self.whole else float(f"{self.start * STEP**number:.4g}")

    def number(self, value: float) -> int:
        """The number of the nearest value, never below that of the smallest."""
        return max(1, round(value)) - int(self.start) if self.whole else round(math.log(value / self.start, STEP))


@dataclass
class Search:
    """A search for the value whose cost is nearest to `target`.

    Args:
        knob: the values.
        cost: the cost of a value; raises InputError for a value that a network refuses.
        target: the cost wanted.
    """

    knob: Knob
    cost: Cost
    target: int
    costs: dict[int, int] = field(default_factory=dict)  # by number, of the values that the network accepts
    refused: set[int] = field(default_factory=set)
    refusal: InputError | None = None  # the last one

    def nearest(self) -> tuple[float, int]:
        """The value found and its cost: one within CLOSE of the target where the search meets it, else the nearest.

        The cost is taken to move in one direction with the knob, in steps: channels are whole numbers.

        Raises:
            InputError: the network refuses every value that was tried.
        """
        self._bracket()
        # Interpolation is near after one or two networks, and may creep towards one end where costs go in steps; every
        # other turn the middle halves the bracket, so that the search ends.
        turns = itertools.cycle((self._expected, self._middle))
        while not self._is_close() and (ends := self._ends()) is not None:
            around = next(turns)(*ends)
            if not any(self._accepts(number) for number in self._between(*ends, around)):
                break
        if not self.costs:
            assert self.refusal is not None, "the start was tried"
            raise self.refusal
        # Where steps of the cost make values equal, the one nearest to the arm as it is written.
        best = min(self.costs, key=lambda number: (self._gap(self.costs[number]), abs(number)))
        return self.knob.value(best), self.costs[best]

    def _accepts(self, number: int) -> bool:
        """Learn the cost at a number; false where the network refuses the value."""
        # Each value at most once: a network takes up to a tenth of a second to build, and brackets overlap.
        if number not in self.costs and number not in self.refused:
            try:
                self.costs[number] = self.cost(self.knob.value(number))
            except InputError as error:
                self.refused.add(number)
                self.refusal = error
        return number in self.costs

    def _bracket(self) -> None:
        """Double or halve the knob until the target lies between two known costs."""
        upward = not self._accepts(0) or self.costs[0] < self.target
        # First the way that costs usually go; a knob such as a number of groups makes a network cheaper as it grows.
        for way in (upward, not upward):
            gaps = [self._gap(self.costs[0])] if 0 in self.costs else []
            for number in self._strides(upward=way):
                if self._is_close() or self._ends() is not None:
                    return
                if self._accepts(number):
                    gaps.append(self._gap(self.costs[number]))
                if gaps != sorted(gaps, reverse=True):  # it moves away from the target
                    break

    def _strides(self, *, upward: bool) -> Iterator[int]:
        factor = 2
        while factor <= REACH:
            yield self.knob.number(self.knob.start * factor if upward else self.knob.start / factor)
            factor *= 2

    def _ends(self) -> tuple[int, int] | None:
        """The two known numbers next to each other with the target between their costs; None where there are none."""
        # Invariant of the search: the target lies between the costs of two known neighbours, ever nearer ones.
        for low, high in itertools.pairwise(sorted(self.costs)):
            least, most = sorted((self.costs[low], self.costs[high]))
            if least <= self.target <= most:
                return low, high
        return None

    def _expected(self, low: int, high: int) -> int:
        """Where the target lies if the logarithm of the cost is a straight line between the ends."""
        # Costs grow with a power of a factor such as width, and the numbers of a real knob are its logarithm.
        first, last, target = (math.log(max(1, n)) for n in (self.costs[low], self.costs[high], self.target))
        return low + round((high - low) * (target - first) / (last - first)) if first != last else low

    def _middle(self, low: int, high: int) -> int:
        return (low + high) // 2

    def _between(self, low: int, high: int, around: int) -> Iterator[int]:
        """Numbers inside a bracket, those around one of them first; not all of a large bracket."""
        # Beyond the one value asked for, since a network refuses some: groups that do not divide its channels, for
        # example. Not each value of a bracket that is hundreds wide: a network that refuses all of it would take
        # minutes to say so.
        stride = max(1, (high - low) // PROBES)
        for offset in range(0, high - low, stride):
            for number in (around - offset, around + offset):
                if low < number < high:
                    yield number

    def _is_close(self) -> bool:
        return any(self._gap(cost) <= CLOSE for cost in self.costs.values())

    def _gap(self, cost: int) -> float:
        return abs(cost / self.target - 1)

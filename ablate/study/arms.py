"""Arms: named variants, each with what it declares to change against its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

KNOB = "width"  # the key that a matched arm adjusts where it names no other


@dataclass(frozen=True)
class Arm:
    """One named variant of a study.

    Attributes:
        name: of the arm.
        overrides: Hydra overrides against the base config.
        baseline: the arm that it is compared with; None where it is the baseline itself.
        changes: the keys that it declares to change against its baseline, such as `order`.
        match: the cost that is made equal to that of its baseline, `params` or `flops`; None where nothing is matched.
        knob: the numeric key that is adjusted for it, such as `width`; None where nothing is matched.
        design: the part of the study that it comes from: `arms` where it is written there, or the design that made it.
        seeds_from: where its own random streams begin, of which the k-th goes with the k-th seed of the study; None for
            an arm that takes the study's seeds, as all do that are compared seed by seed. An arm that changes nothing
            else is a null arm: whatever it differs by is chance.
        starts_from: the arm whose trained network, at the same point with the same seed, its parameters start from,
            where names and shapes agree; None where `init` alone decides.
    """

    name: str
    overrides: list[str]
    baseline: str | None = None
    changes: list[str] = field(default_factory=list)
    match: str | None = None
    knob: str | None = None
    design: str = "arms"
    seeds_from: int | None = None
    starts_from: str | None = None

    def streams(self, seeds: Sequence[int]) -> list[int]:
        """The seed that each of its cells draws by, in the order of the study's seeds."""
        return list(seeds) if self.seeds_from is None else [self.seeds_from + place for place in range(len(seeds))]


@dataclass(frozen=True)
class Matched:
    """How near a matched arm came to its baseline at one point of the grid.

    Attributes:
        metric: what is matched, one of METRICS.
        knob: the key that was adjusted.
        value: what it was set to.
        cost: of the arm's network, in the unit of the metric.
        target: the cost of its baseline's network at the same point.
    """

    metric: str
    knob: str
    value: float
    cost: int
    target: int

    @property
    def difference(self) -> float:
        """By what part of it the cost lies above the baseline's: 0.01 for 1 % more."""
        return self.cost / self.target - 1

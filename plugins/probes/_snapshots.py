"""What probes share that look at a network a few times, from its first step to its last."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ablate import Course, InputError, Probe, StepLook

AT_START = "_at_start"
LAYER, UNIT = "layer, from the input", "unit, from the input"  # at the axis of a chart over places


def check_looks(probe: str, looks: int) -> int:
    """The number of looks of a probe.

    Raises:
        InputError: it is below 1.
    """
    if looks < 1:
        raise InputError(f"probes.{probe}.looks={looks}: must be at least 1")
    return looks


def evenly(course: Course, looks: int) -> list[int]:
    """Steps at equal distances, from the first to the last; the first alone for one look."""
    last = course.steps - 1
    return sorted({round(look * last / max(1, looks - 1)) for look in range(looks)})


def midway(course: Course, looks: int) -> list[int]:
    """The steps in the middle of equal parts of all steps: neither the first, nor where a schedule has ended at 0."""
    return sorted({(2 * look + 1) * course.steps // (2 * looks) for look in range(looks)})


def both_ends(*names: str) -> tuple[str, ...]:
    """Columns for the values at the last look, and with the ending `_at_start` for those before the first update."""
    return (*names, *(f"{name}{AT_START}" for name in names))


class Snapshots(Probe):
    """A probe whose columns are values at its last look, and the same before the first update (`_at_start`).

    Args:
        looks: steps that it looks at, from the first to the last.
    """

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self._kept: dict[str, float | Tensor] = {}

    def steps(self, course: Course) -> list[int]:
        """At equal distances."""
        return evenly(course, self.looks)

    def keep(self, look: StepLook, values: Mapping[str, Tensor]) -> None:
        """Keep the columns' values; they stay on the device until they are asked for."""
        if look.step == 0:
            self._kept |= {f"{name}{AT_START}": value for name, value in values.items()}
        self._kept |= values

    def values(self) -> dict[str, float]:
        """Of the last look, and of the first step."""
        return {name: float(value) for name, value in self._kept.items()}

    def state(self) -> dict[str, Any]:
        return self.values()

    def load(self, state: Mapping[str, Any]) -> None:
        self._kept = dict(state)

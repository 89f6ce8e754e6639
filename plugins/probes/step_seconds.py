"""Where the time of a step goes."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from ablate import Course, Probe, StepLook, register

from ._snapshots import check_looks, midway

PARTS = ("forward", "backward", "update")


@register("probe", "step_seconds")
class StepSeconds(Probe):
    """Seconds of the forward pass with the loss, of the backward pass, and of the update, at some steps.

    A step that is looked at runs operation by operation, also under `trainer.compile=cudagraphs`, and waits for the
    device behind each part. Other probes that look into the forward pass of the same step are timed with it: its steps
    stand between those at which they look by default.

    Columns: the medians `forward`, `backward` and `update`, in seconds, and `backward_share`, that of the backward
    pass in the three.

    Args:
        looks: steps that it looks at, each in the middle of an equal part of all steps.
    """

    columns = (*PARTS, "backward_share")

    def __init__(self, *, looks: int = 10) -> None:
        self.looks = check_looks("step_seconds", looks)
        self._seconds: dict[str, list[float]] = {part: [] for part in PARTS}

    def steps(self, course: Course) -> list[int]:
        """In the middle of equal parts: the very first steps, which warm up, are none of them."""
        return midway(course, self.looks)

    def after_update(self, look: StepLook) -> None:
        """A row."""
        seconds = {part: look.seconds[part] for part in PARTS}
        look.record(**seconds)
        for part, value in seconds.items():
            self._seconds[part].append(value)

    def values(self) -> dict[str, float]:
        """Medians over the looks."""
        if not self._seconds["update"]:
            return {}
        medians = {part: median(values) for part, values in self._seconds.items()}
        return {**medians, "backward_share": medians["backward"] / sum(medians.values())}

    def state(self) -> dict[str, Any]:
        return self._seconds

    def load(self, state: Mapping[str, Any]) -> None:
        self._seconds = {part: list(state[part]) for part in PARTS}

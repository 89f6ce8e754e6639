"""How many steps training takes to a loss."""

import math
from collections.abc import Mapping
from typing import Any

from ablate import Chart, Course, InputError, Probe, StepLook, register


@register("probe", "steps_to")
class StepsTo(Probe):
    """Optimiser steps until the training loss falls below thresholds, finer than epochs (`trainer.epochs_to`) say it.

    As Ioffe and Szegedy 2015 count them (arXiv 1502.03167, Fig. 3), on training batches. The loss is that which is
    trained on: augmented images, training mode, auxiliary classifiers included with their weight. A batch's loss is
    noisy, so that of the last few looks is meaned.

    Columns: `loss<0.5` and so on, one for each threshold: the number of steps taken before the look at which the mean
    first is below it; nothing where it never is, which ranks as worst. The table has the sampled losses and their
    means.

    Args:
        losses: the thresholds; null for 1 and 0.5.
        every: steps from one look to the next.
        over: looks that a mean is over.
    """

    charts = (
        Chart(
            "mean", over="step", title="Training loss over the steps", words="training loss", log=True,
            caption="Loss of the batches that are trained on, meaned over a few looks (Ioffe and Szegedy 2015, arXiv "
            "1502.03167, Figure 3).",
        ),
    )  # fmt: skip

    def __init__(self, *, losses: list[float] | None = None, every: int = 4, over: int = 3) -> None:
        if every < 1 or over < 1:
            raise InputError(f"probes.steps_to.every={every} and over={over}: must be at least 1")
        losses = [1.0, 0.5] if losses is None else losses
        if not losses or not all(loss > 0 and math.isfinite(loss) for loss in losses):
            raise InputError(f"probes.steps_to.losses={losses}: must be one number above 0 or more")
        self.losses = {f"loss<{loss:g}": float(loss) for loss in losses}
        self.columns = tuple(self.losses)
        self.every, self.over = every, over
        self._latest: list[float] = []
        self._reached: dict[str, int] = {}

    def steps(self, course: Course) -> range:
        """From the first step on."""
        return range(0, course.steps, self.every)

    def after_forward(self, look: StepLook) -> None:
        """A row, and the thresholds that are passed."""
        assert look.loss is not None
        loss = float(look.loss.detach())
        self._latest = [*self._latest, loss][-self.over :]
        mean = sum(self._latest) / len(self._latest)
        look.record(loss=loss, mean=mean)
        for name, threshold in self.losses.items():
            if len(self._latest) == self.over and mean < threshold:
                self._reached.setdefault(name, look.step)

    def values(self) -> dict[str, float]:
        """Of the thresholds that were reached."""
        return {name: float(step) for name, step in self._reached.items()}

    def state(self) -> dict[str, Any]:
        return {"latest": self._latest, "reached": self._reached}

    def load(self, state: Mapping[str, Any]) -> None:
        self._latest, self._reached = list(state["latest"]), dict(state["reached"])

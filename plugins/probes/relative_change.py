"""How far one update moves branches, and how far what they are added into."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ablate import Chart, Course, InputError, Probe, StepLook, UnitPass, register, residual_units, watch_units

from ._snapshots import check_looks, midway

NAMES = ("branch", "output")
SEED = 0  # of what a network draws in both passes, such as dropout: that is to change nothing


@register("probe", "relative_change")
class RelativeChange(Probe):
    """Relative change of F(x) and of H(x) = h(x) + F(x) by one update, for each unit, on images that stay the same.

    The argument is that of the sources (002; after He et al. 2015, arXiv 1512.03385, section 3.1): where H must go from
    5.1 to 5.2, a plain layer changes by 2 % and a residual branch by all that it has. ‖F' − F‖ / ‖F‖ and
    ‖H' − H‖ / ‖H‖ are taken over all of some images of the step's batch, in training mode, in passes of the probe's
    own before and after the update. In a plain network the two are the same.

    Columns, means over all looks and units: `branch`, `output`, and `ratio`, the first over the second.

    Args:
        looks: steps that it looks at, each in the middle of an equal part of all steps; each costs about two steps.
        images: of the step's batch that the passes take.
    """

    columns = (*NAMES, "ratio")
    charts = tuple(
        Chart(
            name, title=f"Relative change of {what} by one update, by unit", words=f"relative change of {what}",
            axis="unit, from the input", log=True,
            caption=f"Norm of the change of {what} over that of {what} before the update, on the same images.",
        )
        for name, what in (("branch", "F(x)"), ("output", "H(x)"))
    )  # fmt: skip

    def __init__(self, *, looks: int = 2, images: int = 32) -> None:
        if images < 2:
            raise InputError(f"probes.relative_change.images={images}: must be at least 2, for norms over a batch")
        self.looks, self.images = check_looks("relative_change", looks), images
        self._sums: dict[str, float | Tensor] = {}

    def nothing_in(self, model: nn.Module) -> str:
        """It has no residual units."""
        return "" if residual_units(model) else "the network has no residual units"

    def steps(self, course: Course) -> list[int]:
        """In the middle of equal parts."""
        return midway(course, self.looks)

    def before_step(self, look: StepLook) -> None:
        """The units before the update."""
        self._before = self._seen(look)

    def after_update(self, look: StepLook) -> None:
        """A row for each unit."""
        changes: dict[str, list[Tensor]] = {name: [] for name in NAMES}
        for before, after in zip(self._before, self._seen(look), strict=True):
            branch = change(before.residual, after.residual)
            output = change(before.joined, after.joined)
            look.record(unit=before.unit.name, place=before.unit.place, branch=branch, output=output)
            changes["branch"].append(branch)
            changes["output"].append(output)
        self._before = []
        if not changes["branch"]:  # every unit is left out, as stochastic depth may do
            return
        means = {name: torch.stack(values).mean() for name, values in changes.items()}
        means["ratio"] = means["branch"] / means["output"]
        for name, value in means.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._sums["looks"] = self._sums.get("looks", 0) + 1

    def values(self) -> dict[str, float]:
        """Means over the looks."""
        return {name: float(self._sums[name]) / float(self._sums["looks"]) for name in self.columns if self._sums}

    def state(self) -> dict[str, Any]:
        return {name: float(value) for name, value in self._sums.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._sums = dict(state)

    def _seen(self, look: StepLook) -> list[UnitPass]:
        passes: list[UnitPass] = []
        with look.undisturbed() as model, torch.no_grad(), watch_units(residual_units(model), passes.append):
            torch.manual_seed(SEED)
            model(look.images[: self.images])
        return passes


def change(before: Tensor, after: Tensor) -> Tensor:
    """Norm of the difference over the norm of what was there."""
    return torch.linalg.vector_norm(after.float() - before.float()) / torch.linalg.vector_norm(before.float())

"""How large residual branches are beside what they are added to."""

import torch
from torch import Tensor, nn

from ablate import Chart, Hooks, StepLook, Unit, UnitPass, register, residual_units, watch_units

from ._maps import norms
from ._snapshots import UNIT, Snapshots, both_ends, check_looks


@register("probe", "branch_size")
class BranchSize(Snapshots):
    """‖F(x)‖ / ‖x‖ of each residual unit: Euclidean norms of each image's maps, and their ratio's mean over the batch.

    He et al. 2015 (arXiv 1512.03385, section 4.2): residual functions have small responses, so that the identity is a
    reasonable preconditioning (section 3.1). x is the unit's input, F(x) what is added, in training mode.

    Columns, at the last look and before the first update (`_at_start`), over the units that keep the shape of x, since
    norms of maps of other sizes do not compare: `mean`, `first`, `last`. The table also has the others, with
    `keeps_shape` 0.

    Args:
        looks: steps that it looks at, at equal distances from the first to the last.
    """

    columns = both_ends("mean", "first", "last")
    reads_forward = True
    charts = (
        Chart(
            "size", title="Size of residual branches by unit", words="‖F(x)‖ / ‖x‖", axis=UNIT,
            where={"keeps_shape": 1},
            caption="How large a unit's branch is beside its input, for the units that keep its shape (He et al. 2015, "
            "arXiv 1512.03385, section 4.2).",
        ),
    )  # fmt: skip

    def __init__(self, *, looks: int = 4) -> None:
        super().__init__(check_looks("branch_size", looks))

    def nothing_in(self, model: nn.Module) -> str:
        """It has no residual units."""
        return "" if residual_units(model) else "the network has no residual units"

    def before_step(self, look: StepLook) -> None:
        """From here on units are seen."""
        self._sizes: list[tuple[Unit, bool, Tensor]] = []
        self._hooks: Hooks = watch_units(residual_units(look.model), self._see)

    def after_forward(self, look: StepLook) -> None:
        """A row for each unit."""
        self._hooks.remove()
        for unit, keeps_shape, size in self._sizes:
            look.record(unit=unit.name, place=unit.place, keeps_shape=int(keeps_shape), size=size)
        if kept := [size for _, keeps_shape, size in self._sizes if keeps_shape]:
            self.keep(look, {"mean": torch.stack(kept).mean(), "first": kept[0], "last": kept[-1]})

    def _see(self, passed: UnitPass) -> None:
        ratio = norms(passed.residual) / norms(passed.x)
        self._sizes.append((passed.unit, passed.keeps_shape, ratio.mean()))

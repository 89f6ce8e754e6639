"""How much of its input a row of residual units still carries."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import Chart, Hooks, StepLook, Unit, UnitPass, register, residual_units, watch_units

from ._maps import norms
from ._snapshots import UNIT, Snapshots, both_ends, check_looks


@dataclass
class Row:
    """Units that follow each other and keep the shape of their input.

    Attributes:
        x: (B, C, H, W), x_l, what the first of them carries.
        total: (B, C, H, W), x_l plus the F of all units so far.
    """

    x: Tensor
    total: Tensor


@register("probe", "input_cosine")
class InputCosine(Snapshots):
    """Cosine of each residual unit's output to the input of its row, and what the sum of branches leaves unexplained.

    With identity shortcuts and nothing behind the addition, x_L = x_l + ΣF (He et al. 2016, arXiv 1603.05027, eq. 4).
    A row are the units of a stage that keep the shape of x; x_l is what the first of them adds F to. For each unit the
    table has `cosine`, of its output to x_l, and `unexplained`, ‖x_L − x_l − ΣF‖ / ‖x_L‖: zero for order `pre` with
    shortcut `identity`, not for `post`, whose activation stands behind the addition. Both are of each image, and
    meaned over the batch, in training mode.

    Columns, at the last look and before the first update (`_at_start`), of the last unit of each row: `cosine`, their
    mean, and `unexplained`, their largest.

    Args:
        looks: steps that it looks at, at equal distances from the first to the last.
    """

    columns = both_ends("cosine", "unexplained")
    reads_forward = True
    charts = (
        Chart(
            "cosine", title="Cosine to the input of the row, by unit", axis=UNIT,
            caption="Cosine of each unit's output to what the first unit of its row carries: 1 where nothing was "
            "added. Each row begins anew.",
        ),
        Chart(
            "unexplained", title="What the sum of branches leaves unexplained, by unit",
            words="‖x_L − x_l − ΣF‖ / ‖x_L‖", axis=UNIT,
            caption="Zero where a unit's output is the input of its row plus all branches since (He et al. 2016, arXiv "
            "1603.05027, eq. 4).",
        ),
    )  # fmt: skip

    def __init__(self, *, looks: int = 4) -> None:
        super().__init__(check_looks("input_cosine", looks))

    def nothing_in(self, model: nn.Module) -> str:
        """It has no residual units."""
        return "" if residual_units(model) else "the network has no residual units"

    def before_step(self, look: StepLook) -> None:
        """From here on units are seen."""
        self._rows: dict[str, Row] = {}
        self._seen: list[tuple[Unit, Tensor, Tensor]] = []
        self._hooks: Hooks = watch_units(residual_units(look.model), self._see)

    def after_forward(self, look: StepLook) -> None:
        """A row for each unit that keeps the shape of x."""
        self._hooks.remove()
        last: dict[str, tuple[Tensor, Tensor]] = {}
        for unit, cosine, rest in self._seen:
            look.record(unit=unit.name, place=unit.place, cosine=cosine, unexplained=rest)
            last[unit.row] = cosine, rest
        self._rows = {}  # with the maps of the whole network
        if last:
            cosines, rests = (torch.stack(values) for values in zip(*last.values(), strict=True))
            self.keep(look, {"cosine": cosines.mean(), "unexplained": rests.max()})

    def _see(self, passed: UnitPass) -> None:
        name = passed.unit.row
        if not passed.keeps_shape:
            self._rows.pop(name, None)  # what follows in this row begins anew behind it
            return
        row = self._rows.setdefault(name, Row(passed.carried.float(), passed.carried.float()))
        row.total = row.total + passed.residual.float()
        output = passed.output.float()
        rest = norms(output - row.total) / norms(output)
        cosine = F.cosine_similarity(output.flatten(1), row.x.flatten(1))
        self._seen.append((passed.unit, cosine.mean(), rest.mean()))

"""What lies between two trained networks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Literal

import torch
from torch import Tensor

from ablate import Chart, InputError, Measured, Measurement, Trained, register

from ._statistics import check_batches, estimated, first_batches


@register("measurement", "line")
class Line(Measurement):
    """Loss and error along the straight line from a network to that of another arm, w = (1 - α) w_0 + α w_1.

    Goodfellow et al. 2015 (arXiv 1412.6544, section 3) draw the loss along such lines; Frankle et al. 2020 (arXiv
    1912.05671, section 2) call two networks linearly connected where the error does not rise between them. The other
    network is that of the same point and seed; both must have the same parameters.

    Columns: `barrier`, the highest error on the line over the mean of its two ends, as theirs; `loss_barrier`, of the
    loss; `end`, error of the other network. The table has error and loss at each α, on the test and the training split.
    The arm at the end of the line itself has empty columns.

    Args:
        to: the arm at the end of the line.
        points: on the line, both ends among them.
        statistics: of batch norms: "estimated" anew at each point, both ends too, on training batches; or "kept", on
            the line as all other values are.
        batches: training batches that they are estimated on.
        splits: that are evaluated: "test", or "both" the test and the training split.
    """

    columns = ("barrier", "loss_barrier", "end")
    charts = (
        Chart(
            "error", over="alpha", title="Error on the line to another network", words="error",
            axis="share of the way", panel="split",
            caption="Networks on the straight line from each arm's to that of another arm (Frankle et al. 2020, arXiv "
            "1912.05671, section 2).",
        ),
        Chart(
            "loss", over="alpha", title="Loss on the line to another network", words="loss", axis="share of the way",
            panel="split", log=True,
            caption="The loss of the same networks (Goodfellow et al. 2015, arXiv 1412.6544, section 3).",
        ),
    )  # fmt: skip
    needs_others = True

    def __init__(
        self,
        *,
        to: str,
        points: int = 11,
        statistics: Literal["kept", "estimated"] = "estimated",
        batches: int = 4,
        splits: Literal["test", "both"] = "test",
    ) -> None:
        if points < 3:
            raise InputError(f"measurements.line.points={points}: must be at least 3, the ends and one between them")
        self.to = to
        self.points = points
        self.statistics = statistics
        self.batches = check_batches("line", batches)
        self.splits = ("test", "train") if splits == "both" else ("test",)

    def nothing_in(self, trained: Trained) -> str:
        """It is the end of the line."""
        return f"it is arm {self.to} itself, the end of the line" if trained.arm == self.to else ""

    def measure(self, trained: Trained) -> Measured:
        start, end = _values_of(trained), _values_of(trained.of_arm(self.to))
        _check_same(start, end, trained.arm, self.to)
        batches = first_batches(trained, self.batches) if self.statistics == "estimated" else []
        rows: list[dict[str, float | str]] = []
        with _kept(trained):
            for place in range(self.points):
                share = place / (self.points - 1)
                _set(trained, start, end, share)
                with estimated(trained, batches) if self.statistics == "estimated" else nullcontext():
                    found = {split: trained.evaluate(split) for split in self.splits}
                rows += [
                    {"alpha": share, "split": split, "error": error, "loss": loss}
                    for split, (loss, error) in found.items()
                ]
        errors, losses = ([float(row[what]) for row in rows if row["split"] == "test"] for what in ("error", "loss"))
        return Measured({"barrier": barrier(errors), "loss_barrier": barrier(losses), "end": errors[-1]}, rows)


def barrier(values: list[float]) -> float:
    """How far the highest of these stands above the mean of the first and the last; no number where one is none."""
    if not all(map(math.isfinite, values)):
        return math.nan
    return max(values) - (values[0] + values[-1]) / 2


def _values_of(trained: Trained) -> dict[str, Tensor]:
    """Parameters and buffers of real numbers, copied: those of the network change on the line."""
    state = trained.model.state_dict()
    return {name: value.detach().clone() for name, value in state.items() if value.is_floating_point()}


def _check_same(start: Mapping[str, Tensor], end: Mapping[str, Tensor], arm: str, other: str) -> None:
    """There is a line only between networks of the same parameters.

    Raises:
        InputError: one has a parameter that the other has not, or of another shape.
    """
    shapes = [{name: tuple(value.shape) for name, value in one.items()} for one in (start, end)]
    differing = [name for name in {**shapes[0], **shapes[1]} if shapes[0].get(name) != shapes[1].get(name)]
    if differing:
        here, there = (str(one.get(differing[0], "nothing")) for one in shapes)
        raise InputError(
            f"no line leads from arm {arm} to arm {other}: {differing[0]} is {here} here and {there} there"
        )


@torch.no_grad()
def _set(trained: Trained, start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float) -> None:
    """Give the network the values at this share of the line; those of an end are its own, to the bit."""
    state = trained.model.state_dict()
    for name, value in start.items():
        other = end[name].to(value.device)
        between = value if share == 0 else other if share == 1 else torch.lerp(value, other, share)
        state[name].copy_(between)


@contextmanager
def _kept(trained: Trained) -> Iterator[None]:
    before = _values_of(trained)
    try:
        yield
    finally:
        with torch.no_grad():
            state = trained.model.state_dict()
            for name, value in before.items():
                state[name].copy_(value)

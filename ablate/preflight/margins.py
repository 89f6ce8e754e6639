"""Margins beside what the data can resolve: an error rate moves in steps of one image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ablate import registry
from ablate.analysis.metrics import metric_of
from ablate.registry.blame import blaming

if TYPE_CHECKING:
    from ablate.config.schema import Claim
    from ablate.study.cells import Cell

SPLITS = ("train", "test")  # in the order of `DataSet.samples`


def image_sizes(cells: Iterable[Cell]) -> dict[str, float]:
    """What one image is of an error rate, by split, where all cells have data of one known size.

    Args:
        cells: of a study.

    Raises:
        InputError: a data set's options make no sense.
    """
    nodes: dict[str, Mapping[str, Any]] = {repr(cell.config["data"]): cell.config["data"] for cell in cells}
    found = set()
    for node in nodes.values():
        with blaming({"data": node}, "building data"):
            found.add(registry.build("data", node).samples)
    samples = found.pop() if len(found) == 1 else None
    return {} if samples is None else {split: 1 / number for split, number in zip(SPLITS, samples, strict=True)}


def margin_remarks(claims: Iterable[Claim], one_image: Mapping[str, float]) -> list[str]:
    """A line for each claim whose margin on an error rate is smaller than what one image changes."""
    lines = []
    for claim in claims:
        size = one_image.get(claim.metric.partition("/")[0])
        if size is None or claim.scale == "ratio" or not metric_of(claim.metric).is_error:
            continue
        if 0 < claim.margin < size * (1 - 1e-9):
            lines.append(
                f"claim '{claim.id}': its margin of {100 * claim.margin:.3g} percentage points is less than one image "
                f"({100 * size:.3g}): any difference at all would matter"
            )
    return lines

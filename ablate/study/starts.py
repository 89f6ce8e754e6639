"""Arms that start from the trained networks of another: which cell each of their cells starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.config.start import OF_CELL, source_cell
from ablate.errors import InputError
from ablate.study.points import point_text

if TYPE_CHECKING:
    from ablate.study.arms import Arm
    from ablate.study.cells import Cell


def generation(arms: Mapping[str, Arm], name: str) -> int:
    """How many arms are trained one after the other before this one can start."""
    count, source = 0, arms[name].starts_from
    while source is not None:
        count, source = count + 1, arms[source].starts_from
    return count


def sources_of(cells: Iterable[Cell], known: Iterable[Cell]) -> set[str]:
    """The IDs of all cells that must be trained for these to start, one behind the other.

    Args:
        cells: that are to be trained.
        known: all cells of the study.
    """
    sources = {cell.id: source_cell(cell.config) for cell in known}
    needed: set[str] = set()
    waiting = [source_cell(cell.config) for cell in cells]
    while waiting:
        source = waiting.pop()
        if source is not None and source not in needed:
            needed.add(source)
            waiting.append(sources.get(source))
    return needed


def started(
    configs: Sequence[dict[str, Any]],
    arm: Arm,
    factors: Mapping[str, Any],
    by_place: Mapping[tuple[str, str], Sequence[Cell]],
) -> list[dict[str, Any]]:
    """The configs of an arm at a point, each with the cell that it starts from.

    Args:
        configs: one for each seed of the study.
        arm: of the study.
        factors: the point.
        by_place: the cells of the arms before it, by arm and point, in the order of the seeds.

    Raises:
        InputError: the arm that it starts from has no cell there, or a cell was typed that is no arm's.
    """
    if arm.starts_from is None:
        for config in configs:
            if source_cell(config) is not None:
                raise InputError(
                    f"start={config['start']}: a cell is named by `starts_from: ARM` in the study's file; "
                    "start takes a file, such as runs/NAME/cells/ID/weights.safetensors"
                )
        return list(configs)
    point = point_text(factors)
    sources = by_place.get((arm.starts_from, point))
    if sources is None:
        raise InputError(f"it starts from arm '{arm.starts_from}', which has no cell at {point}")
    if taken := next((config["start"] for config in configs if config.get("start") is not None), None):
        raise InputError(f"it starts from arm '{arm.starts_from}', and start={taken} is set, too; one of them")
    return [{**config, "start": OF_CELL + source.id} for config, source in zip(configs, sources, strict=True)]

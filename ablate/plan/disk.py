"""The room that a study takes on the disk."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ablate.network.profile import Profile
from ablate.study.plan import Cell

# Bytes of files as they are written today.
RESULT = 1_000  # result.json and the log
ROW = 120  # of history.csv, an epoch
REPORT = 1_300_000  # report.html with the charts' script, and the figures
REPORT_OF_CELL = 1_000  # its row of results.csv, and its share of the charts
NUMBER = 4  # single precision
COPIES = 3  # numbers in a checkpoint for each parameter: its value, and at most two of the optimiser


@dataclass(frozen=True)
class Disk:
    """Bytes that stay, and bytes of the checkpoints that are there while cells train."""

    kept: int
    checkpoints: int


def disk_of(cells: Iterable[tuple[Cell, Profile]], slots: int) -> Disk:
    """What these cells will take: config, history and result of each, a report, and a checkpoint in each slot."""
    cells = list(cells)
    kept = sum(_kept(cell) for cell, _ in cells)
    # At the worst moment the largest networks train in all slots at once.
    largest = sorted((network.params for _, network in cells), reverse=True)[: max(1, slots)]
    return Disk(kept + REPORT, COPIES * NUMBER * sum(largest))


def _kept(cell: Cell) -> int:
    frozen = len(json.dumps(cell.config, default=str))
    return frozen + RESULT + ROW * int(cell.config["trainer"]["epochs"]) + REPORT_OF_CELL

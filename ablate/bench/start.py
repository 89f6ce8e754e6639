"""How long the second and later cells of a study take from being started to their first optimiser step."""

from __future__ import annotations

import time
from typing import Any

from ablate.bench.figure import Figure, at_most
from ablate.bench.first_step import train_one_step
from ablate.processes import preloaded_context

BOUND_MS = 100.0


def start_of_a_cell(config: dict[str, Any], device: str, cells: int) -> Figure:
    """Milliseconds from asking for the process to its first step; the first cell waits for imports, uncounted."""
    times = [_start(config, device) for _ in range(cells + 1)]
    return at_most("start of the second and later cells", "ms", times[1:], BOUND_MS)


def _start(config: dict[str, Any], device: str) -> float:
    context = preloaded_context()
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=train_one_step, args=(config, device, there))  # type: ignore[attr-defined]
    started = time.monotonic()
    process.start()
    there.close()
    reached = here.recv()
    process.join()
    return float(reached - started) * 1000

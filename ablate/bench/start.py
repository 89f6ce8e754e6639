"""How long the second and later cells of a study take from being started to their first optimiser step."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ablate.bench.figure import Figure, Measured, at_most
from ablate.bench.first_step import train_one_step
from ablate.bench.processes import hear, started
from ablate.bench.setting import Setting, digits_cells
from ablate.run.store import Store

BOUND_MS = 50.0
CELLS = 10


def start_of_a_cell(setting: Setting) -> Measured:
    """Milliseconds from asking for the process to its first step; the first cell waits for imports, uncounted."""
    (cell,) = digits_cells(20, 1, 1)
    cells = 1 if setting.smallest else CELLS
    walls: list[float] = []
    busy: list[float] = []
    with tempfile.TemporaryDirectory() as runs:
        store = Store(runs, "bench")
        store.prepare()
        folder = store.freeze(cell)
        _start(folder, setting.device)
        for _ in range(cells):
            wall, on_core = _start(folder, setting.device)
            walls, busy = [*walls, wall], [*busy, on_core]
            yield [
                at_most("start of the second and later cells", "ms", walls, cells, BOUND_MS),
                Figure("of it, on a CPU core", "ms", busy, cells),
            ]


def _start(folder: Path, device: str) -> tuple[float, float]:
    """Milliseconds by the clock, and those of the new process on a core, to which nothing else that runs here adds."""
    begun = time.monotonic()
    with started(train_one_step, folder, device) as pipe:
        reached, busy = hear(pipe)
    return (reached - begun) * 1000, busy * 1000

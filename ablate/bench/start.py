"""How long the second and later cells of a study take from being started to their first optimiser step."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ablate.bench.figure import Figure, at_most
from ablate.bench.first_step import train_one_step
from ablate.bench.setting import Setting, digits_cells
from ablate.run.store import Store
from ablate.system.processes import preloaded_context

BOUND_MS = 50.0
CELLS = 10


def start_of_a_cell(setting: Setting) -> Iterator[Figure]:
    """Milliseconds from asking for the process to its first step; the first cell waits for imports, uncounted."""
    (cell,) = digits_cells(20, 1, 1)
    with tempfile.TemporaryDirectory() as runs:
        store = Store(runs, "bench")
        store.prepare()
        folder = store.freeze(cell)
        times = [_start(folder, setting.device) for _ in range(2 if setting.smallest else CELLS + 1)]
    yield at_most("start of the second and later cells", "ms", [wall for wall, _ in times[1:]], BOUND_MS)
    yield Figure("of it, on a CPU core", "ms", [busy for _, busy in times[1:]])


def _start(folder: Path, device: str) -> tuple[float, float]:
    """Milliseconds by the clock, and those of the new process on a core, to which nothing else that runs here adds."""
    context = preloaded_context()
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=train_one_step, args=(folder, device, there))  # type: ignore[attr-defined]
    started = time.monotonic()
    process.start()
    there.close()
    reached, busy = here.recv()
    process.join()
    return (reached - started) * 1000, busy * 1000

"""The bench as a whole: what is measured, in which order, and how it is printed."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from ablate.bench.figure import Figure
from ablate.bench.overhead import overhead
from ablate.bench.start import start_of_a_cell
from ablate.bench.throughput import cells_per_hour
from ablate.processes import cores
from ablate.study import Cell, plan_study

OVERHEAD_DEPTHS = (20, 56)
OVERHEAD_EPOCHS = 10  # as many as a cell of the quick scale has
START_CELLS = 10
RATE_CELLS = 6
RATE_EPOCHS = 4


def run_bench(console: Console, *, as_json: bool, pairs: int) -> None:
    """Measure and print; every ratio is the median over interleaved pairs taken in this run.

    Args:
        console: where to print.
        as_json: print the figures as one JSON object.
        pairs: repetitions of each ratio.
    """
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    machine = _machine(device)
    if not as_json:
        console.print(machine, highlight=False)
    figures = []
    for figure in _figures(device, pairs):
        figures.append(figure)
        if not as_json:
            console.print(_line(figure), highlight=False)
    if as_json:
        console.print_json(json.dumps({"machine": machine, "figures": [figure.to_dict() for figure in figures]}))
    else:
        console.print(_table(figures))


def _figures(device: str, pairs: int) -> Iterator[Figure]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a slot's share; the loop gets the same
    for depth in OVERHEAD_DEPTHS:
        yield overhead(_config(depth, OVERHEAD_EPOCHS, eval_every=OVERHEAD_EPOCHS), device, pairs)
    torch.set_num_threads(threads)
    yield start_of_a_cell(_config(20, 1), device, START_CELLS)
    yield cells_per_hour(_cells(20, RATE_EPOCHS, RATE_CELLS), pairs)


def _config(depth: int, epochs: int, eval_every: int = 1) -> dict[str, Any]:
    return _cells(depth, epochs, 1, f"trainer.eval_every={eval_every}")[0].config


def _cells(depth: int, epochs: int, seeds: int, *more: str) -> list[Cell]:
    """Cells of the quick scale, as a study would train them."""
    return plan_study([f"depth={depth}", f"trainer.epochs={epochs}", f"study.seeds={seeds}", *more]).cells


def _machine(device: str) -> str:
    where = torch.cuda.get_device_name(device) if device != "cpu" else (platform.processor() or platform.machine())
    return f"{where}, {cores()} CPU cores, Python {platform.python_version()}, torch {torch.__version__}"


def _line(figure: Figure) -> str:
    return f"{figure.name}: {figure.median:.3g} {figure.unit}"


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", "median", "least to most", "held to", "met", box=None, pad_edge=False)
    for figure in figures:
        span = f"{min(figure.values):.3g} to {max(figure.values):.3g}"
        met = "yes" if figure.meets else "NO"
        table.add_row(figure.name, f"{figure.median:.3g} {figure.unit}", span, figure.bound, met)
    return table

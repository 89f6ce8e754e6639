"""What a study would train: arms, cells, sizes, and what is stored already."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablate.execution import networks_of
from ablate.store import Store
from ablate.study import Cell, Study


def show_plan(study: Study, console: Console) -> None:
    """Print the plan of a study; nothing is trained or written.

    Raises:
        InputError: a cell's network cannot be built.
    """
    store = Store(study.runs, study.name)
    networks = networks_of(study.cells)
    console.print(f"[bold]{study.name}[/]  {escape(study.question)}", highlight=False)
    if study.chosen:
        console.print(f"trainer=auto: {study.chosen['text']}", highlight=False, markup=False)
    table = Table("arm", *study.grid, "overrides", "cells", "stored", "parameters", "multiply-adds")
    points: dict[tuple[str, str], list[Cell]] = {}
    for cell in study.cells:
        points.setdefault((cell.arm, str(cell.factors)), []).append(cell)
    for (arm, _), cells in points.items():
        network = networks[cells[0].id]
        values = [str(cells[0].factors[factor]) for factor in study.grid]
        stored = sum(store.has_result(cell.id) for cell in cells)
        overrides = " ".join(study.arms[arm].overrides) if arm in study.arms else ""
        counts = [str(len(cells)), str(stored), f"{network.params:,}", f"{network.flops:,}"]
        table.add_row(*map(escape, [arm, *values, overrides, *counts]))
    console.print(table)
    stored = sum(store.has_result(cell.id) for cell in study.cells)
    seeds = len(study.seeds)
    console.print(f"{len(study.cells)} cells, {stored} stored already; {seeds} seeds", highlight=False)
    if study.claims and seeds < 6:
        console.print("fewer than 6 paired seeds: an exact sign-flip test cannot reach 0.05", highlight=False)

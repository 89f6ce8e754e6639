"""The bench as a whole: what is measured, in which order, and how it is printed."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from ablate.bench.ceiling import ceiling
from ablate.bench.data_path import data_path
from ablate.bench.figure import Figure
from ablate.bench.overhead import digits_overhead, noise_overhead
from ablate.bench.setting import Setting
from ablate.bench.speedup import speedup
from ablate.bench.start import start_of_a_cell
from ablate.bench.streaming import streaming
from ablate.bench.throughput import cells_per_hour
from ablate.errors import InputError, unknown
from ablate.run.process import quieten_lightning
from ablate.system.processes import keep_freed_memory, processor
from ablate.system.quotas import cores

LOADED = 0.5  # of a core, by other processes, before the bench begins


@dataclass(frozen=True)
class Part:
    """Figures that are measured together.

    Attributes:
        measure: gives them.
        quick: whether they are part of a bench that names none.
        needs: an optional package that they are measured with, as it is imported, and what installs it.
    """

    measure: Callable[[Setting], Iterator[Figure]]
    quick: bool = True
    needs: tuple[str, str] | None = None


PARTS = {
    "overhead-digits-20": Part(partial(digits_overhead, depth=20)),
    "overhead-digits-56": Part(partial(digits_overhead, depth=56)),
    "overhead-digits-110": Part(partial(digits_overhead, depth=110)),
    "overhead-32x32-20": Part(partial(noise_overhead, depth=20)),
    "overhead-32x32-56": Part(partial(noise_overhead, depth=56), quick=False),
    "overhead-32x32-110": Part(partial(noise_overhead, depth=110), quick=False),
    "data-path": Part(data_path),
    "streaming": Part(streaming, quick=False, needs=("PIL", "pillow>=11")),
    "ceiling": Part(ceiling),
    "start": Part(start_of_a_cell),
    "cells-per-hour": Part(cells_per_hour),
    "speedup": Part(speedup),
}


def run_bench(
    console: Console,
    *,
    as_json: bool,
    pairs: int,
    only: str = "",
    everything: bool = False,
    fit_seconds: float = 0.0,
    smallest: bool = False,
) -> None:
    """Measure and print; every ratio is the median over interleaved pairs taken in this run.

    Args:
        console: where to print.
        as_json: print the figures as one JSON object.
        pairs: repetitions of each ratio.
        only: measure just the parts whose names begin so.
        everything: also the parts that take longer.
        fit_seconds: that a fit whose overhead is measured is to last; 0 for a fixed number of epochs.
        smallest: everything as small as it goes, to see that it works.

    Raises:
        InputError: no part has such a name, or one needs a package that is not installed.
    """
    setting = Setting("cuda:0" if torch.cuda.is_available() else "cpu", pairs, fit_seconds, smallest)
    chosen = parts(only, everything)
    machine = _machine(setting.device)
    quieten_lightning()
    keep_freed_memory()  # as in a cell's process
    if not as_json:
        console.print(_in_words(machine), highlight=False)
    figures = []
    for part in chosen:
        for figure in PARTS[part].measure(setting):
            figures.append(figure)
            if not as_json:
                console.print(_line(figure), highlight=False)
    load = os.getloadavg()[0]
    if as_json:
        content = {"machine": machine, "load_after": load, "figures": [figure.to_dict() for figure in figures]}
        console.print_json(json.dumps(content))
    else:
        console.print(_table(figures))
        console.print(
            f"load average over the last minute: {machine['load']:.1f} before, {load:.1f} after", highlight=False
        )


def parts(only: str, everything: bool) -> list[str]:
    """The names of the parts to measure.

    Raises:
        InputError: none begins with `only`, or one needs a package that is not installed.
    """
    if only:
        chosen = [name for name in PARTS if name.startswith(only)]
    else:
        chosen = [name for name, part in PARTS.items() if everything or part.quick]
    if not chosen:
        raise unknown("part of the bench", only, PARTS)
    for name in chosen:
        needs = PARTS[name].needs
        if needs and find_spec(needs[0]) is None:
            raise InputError(f"the bench's part {name} needs {needs[0]}: pip install '{needs[1]}'")
    return chosen


def _machine(device: str) -> dict[str, Any]:
    where = torch.cuda.get_device_name(device) if device != "cpu" else processor()
    return {
        "device": where,
        "cores": cores(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
    }


def _in_words(machine: dict[str, Any]) -> str:
    text = "{device}, {cores} CPU cores, Python {python}, torch {torch}".format(**machine)
    if machine["load"] > LOADED:
        text += f"\nload average {machine['load']:.1f}: other processes are at work here, and disturb what is measured"
    return text


def _line(figure: Figure) -> str:
    return f"{figure.name}: {figure.median:.4g} {figure.unit}"


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", "median", "least to most", "held to", "met", box=None, pad_edge=False)
    for figure in figures:
        span = f"{min(figure.values):.4g} to {max(figure.values):.4g}"
        met = {True: "yes", False: "NO", None: ""}[figure.meets]
        table.add_row(figure.name, f"{figure.median:.4g} {figure.unit}", span, figure.bound, met)
    return table

"""The bench as a whole: what is measured, in which order, and what is kept when it ends early."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec

import torch
from rich.console import Console

from ablate.bench.ceiling import ceiling
from ablate.bench.data_path import data_path
from ablate.bench.figure import Measured
from ablate.bench.machine import machine_of
from ablate.bench.measurements import measurement_cost
from ablate.bench.numerics import pick
from ablate.bench.overhead import digits_overhead, noise_overhead
from ablate.bench.probes import probe_cost
from ablate.bench.setting import Setting
from ablate.bench.speedup import speedup
from ablate.bench.start import start_of_a_cell
from ablate.bench.streaming import streaming
from ablate.bench.telling import Told
from ablate.bench.throughput import cells_per_hour
from ablate.bench.trackers import tracker_cost
from ablate.errors import InputError, unknown
from ablate.run.process import quieten_lightning
from ablate.system.interrupts import in_order
from ablate.system.processes import keep_freed_memory


@dataclass(frozen=True)
class Part:
    """Figures that are measured together.

    Attributes:
        measure: gives the figures, repetition by repetition.
        quick: whether they are part of a bench that names none.
        needs: an optional package that they are measured with, as it is imported, and what installs it.
        fast: they are measured with what `trainer=auto` picks here.
    """

    measure: Callable[[Setting], Measured]
    quick: bool = True
    needs: tuple[str, str] | None = None
    fast: bool = False


PARTS = {
    "overhead-digits-20": Part(partial(digits_overhead, depth=20)),
    "overhead-digits-56": Part(partial(digits_overhead, depth=56)),
    "overhead-digits-110": Part(partial(digits_overhead, depth=110)),
    "overhead-32x32-20": Part(partial(noise_overhead, depth=20)),
    "overhead-32x32-56": Part(partial(noise_overhead, depth=56), quick=False),
    "overhead-32x32-110": Part(partial(noise_overhead, depth=110), quick=False),
    "probes-20": Part(partial(probe_cost, depth=20), quick=False),
    "probes-56": Part(partial(probe_cost, depth=56), quick=False),
    "measurements-20": Part(partial(measurement_cost, depth=20), quick=False),
    "measurements-56": Part(partial(measurement_cost, depth=56), quick=False),
    "trackers": Part(tracker_cost, quick=False),
    "data-path": Part(data_path),
    "streaming": Part(streaming, quick=False, needs=("PIL", "pillow>=11")),
    "ceiling": Part(ceiling, fast=True),
    "start": Part(start_of_a_cell),
    "cells-per-hour": Part(cells_per_hour),
    "speedup": Part(speedup, fast=True),
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

    Each repetition is printed as soon as it is done. However it ends, all that was measured is told at the end.

    Args:
        console: where to print.
        as_json: print the figures as one JSON object, and how it goes to stderr.
        pairs: repetitions of each ratio.
        only: measure just the parts whose names begin so.
        everything: also the parts that take longer.
        fit_seconds: that each fit is to last at least.
        smallest: everything as small as it goes, to see that it works.

    Raises:
        InputError: no part has such a name, or one needs a package that is not installed.
    """
    setting = Setting("cuda:0" if torch.cuda.is_available() else "cpu", pairs, fit_seconds, smallest)
    chosen = parts(only, everything)
    quieten_lightning()
    keep_freed_memory()  # as in a cell's process
    with in_order():
        told = Told(console, machine_of(setting.device), as_json=as_json)
        try:
            if any(PARTS[name].fast for name in chosen):
                told.line("trainer=auto is measured")
                told.picked = pick(setting)
                told.line(str(told.picked))
                setting = replace(setting, numerics=told.picked.numerics)
            for number, name in enumerate(chosen, 1):
                told.begin(name, f"{number} of {len(chosen)}")
                with closing(PARTS[name].measure(setting)) as steps:
                    for figures in steps:
                        told.add(figures)
        except BaseException:
            told.end(early=True)
            raise
        told.end()


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

"""What the bench prints: each repetition as soon as it is done, and all figures at the end, however that comes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ablate.bench.figure import Figure
from ablate.bench.machine import in_words
from ablate.bench.numerics import Picked
from ablate.system.terminal import SafeConsole


class Told:
    """Collects figures, and tells how it goes.

    Args:
        console: for what a bench is run for.
        machine: that it runs on.
        as_json: that is one JSON object, and how it goes is told on stderr.

    Attributes:
        picked: what `trainer=auto` has picked, where a part is measured with that.
    """

    def __init__(self, console: Console, machine: dict[str, Any], *, as_json: bool) -> None:
        self.picked: Picked | None = None
        self._console, self._machine, self._as_json = console, machine, as_json
        self._lines = SafeConsole(stderr=True) if as_json else console
        self._figures: dict[tuple[str, str], Figure] = {}
        self._part = ""
        self.line(in_words(machine))

    def line(self, text: str) -> None:
        """Tell how it goes; the line is written at once and not broken."""
        self._lines.print(text, highlight=False, markup=False, soft_wrap=True)

    def begin(self, part: str, number: str) -> None:
        """A part begins, as `2 of 10`."""
        self._part = part
        self.line(f"{part} ({number})")

    def add(self, figures: Sequence[Figure]) -> None:
        """Take the figures that a repetition has changed, and tell its values, and the figures that are done by it."""
        for one in figures:
            self._figures[self._part, one.name] = one
            self.line(f"  {len(one.values)} of {one.of}: {one.name}: {one.values[-1]:.4g} {one.unit}")
        for one in figures:
            if one.finished and one.of > 1:
                self.line(f"  {one.name}: {one.median:.4g} {one.unit}")

    def end(self, *, early: bool = False) -> None:
        """Tell all figures.

        Args:
            early: something has ended the bench before the last of them was done.
        """
        load = os.getloadavg()[0]
        figures = list(self._figures.values())
        if self._as_json:
            content = {
                "machine": self._machine,
                "numerics": self.picked.to_dict() if self.picked else None,
                "load_after": load,
                "figures": [figure.to_dict() for figure in figures],
                "ended_in": self._part if early else None,
            }
            self._console.print_json(json.dumps(content))
            return
        if figures:
            self._console.print(_table(figures))
        if early:
            self.line(_ended_early(self._part, figures))
        before = self._machine["load"]
        self.line(f"load average over the last minute: {before:.1f} before, {load:.1f} after")


def _ended_early(part: str, figures: Sequence[Figure]) -> str:
    if not figures:
        return "ended before anything was measured"
    unfinished = any(not one.finished for one in figures)
    few = "; figures with fewer repetitions than asked for are held to nothing" if unfinished else ""
    return f"ended in {part}{few}"


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", "median", "least to most", "runs", "held to", "met", box=None, pad_edge=False)
    for figure in figures:
        span = f"{min(figure.values):.4g} to {max(figure.values):.4g}"
        done = f"{figure.of}" if figure.finished else f"{len(figure.values)} of {figure.of}"
        met = {True: "yes", False: "NO", None: ""}[figure.meets]
        table.add_row(figure.name, f"{figure.median:.4g} {figure.unit}", span, done, figure.bound, met)
    return table

"""The tables of probes and measurements, as far as the charts of a report need them; nothing is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.errors import InputError
from ablate.interfaces.chart import STEP, Chart, ChartedTable
from ablate.measure.asked import MEASUREMENTS, PROBES
from ablate.registry import entries
from ablate.registry.discovery import discover
from ablate.run.results import load_study, told_broken, whole_rows
from ablate.system.reading import BrokenFile

KINDS = {"probe": PROBES, "measurement": MEASUREMENTS}  # that write a table -> the folder it lies in


def load_tables(folder: str | Path) -> tuple[list[ChartedTable], list[str]]:
    """The tables of a study's cells that have a chart, and a line for each that is not whole, which is left out.

    The charts are those that the plugins of today declare. A table without such a plugin is not read; where plugins do
    not import, a line says so, and none is.

    Args:
        folder: `runs/NAME`.
    """
    folder = Path(folder)
    cells = list(dict.fromkeys(cell.id for cell in load_study(folder).cells))
    written = {
        path.relative_to(folder / "cells").as_posix()
        for part in KINDS.values()
        for path in (folder / "cells").glob(f"*/{part}/*.csv")
    }
    broken: list[str] = []
    if not written:
        return [], broken
    try:
        discover()
    except InputError as error:
        return [], [f"charts of probes and measurements are not drawn: {error}"]
    tables = []
    for kind, part in KINDS.items():
        for entry in entries(kind):
            names = {cell: f"{cell}/{part}/{entry.name}.csv" for cell in cells}
            paths = {cell: folder / "cells" / name for cell, name in names.items() if name in written}
            if paths and entry.charts:
                charts = [Chart(**chart) for chart in entry.charts]
                tables.append(_table(f"{part}/{entry.name}", charts, paths, broken))
    return [table for table in tables if not table.rows.empty], broken


def _table(name: str, charts: Sequence[Chart], paths: Mapping[str, Path], broken: list[str]) -> ChartedTable:
    import pandas as pd

    parts = []
    for cell, path in paths.items():
        try:
            columns = read_table(path, charts)
        except BrokenFile as error:
            broken.append(str(error))
        else:
            parts += [pd.DataFrame({"cell": cell, **columns})] if columns else []
    return ChartedTable(name, charts, pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())


def read_table(path: Path, charts: Sequence[Chart]) -> dict[str, list[Any]]:
    """The whole rows of a table, by the columns of its charts; one that is being written comes with the next look.

    Of a table with many looks only those that are drawn: all for a chart over the steps, else the first and the last.

    Raises:
        BrokenFile: it does not hold what it should.
        InputError: it cannot be read.
    """
    with told_broken(path):
        header, rows = whole_rows(path)
        return _columns(header, rows, [chart for chart in charts if set(chart.columns) <= set(header)])


def _columns(header: list[str], rows: list[list[str]], drawn: Sequence[Chart]) -> dict[str, list[Any]]:
    numbers = {name for chart in drawn for name in chart.numbers} | {STEP}
    wanted = {name for chart in drawn for name in chart.columns} | {STEP}
    if not any(chart.over == STEP for chart in drawn) and STEP in header:
        rows = _ends(rows, header.index(STEP))
    given = {name: [row[place] for row in rows] for place, name in enumerate(header) if drawn and name in wanted}
    return {
        name: [float(text or math.nan) for text in texts] if name in numbers else texts
        for name, texts in given.items()
    }  # fmt: skip


def _ends(rows: list[list[str]], step: int) -> list[list[str]]:
    """The rows of the first and of the last look: fewer to read numbers from."""
    steps = sorted({row[step] for row in rows}, key=float)
    return [row for row in rows if row[step] in (steps[0], steps[-1])]

"""The tables of probes and measurements, as far as the charts of a report need them; nothing is written."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.errors import InputError
from ablate.interfaces.chart import STEP, Chart, ChartedTable
from ablate.measure.asked import MEASUREMENTS, PROBES
from ablate.registry import entries
from ablate.registry.discovery import discover
from ablate.run.results import FOLDER, load_study
from ablate.system.reading import BrokenFile, read_text

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

    rows: list[dict[str, Any]] = []
    for cell, path in paths.items():
        try:
            rows += [{"cell": cell, **row} for row in read_table(path, charts)]
        except BrokenFile as error:
            broken.append(str(error))
    return ChartedTable(name, charts, pd.DataFrame(rows))


def read_table(path: Path, charts: Sequence[Chart]) -> list[dict[str, Any]]:
    """The whole rows of a table, with the columns of its charts; one that is being written comes with the next look.

    Of a table with many looks only those that are drawn: all for a chart over the steps, else the first and the last.

    Raises:
        BrokenFile: it does not hold what it should.
        InputError: it cannot be read.
    """
    try:
        text = read_text(path)
    except BrokenFile as error:
        raise BrokenFile(f"{error}; {FOLDER}") from error
    reader = csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))
    try:
        header = next(reader, [])
        drawn = [chart for chart in charts if set(chart.columns) <= set(header)]
        if not drawn:
            return []
        numbers = {name for chart in drawn for name in chart.numbers} | {STEP}
        wanted = {name for chart in drawn for name in chart.columns} | {STEP}
        columns = [(place, name, name in numbers) for place, name in enumerate(header) if name in wanted]
        rows = [_row(row, columns, len(header)) for row in reader]
    except (ValueError, csv.Error) as error:
        raise BrokenFile(f"{path} is not whole ({error}); {FOLDER}") from error
    return rows if any(chart.over == STEP for chart in drawn) else _ends(rows)


def _row(row: Sequence[str], columns: Iterable[tuple[int, str, bool]], width: int) -> dict[str, Any]:
    if len(row) != width:
        raise ValueError("a row has another number of columns than the first line")
    return {name: (float(row[place] or math.nan) if number else row[place]) for place, name, number in columns}


def _ends(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the first and of the last look; all where the table does not know of looks."""
    steps = {row[STEP] for row in rows if STEP in row}
    return [row for row in rows if not steps or row[STEP] in (min(steps), max(steps))]

"""Tables of a cell that grow while it trains, as CSV: what a killed cell has written twice stands there once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.system.files import append_text, make_folder, remove, write_text
from ablate.system.reading import read_text


class TableFile:
    """Rows are added to the end; the file is written anew where they have other columns.

    Args:
        path: of the file; its folder is made when it is needed.

    Attributes:
        rows: that it has by now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._columns: list[str] = []

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows.

        Raises:
            InputError: the disk does not take them.
        """
        if not rows:
            return
        columns = list(dict.fromkeys([*self._columns, *(column for row in rows for column in row)]))
        if self.rows and columns == self._columns:
            append_text(self.path, _csv(rows, columns, header=False))
        else:
            before = _read(self.path) if self.rows else []
            make_folder(self.path.parent)
            write_text(self.path, _csv([*before, *rows], columns, header=True))
        self._columns, self.rows = columns, self.rows + len(rows)

    def has(self, rows: int) -> bool:
        """Whether the file that is there has so many rows or more."""
        return rows == 0 or len(_read(self.path)) >= rows

    def keep_first(self, rows: int) -> None:
        """Go on behind so many rows of the file that is there, and forget the others."""
        self._begin(_read(self.path)[:rows])

    def keep(self, condition: Callable[[Mapping[str, str]], bool]) -> None:
        """Go on behind the rows of the file, if there is one, that fulfil a condition."""
        self._begin([row for row in _read(self.path) if condition(row)])

    def _begin(self, rows: list[dict[str, str]]) -> None:
        self._columns, self.rows = list(rows[0]) if rows else [], len(rows)
        if rows:
            write_text(self.path, _csv(rows, self._columns, header=True))
        else:
            remove(self.path)


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table as a whole; without rows there is none.

    Raises:
        InputError: the disk does not take it.
    """
    remove(path)
    TableFile(path).add(rows)


def _read(path: Path) -> list[dict[str, str]]:
    """The whole rows of a file; the last one may have been cut short."""
    if not path.exists():
        return []
    text = read_text(path)
    whole = text[: text.rfind("\n") + 1]
    rows = list(csv.DictReader(io.StringIO(whole)))
    return [row for row in rows if None not in row and None not in row.values()]


def _csv(rows: Sequence[Mapping[str, Any]], columns: list[str], *, header: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

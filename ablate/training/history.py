"""A cell's `history.csv`: what was measured, a row an epoch."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ablate.system.files import append_text, write_text

Row = dict[str, float]
# Declared in `ablate.analysis.metrics` (a test holds the two together), which a cell neither waits for nor depends on.
METRICS = ("train/loss", "train/error", "test/loss", "test/error")


class HistoryFile:
    """Appends a row as each epoch ends; rewrites the file when the columns change, or when training resumes.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns: list[str] = []
        self._rows = 0

    def update(self, rows: list[Row]) -> None:
        """Bring the file to these rows, which are those of the last time and more.

        Raises:
            InputError: the disk does not take it.
        """
        # Appended where possible: to write all rows each epoch grows with the square of their number.
        more = rows[self._rows :]
        if self._rows and all(row.keys() <= set(self._columns) for row in more):
            append_text(self.path, _csv(more, self._columns, header=False))
        else:
            # Of all rows, in the order of first appearance: the first epochs of a cell measured every few may lack
            # some. After a resume it also drops a row that was written before its checkpoint was.
            self._columns = list(dict.fromkeys(column for row in rows for column in row))
            write_text(self.path, _csv(rows, self._columns, header=True))
        self._rows = len(rows)


def _csv(rows: list[Row], columns: list[str], *, header: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

"""How the table of a probe or a measurement is drawn in a report: declared on the plugin, drawn by the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

DECIDES_NUMBERS = False

STEP = "step"  # the column that says when a probe looked


@dataclass(frozen=True)
class Chart:
    """One chart of a table: a column over another one, meaned over the seeds, arm by arm.

    It is drawn for each study whose tables have the columns and a finite value in them. Where the table has a column
    `step` and the chart is not over it, the first and the last look of each cell are drawn side by side.

    Attributes:
        value: the column that is drawn. Its name says what it is, as that of a metric does: `error` is a fraction, and
            drawn in per cent.
        over: the column on the horizontal axis, a number, such as the place of a layer in the forward pass.
        title: of the chart; empty: the names of the columns.
        words: what the value is called on its axis; empty: its name.
        axis: what stands at the horizontal axis; empty: the name of `over`.
        caption: what the chart shows, and the figure of the paper that it follows.
        where: only the rows that have these values, by column.
        panel: a column that gets a panel for each of its values; empty: none.
        form: "lines", one for each arm, or "bars", in a panel for each arm.
        looks: "ends", the first and the last look, or the "last" alone.
        ranked: below it the same values once more, sorted from the largest to the smallest.
        log: lines on a log scale, if no value is negative; zeros are not drawn there.
        hollow: a column that is 1 for the bars that are drawn hollow; empty: none.
        reference: the rows, as in `where`, whose mean is drawn as a horizontal line.
    """

    value: str
    over: str = "place"
    title: str = ""
    words: str = ""
    axis: str = ""
    caption: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    panel: str = ""
    form: Literal["lines", "bars"] = "lines"
    looks: Literal["ends", "last"] = "ends"
    ranked: bool = False
    log: bool = False
    hollow: str = ""
    reference: Mapping[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> list[str]:
        """The columns that hold numbers."""
        return [name for name in (self.value, self.over, self.hollow) if name]

    @property
    def columns(self) -> list[str]:
        """The columns that a table needs for it."""
        words = [*self.where, *self.reference, self.panel]
        return list(dict.fromkeys([*self.numbers, *(name for name in words if name)]))


@dataclass(frozen=True)
class ChartedTable:
    """The tables that a probe or a measurement has written for the cells of a study, as far as its charts need them.

    Attributes:
        name: of the table in the folder of a cell, such as `probes/response`.
        charts: of it.
        rows: with the columns of the charts, `cell`, and `step` where the table has it. Numbers are floats, NaN where
            there is none; all else is text.
    """

    name: str
    charts: Sequence[Chart]
    rows: pd.DataFrame

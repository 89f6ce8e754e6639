"""What running every study would take, told before it is done."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ablate.errors import InputError
from ablate.plan.outlook import look_ahead
from ablate.report import format as fmt
from ablate.run.settle import settled
from ablate.study.plan import plan_study


def tell_ahead(names: Sequence[str], overrides: Sequence[str], console: Console) -> None:
    """Print the cells and the estimated time of each study, and the total; trains nothing.

    Cells that several studies share count in each of them, so the total is what it takes at most.

    Args:
        names: of the studies.
        overrides: that they share.
        console: where to print.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("study")
    for column in ("cells", "stored", "time"):
        table.add_column(column, justify="right")
    total, untold = 0.0, []
    for name in names:
        try:
            outlook = look_ahead(settled(plan_study([f"+exp={name}", *overrides])))
        except InputError as error:
            untold.append(f"{name}: {error}")
            continue
        seconds = None if outlook.busy is None else max(outlook.busy, default=0.0)
        total += seconds or 0.0
        if seconds is None:
            untold.append(f"{name}: nothing says how many images its data has, and it is not here")
        time = fmt.ABSENT if seconds is None else fmt.duration(seconds) if seconds else "none"
        table.add_row(name, str(len(outlook.study.once)), str(outlook.stored), time)
    console.print(table)
    for line in untold:
        console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)
    told = f"{fmt.plural(len(names), 'study')}, one after the other: about {fmt.duration(total)}"
    console.print(f"{told}; cells that several studies share count in each", highlight=False)

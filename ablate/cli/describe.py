"""The verb `describe`: one network as a table by stage."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablate.config.compose import compose
from ablate.config.overrides import overruled, parse
from ablate.errors import InputError
from ablate.network.build import Noted
from ablate.network.describe import Description, Row, describe
from ablate.preflight.unused import refuse_unasked
from ablate.study.section import container, varies

COLUMNS = ("part", "output", "parameters", "multiply-adds", "receptive field", "its stride")
LEGEND = (
    "Multiply-adds of one image in eval mode. Receptive field: pixels of the image, along each side, that one output "
    "pixel far from the border sees on the widest path; its stride: pixels between the fields of two neighbours."
)


def show(overrides: Sequence[str], console: Console) -> None:
    """Print the network of the config that these overrides describe.

    Raises:
        InputError: they describe a study of several networks, or no network.
    """
    typed = parse(overrides)
    for line in overruled(typed):
        console.print(line, style="yellow", highlight=False, markup=False)
    config = compose(overrides)
    if varies(config.study):
        raise InputError(f"study {config.study.name} has several networks: leave it out here, or see `plan`")
    noted = Noted(container(config))
    description = describe(noted)
    refuse_unasked(typed, noted.read, [config.backbone.name])
    chosen, image = " ".join(overrides) or "defaults", " x ".join(map(str, description.image))
    console.print(f"[bold]{config.backbone.name}[/] ({escape(chosen)}), images of {image}", highlight=False)
    console.print(_table(description))
    console.print(LEGEND, style="dim", highlight=False)


def _table(description: Description) -> Table:
    first, *others = COLUMNS
    table = Table(first, box=None, pad_edge=False)
    for column in others:
        table.add_column(column, justify="right")
    rows, aux = description.rows, description.aux
    for row in rows:
        table.add_row(*_cells(row), end_section=row is rows[-1])
    aux_params, aux_flops = sum(row.params for row in aux), sum(row.flops for row in aux)
    table.add_row("total", "", f"{description.params - aux_params:,}", f"{description.flops:,}", style="bold")
    for row in aux:
        table.add_row(*_cells(row))
    if aux:
        trained = [f"{description.params:,}", f"{description.flops + aux_flops:,}"]
        table.add_row("total in training", "", *trained, style="bold")
    return table


def _cells(row: Row) -> list[str]:
    shape = " x ".join(map(str, row.shape))
    size = "" if row.field is None else _sides([span.size for span in row.field])
    jump = "" if row.field is None else _sides([span.jump for span in row.field])
    return [row.name, shape, f"{row.params:,}", f"{row.flops:,}", size, jump]


def _sides(sides: Sequence[float]) -> str:
    """Along height and width: one number where they are the same."""
    texts = list(dict.fromkeys("image" if math.isinf(side) else f"{side:g}" for side in sides))
    return " x ".join(texts)

"""`start`: what parameters start from besides their initial values, a file or a cell of the same study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

DECIDES_NUMBERS = False

OF_CELL = "cell:"  # what the key begins with where it names a cell and no file


def source_cell(config: Mapping[str, Any]) -> str | None:
    """The ID of the cell whose weights a frozen config starts from; None where it starts from none."""
    start = config.get("start")  # configs are older than the key
    return start.removeprefix(OF_CELL) if start is not None and start.startswith(OF_CELL) else None


def source_file(config: Mapping[str, Any]) -> Path | None:
    """The file whose tensors a frozen config starts from; None where it starts from none."""
    start = config.get("start")
    return None if start is None or start.startswith(OF_CELL) else Path(start).expanduser()

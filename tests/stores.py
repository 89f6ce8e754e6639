"""Stores with finished cells that nothing has trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablate.run.store import Store
from ablate.study.plan import Cell
from ablate.system.files import write_json

METRICS = {"train/loss": 0.5, "train/error": 0.25, "test/loss": 0.75, "test/error": 0.5, "params": 10, "flops": 20}


def store(runs: Path, name: str = "mine") -> Store:
    made = Store(runs, name)
    made.prepare()
    return made


def finish(store: Store, cell: Cell, status: str = "done", **changes: Any) -> Path:
    """As the process of a cell leaves it."""
    folder = store.freeze(cell)
    metrics = {**METRICS, "seconds": 1.5, "epochs_to/train/loss<0.1": None}
    result = {"id": cell.id, "status": status, "reason": "", "metrics": metrics, "code": cell.code}
    write_json(folder / "result.json", {**result, **changes})
    (folder / "history.csv").write_text("epoch,lr,train/loss,seconds\n1,0.1,0.9,1\n2,0.1,0.5,0.5\n")
    return folder


def tree(folder: Path) -> dict[str, bytes | None]:
    """All that lies below a folder, with its content."""
    return {str(one.relative_to(folder)): one.read_bytes() if one.is_file() else None for one in folder.rglob("*")}

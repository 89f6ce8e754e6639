"""Whether code and data are still those that a cell was planned with: else it would train under a wrong name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.cell import loaded
from ablate.config.code import changed_since, fingerprint
from ablate.config.contents import contents_of, in_words
from ablate.errors import InputError
from ablate.system.files import read_json

DECIDES_NUMBERS = False


def refuse_changes(folder: Path, cell: Mapping[str, Any]) -> None:
    """Refuse a cell whose code or data has changed since it was planned.

    Args:
        folder: of the cell.
        cell: what its `cell.yaml` holds.

    Raises:
        InputError: a file has changed; names it.
    """
    refuse_changed_code(folder, cell)
    planned = cell.get("contents")
    if planned is None:
        return  # a cell that was frozen before there were contents
    found = contents_of(cell["config"])
    for key in dict.fromkeys([*planned, *found.digests]):
        if planned.get(key) != found.digests.get(key):
            raise InputError(f"{in_words(key, cell['config'])} changed since the plan; run again")


def refuse_changed_code(folder: Path, cell: Mapping[str, Any]) -> None:
    """Refuse a cell whose code has changed since it was planned, or of which this process has taken up another state.

    Args:
        folder: of the cell.
        cell: what its `cell.yaml` holds.

    Raises:
        InputError: a file has changed; names it.
    """
    if changed := _changed_code(folder, cell):
        raise InputError(f"{changed} changed since the plan; run again")


def _changed_code(folder: Path, cell: Mapping[str, Any]) -> str:
    manifest = folder.parents[1] / "code" / f"{cell['code']}.json"
    files = read_json(manifest, files=dict)["files"] if manifest.exists() else {}
    if files and all(map(os.path.exists, files)):
        return ", ".join(dict.fromkeys([*changed_since(files), *loaded.others_than(files)]))
    # Planned on another machine, whose files lie elsewhere: then the code as a whole must be the same.
    return "" if fingerprint(cell["config"]) == cell["code"] else "code that decides its numbers"

"""Whether a study's report is up to date with its files: then a second run judges and draws nothing anew.

To judge a finished study again takes longer than all else that a second run of it does, and gives what it gave.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from ablate.errors import InputError
from ablate.system.files import read_json, write_text
from ablate.system.paths import PACKAGE

STAMP = ".report.json"
INPUTS = (
    "study.yaml",
    "certificates.json",
    "lock.json",
    "ledger.jsonl",
    "cells/*/result.json",
    "cells/*/history.csv",
    "cells/*/failure.json",
)
OUTPUTS = ("results.csv", "verdicts.json", "report.md", "report.html", "figures/*.svg")
CODE = ("analysis", "report", "run", "study", "preflight/certificate")  # what judges, tells and draws
PACKAGES = ("numpy", "pandas", "scipy", "altair", "vl-convert-python", "rich")


def told_before(folder: Path, console: Console) -> list[dict[str, Any]] | None:
    """Print what the last report of a study printed, and return its verdicts; None where anything has changed since.

    Args:
        folder: of the study.
        console: where to print: of the same width and colours as last time.
    """
    try:
        stamp = read_json(folder / STAMP, key=str, text=str)
        if stamp["key"] != _key(folder, console):
            return None
        text = str(stamp["text"])
        verdicts: list[dict[str, Any]] = read_json(folder / "verdicts.json", claims=list)["claims"]
    except (OSError, InputError):
        return None
    # Past the console, which would style and wrap it once more: it is kept as it was printed.
    console.file.write(text)
    console.file.flush()
    return verdicts


def remember(folder: Path, console: Console, text: str) -> None:
    """Keep what a report printed, for as long as nothing changes; where it cannot be kept, all is judged anew."""
    try:
        write_text(folder / STAMP, json.dumps({"key": _key(folder, console), "text": text}))
    except (OSError, InputError):
        return


def _key(folder: Path, console: Console) -> str:
    """A hash of all that decides what is printed and drawn, and of what was drawn, which may have been changed."""
    # By patterns and not by a list that was kept: a file that was added or deleted counts as a change, too.
    files = sorted(file for pattern in (*INPUTS, *OUTPUTS) for file in folder.glob(pattern))
    about = [(str(file.relative_to(folder)), *_about(file)) for file in files]
    code = sorted(file for part in CODE for file in [*(PACKAGE / part).rglob("*.py"), *(PACKAGE / part).glob("*.css")])
    digest = hashlib.sha256(json.dumps([about, console.width, console.color_system]).encode())
    for file in code:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    digest.update(json.dumps({package: version(package) for package in PACKAGES}).encode())
    return digest.hexdigest()


def _about(file: Path) -> tuple[Any, ...]:
    """What tells whether a file has changed; of those that each run writes anew, their content."""
    if file.name in INPUTS:
        return (hashlib.sha256(file.read_bytes()).hexdigest(),)
    status = file.stat()
    return status.st_size, status.st_mtime_ns

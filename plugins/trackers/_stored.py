"""What trackers read of a cell's folder, and how they word it."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from ablate import FollowedCell, FollowedStudy

Row = dict[str, float]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C takes a tenth of the time


def text_of(path: Path) -> str:
    """The text of a file; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def frozen(cell: FollowedCell) -> dict[str, Any]:
    """The frozen config of a cell, but for what says where it is mirrored; empty where there is none yet."""
    content = _yaml(cell)
    return {key: value for key, value in (content.get("config") or {}).items() if key != "tracker"}


def code_of(cell: FollowedCell) -> str:
    """The fingerprint of the code that trained a cell, or trains it; empty where nobody knows yet."""
    if result := text_of(cell.folder / "result.json"):
        return str(json.loads(result).get("code", ""))
    return str(_yaml(cell).get("code", ""))


def _yaml(cell: FollowedCell) -> dict[str, Any]:
    return yaml.load(text_of(cell.folder / "cell.yaml"), LOADER) or {}


def flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a config by their dotted names: `optim.lr`; lists are leaves."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def history(cell: FollowedCell) -> list[Row]:
    """The whole rows of a cell's `history.csv`."""
    text = text_of(cell.folder / "history.csv")
    reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
    return [{key: float(value) for key, value in row.items() if value} for row in reader]


def is_finished(cell: FollowedCell) -> bool:
    """Whether a cell has a result: what is done with it then measures it, and changes nothing of how it ended."""
    return (cell.folder / "result.json").exists()


def finished(cell: FollowedCell) -> float | None:
    """When a cell ended, in whole seconds since 1970; None where it has not, or its result does not say."""
    text = text_of(cell.folder / "result.json")
    at = json.loads(text).get("finished") if text else None
    return datetime.fromisoformat(at).timestamp() if at else None


def ends(cell: FollowedCell, rows: Sequence[Row]) -> list[float]:
    """When each epoch ended, in seconds since 1970, as near as the store knows it.

    The last row is as old as its file, or as the result where the file was copied since; each epoch before it ended as
    long before as the ones behind it took. Where a cell was interrupted, epochs before that seem so much later.

    Args:
        cell: whose history they are.
        rows: all of it.
    """
    try:
        last = (cell.folder / "history.csv").stat().st_mtime
    except FileNotFoundError:
        return []
    if at := finished(cell):
        last = min(last, at + 1)
    times = []
    for row in reversed(rows):
        times.append(last)
        last -= row.get("seconds", 0.0)
    return times[::-1]


def finals(rows: Sequence[Row], metrics: Mapping[str, float | None]) -> dict[str, float]:
    """The metrics of a result that its last row does not tell; one of another value than there is `final/NAME`."""
    known = set().union(*rows)
    last = rows[-1] if rows else {}
    return {
        (f"final/{name}" if name in known else name): float(value)
        for name, value in metrics.items()
        if value is not None and last.get(name) != value
    }


def digest(*parts: Any) -> str:
    """Of texts and numbers: hexadecimal, of 16 characters."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


def shown(path: Path) -> str:
    """A path as one would type it here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def shortened(text: str, length: int) -> str:
    """A text of so many characters at most, which says that it was longer; two that differ stay different."""
    if len(text) <= length:
        return text
    note = f"... [{len(text)} characters, {digest(text)}]"
    return text[: length - len(note)] + note


def plain(text: str) -> str:
    """A text as UTF-8 takes it: what is no character of it, as in the name of a file, is written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def redacted(text: str) -> str:
    """A text without the passwords of the addresses in it."""
    return re.sub(r"//[^/@\s]*@", "//***@", text)


def markdown(text: str) -> str:
    """A text of somebody's own, which stays as it is where Markdown and HTML are shown."""
    line = html.escape(" ".join(plain(text).split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+.!|~$-])", r"\\\1", line)


def told(study: FollowedStudy, verdicts: Sequence[Mapping[str, Any]]) -> str:
    """A study's question and verdicts, in Markdown."""
    question = study.record.get("question") or ""
    lines = [markdown(question)] if question else []
    for verdict in verdicts:
        head = f"**{markdown(str(verdict.get('verdict')))}**: {markdown(str(verdict.get('id')))}"
        lines.append(" ".join(filter(None, (head, _figures(verdict)))))
        lines += [markdown(str(verdict[key])) for key in ("says", "sentence") if verdict.get(key)]
    return "\n\n".join(lines)


def _figures(verdict: Mapping[str, Any]) -> str:
    """Effect, interval and n of a verdict, as far as it has them; errors stay fractions, as in `verdicts.json`."""
    effect, low, high, n = (verdict.get(key) for key in ("effect", "low", "high", "n"))
    parts = [] if effect is None else [f"{effect:.4g}"]
    parts += [] if low is None or high is None else [f"[{low:.4g}, {high:.4g}]"]
    parts += [] if n is None else [f"n {n}"]
    metric = verdict.get("metric") or "effect"
    return markdown(f"({metric} {', '.join(parts)})") if parts else ""

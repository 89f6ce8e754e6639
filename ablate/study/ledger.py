"""The ledger of a study: every look that was taken at its claims, a line of JSON each.

To add seeds until a claim is supported finds something in many studies where there is nothing. A plan of looks
(`study.seeds={start: ..., step: ..., most: ...}`) allows for that; seeds that are added outside of one do not, and the
ledger is what tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import InputError
from ablate.system.files import append_text, settle
from ablate.system.reading import BrokenFile, read_text
from ablate.system.schema import checked

if TYPE_CHECKING:
    from ablate.analysis import Verdict
    from ablate.study.lock import Lock

FILE = "ledger.jsonl"


@dataclass(frozen=True)
class Judged:
    """A claim at a look.

    Attributes:
        id: of the claim.
        seeds: that were judged.
        verdict: that they gave.
        p_holm: the p that it rested on, after Holm.
    """

    id: str
    seeds: list[int]
    verdict: str
    p_holm: float | None = None


@dataclass(frozen=True)
class Entry:
    """A look at a study.

    Attributes:
        time: when, in UTC.
        claims: what was judged.
    """

    time: str
    claims: list[Judged]


def read_ledger(folder: Path) -> list[Entry]:
    """The looks that were taken at a study, in order; a last line that a killed process left unfinished is left out.

    Raises:
        BrokenFile: a line is not whole.
        InputError: it cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return []
    text = read_text(path)
    entries = []
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), 1):
        try:
            entries.append(checked(json.loads(line), Entry))
        except (ValueError, InputError) as error:
            raise BrokenFile(f"line {number} of {path} is not whole ({error}); the looks before it are lost") from error
    return entries


def enter(folder: Path, verdicts: Sequence[Verdict], entries: Sequence[Entry]) -> list[Entry]:
    """Append this look, unless it is the last one again: the same verdicts on the same seeds.

    Args:
        folder: of the study.
        verdicts: as they were judged.
        entries: the looks before.

    Returns:
        All looks.

    Raises:
        InputError: the ledger cannot be written.
    """
    from ablate.analysis.verdict import EXACT  # behind scipy, which a run that finds nothing changed does without

    judged = [
        Judged(verdict.id, verdict.seeds, verdict.verdict, verdict.p_holm)
        for verdict in verdicts
        if verdict.is_tested and verdict.test != EXACT and verdict.n > 1
    ]
    if not judged or (entries and entries[-1].claims == judged):
        return list(entries)
    entry = Entry(datetime.now(UTC).isoformat(timespec="seconds"), judged)
    path = folder / FILE
    append_text(path, json.dumps(asdict(entry)) + "\n")
    settle(path)
    return [*entries, entry]


def looks_outside(entries: Sequence[Entry], lock: Lock | None, verdicts: Sequence[Verdict]) -> dict[str, list[int]]:
    """By claim the numbers of seeds at which it was judged before, where today's number was not planned then.

    A study that ends where it was planned to end is judged once, whoever looked on meanwhile: the look that counts was
    fixed before. One that went on beyond that, or stopped before, may have done so because of what was seen.

    Args:
        entries: of the ledger.
        lock: of the study; None where it has none.
        verdicts: of today.
    """
    planned = lock.planned if lock else []
    found = {}
    for verdict in verdicts:
        before = {len(one.seeds) for entry in entries for one in entry.claims if one.id == verdict.id}
        outside = sorted(number for number in before if number < verdict.n and number not in verdict.looks)
        if outside and verdict.n not in planned and verdict.is_tested:
            found[verdict.id] = outside
    return found


def plain(entries: Sequence[Entry]) -> list[Mapping[str, object]]:
    """As plain values."""
    return [asdict(entry) for entry in entries]

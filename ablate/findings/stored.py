"""What the store holds of each study: its verdicts, and with what they came about. Reading never writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ablate.analysis.verdict import NOT_TESTED, Verdict
from ablate.run.results import load_results, load_study
from ablate.run.stored_result import has_result, read_result
from ablate.study.record import StudyRecord
from ablate.system.files import read_json


@dataclass(frozen=True)
class Machine:
    """Where cells were trained: the processor, or the graphics card, with the versions of what decides numbers."""

    device: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Stored:
    """A study as one store holds it.

    Attributes:
        folder: of the study.
        record: as it was planned.
        verdicts: one a claim, in the study's order.
        status: how many cells have each status.
        seconds: that its cells trained, summed up.
        machines: where they were trained -> how many cells.
        finished: when the last cell ended, as ISO 8601; empty where none did.
        changed: that claims were stated otherwise before the first result.
        elsewhere: the store is another one than that of this command.
    """

    folder: Path
    record: StudyRecord
    verdicts: list[Verdict]
    status: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    machines: dict[Machine, int] = field(default_factory=dict)
    finished: str = ""
    elsewhere: bool = False

    @property
    def name(self) -> str:
        """Of the study."""
        return self.record.name

    @property
    def scale(self) -> str:
        """Of its config."""
        return self.record.scale

    @cached_property
    def data(self) -> str:
        """The data set of its cells, as far as they share one."""
        settings = self.record.settings
        name = str(settings.get("data.name", "several data sets"))
        of = settings.get("data.of")
        return f"{of} ({name})" if of else name

    @property
    def seeds(self) -> int:
        """How many seeds it has."""
        return len({cell.seed for cell in self.record.cells})

    @property
    def tested(self) -> list[Verdict]:
        """The verdicts that the evidence was asked for: gates held, and all cells were there."""
        return [verdict for verdict in self.verdicts if verdict.verdict != NOT_TESTED]


def stored_studies(runs: Path, names: Iterable[str], *, elsewhere: bool = False) -> list[Stored]:
    """The studies of these names that a store holds, at every scale, in the order of the names.

    Raises:
        InputError: a file of the store cannot be read.
    """
    found = []
    order = {name: place for place, name in enumerate(names)}
    for folder in sorted(runs.glob("*/verdicts.json")):
        record = load_study(folder.parent)
        if record.name in order:
            found.append(_stored(folder.parent, record, elsewhere=elsewhere))
    return sorted(found, key=lambda one: order[one.name])


def _stored(folder: Path, record: StudyRecord, *, elsewhere: bool) -> Stored:
    frame = load_results(folder)
    claims = read_json(folder / "verdicts.json", claims=list)["claims"]
    machines: Counter[Machine] = Counter()
    finished = ""
    for cell in record.cells:
        place = folder / "cells" / cell.id
        if has_result(place):
            result = read_result(place / "result.json")
            machines[_machine(result)] += 1
            finished = max(finished, str(result.get("finished", "")))
    once = frame.drop_duplicates("cell")
    return Stored(
        folder,
        record,
        [Verdict.from_dict(claim) for claim in claims],
        status={str(status): int(count) for status, count in once["status"].value_counts().items()},
        seconds=float(once["seconds"].sum()),
        machines=dict(machines),
        finished=finished,
        elsewhere=elsewhere,
    )


def _machine(result: dict[str, Any]) -> Machine:
    device = str(result.get("device", ""))
    name = str(result.get("processor") or "a CPU that does not say its name") if device == "cpu" else device
    return Machine(name, tuple(sorted(result.get("versions", {}).items())))

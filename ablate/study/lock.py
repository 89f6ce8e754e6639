"""The lock of a study: its claims, gates, margins and plan of seeds as they stood before its first result.

Claims that are bent after the results are seen show nothing. So they are written down before, and what was changed
since is said beside the verdict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.analysis.claims import as_claim
from ablate.analysis.selectors import added_up
from ablate.config.schema import Claim, Gate
from ablate.errors import InputError
from ablate.system.files import read_json, write_json
from ablate.system.reading import BrokenFile
from ablate.system.schema import checked

if TYPE_CHECKING:
    from ablate.study.plan import Study

FILE = "lock.json"
VERSION = 1
STUDY = ""  # the place in `changes` of what concerns no claim that is still there
WHEN = "when the first result came"
# The fields of a claim that decide its verdict, or what it is taken to say; where the paper has it does neither.
DECISIVE = ("says", "metric", "contrast", "expect", "margin", "scale", "trend", "threshold", "requires")
ANEW = "the next run of the study sets it aside"


@dataclass(frozen=True)
class Lock:
    """What a study stated before its first result.

    Attributes:
        claims: as plain values, all that its file states.
        seeds: that were planned.
        looks: numbers of seeds; empty where all are judged at once.
        hash: SHA-256 of these three, as JSON with sorted keys.
        locked: when, in UTC.
        code: a hash over the fingerprints of the code that was to train its cells.
        results: cells of the study that had a result then already.
        late: why it says nothing of what was stated before the first result, where that is so; else empty.
        changes: what is stated otherwise today, as sentences by the claim that they concern.
        version: of this form.
    """

    claims: list[dict[str, Any]]
    seeds: list[int]
    looks: list[int]
    hash: str
    locked: str
    code: str = ""
    results: int = 0
    late: str = ""
    changes: dict[str, list[str]] = field(default_factory=dict)
    version: int = VERSION

    @classmethod
    def of(cls, study: Study, results: int) -> Lock:
        """Of a study as it is planned now, of whose cells so many have a result."""
        claims, seeds, looks = stated(study.stated), list(study.seeds.values), list(study.seeds.looks)
        text = json.dumps([claims, seeds, looks], sort_keys=True)
        return cls(
            claims=claims,
            seeds=seeds,
            looks=looks,
            hash=hashlib.sha256(text.encode()).hexdigest(),
            locked=datetime.now(UTC).isoformat(timespec="seconds"),
            code=hashlib.sha256("".join(sorted({cell.code for cell in study.cells})).encode()).hexdigest()[:16],
            results=results,
        )

    @property
    def planned(self) -> list[int]:
        """The numbers of seeds at which the study was to be judged."""
        return self.looks or [len(self.seeds)]

    def held_against(self, study: Study) -> Lock:
        """The lock with what the study states otherwise now."""
        return replace(self, changes=_changes(self, study))

    def to_dict(self) -> dict[str, Any]:
        """As plain values, the short ones first."""
        plain = asdict(self)
        return {key: plain[key] for key in ("version", "locked", "hash", *plain)}


def stated(claims: Iterable[Claim]) -> list[dict[str, Any]]:
    """Claims as plain values, in one spelling of numbers."""
    plain = [asdict(claim) for claim in claims]
    for one in plain:
        one["margin"] = float(one["margin"])
        one["contrast"] = {str(text): float(weight) for text, weight in one["contrast"].items()}
    return plain


def read_lock(folder: Path) -> Lock | None:
    """The lock of a study's folder; None where it has none.

    Raises:
        BrokenFile: it is not whole.
        InputError: it cannot be read.
    """
    path = folder / FILE
    if not path.exists():
        return None
    plain = read_json(path, again=ANEW, claims=list)
    try:
        lock = checked(plain, Lock)
        for claim in lock.claims:
            as_claim(claim)
    except InputError as error:
        raise BrokenFile(f"{path} is not whole ({error}); {ANEW}") from error
    return lock


def write_lock(folder: Path, lock: Lock) -> None:
    """Write `lock.json` of a study's folder."""
    write_json(folder / FILE, lock.to_dict())


def _changes(lock: Lock, study: Study) -> dict[str, list[str]]:
    before = {str(claim["id"]): claim for claim in lock.claims}
    now = {str(claim["id"]): claim for claim in stated(study.stated)}
    found: dict[str, list[str]] = {}
    for name, claim in now.items():
        lines = _of_claim(before[name], claim) if name in before else [f"the claim was added {_after(lock)}"]
        if lines:
            found[name] = lines
    gone = [f"claim '{name}' was removed {_after(lock)}: {_told(before[name])}" for name in before if name not in now]
    of_study = [*filter(None, [lock.late]), *gone, *_of_seeds(lock, study)]
    return {**found, STUDY: of_study} if of_study else found


def _after(lock: Lock) -> str:
    return f"after the first result came (the claims were locked at {lock.locked})"


def _told(claim: Mapping[str, Any]) -> str:
    return str(claim.get("says") or f"{claim['expect']} {claim['metric']} of {_contrast(claim['contrast'])}")


def _of_claim(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of a claim was otherwise, a sentence a field."""
    lines = []
    for name in DECISIVE:
        # A field that the lock's version did not know had its default.
        old = before.get(name, getattr(Claim, name, [] if name == "requires" else None))
        if not _same(name, old, now[name]):
            lines.append(f"{_field(name, old)} {WHEN}")
    return lines


def _same(name: str, old: Any, new: Any) -> bool:
    if name == "contrast":  # `a|b` and `b|a` are one
        return {s.meaning: w for s, w in added_up(old).items()} == {s.meaning: w for s, w in added_up(new).items()}
    if name == "requires":  # a reason decides nothing
        return [_bound(gate) for gate in old] == [_bound(gate) for gate in new]
    return bool(old == new)


def _bound(gate: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(gate.get(name) for name in ("cells", "metric", "below", "above"))


def _field(name: str, old: Any) -> str:
    if name == "requires":
        return f"its gates were {'; '.join(_gate(gate) for gate in old)}" if old else "it had no gates"
    if name == "contrast":
        return f"contrast was {_contrast(old)}"
    if name == "says":
        return f"the claim read '{old}'"
    if old in (None, ""):
        return f"it had no {name}"
    return f"{name} was {old:g}" if isinstance(old, float) else f"{name} was {old}"


def _contrast(contrast: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{text}: {weight:g}" for text, weight in contrast.items()) + "}"


def _gate(plain: Mapping[str, Any]) -> str:
    gate = Gate(**plain)
    bound = f"below {gate.below:g}" if gate.below is not None else f"above {gate.above:g}"
    return f"{gate.metric} of {gate.cells} {bound}"


def _of_seeds(lock: Lock, study: Study) -> list[str]:
    """What of the plan of seeds was otherwise; another order of the same seeds is no change."""
    if sorted(lock.seeds) == sorted(study.seeds.values) and list(lock.looks) == list(study.seeds.looks):
        return []
    looks = f", looked at after {', '.join(map(str, lock.looks))}" if lock.looks else ""
    return [f"{_seeds(lock.seeds)} {'was' if len(lock.seeds) == 1 else 'were'} planned{looks} {WHEN}"]


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"1 seed ({seeds[0]})"
    ordered = sorted(seeds)
    run = ordered == list(range(ordered[0], ordered[-1] + 1))
    return f"{len(seeds)} seeds ({f'{ordered[0]} to {ordered[-1]}' if run else ', '.join(map(str, ordered))})"

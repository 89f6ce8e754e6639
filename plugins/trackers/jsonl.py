"""A study as a file of events, for scripts and for `tail -f`."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ablate import FollowedCell, FollowedStudy, InputError, Tracker, register

FILE = "events.jsonl"


@register("tracker", "jsonl")
class Jsonl(Tracker):
    """Writes what happens to a file in the study's folder, an event a line as JSON.

    Events are `study`, `started`, `epoch`, `ended`, `failed`, `again` and `verdicts`; each has the time at which it was
    written, and those of a cell its ID, arm, factors and seed.

    Args:
        file: its name.
    """

    def __init__(self, *, file: str = FILE) -> None:
        if not file or Path(file).name != file:
            raise InputError(f"tracker.jsonl.file={file}: must be the name of a file in the study's folder")
        self.file, self.where = file, "" if file == FILE else file

    def begin(self, study: FollowedStudy, *, anew: bool) -> None:
        self.path = study.folder / self.file
        events = self._events()
        # What was being written when a process was killed is told again.
        self._last = {key: value for key, value in events[-1].items() if key != "time"} if events else {}
        self._epochs = {_place(event) for event in events if event.get("event") == "epoch"}
        if anew:
            self._write("study", name=study.name, cells=len(study.cells), command=study.record.get("command", ""))

    def started(self, study: FollowedStudy, cell: FollowedCell) -> None:
        self._write("started", **_about(cell))

    def rows(self, study: FollowedStudy, cell: FollowedCell, rows: Sequence[Mapping[str, float]]) -> None:
        for row in rows:
            event = {**_about(cell), **row, "epoch": int(row["epoch"])}
            if _place(event) not in self._epochs:
                self._write("epoch", **event)

    def ended(self, study: FollowedStudy, cell: FollowedCell, result: Mapping[str, Any]) -> None:
        told = {key: result.get(key) for key in ("status", "reason", "metrics", "finished")}
        self._write("ended", **_about(cell), **told)

    def failed(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:
        self._write("failed", **_about(cell), reason=reason)

    def again(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:
        self._write("again", **_about(cell), reason=reason)

    def judged(self, study: FollowedStudy, verdicts: Sequence[Mapping[str, Any]]) -> None:
        told = [{key: verdict.get(key) for key in ("id", "verdict", "effect")} for verdict in verdicts]
        self._write("verdicts", verdicts=told)

    def _events(self) -> list[dict[str, Any]]:
        """Those in the file by now; a line that was cut short goes."""
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self.path, whole)
        return [json.loads(line) for line in content[:whole].decode().splitlines()]

    def _write(self, event: str, **about: Any) -> None:
        content = json.loads(json.dumps({"event": event, **about}, default=str))
        if content == self._last:
            return
        self._last = content
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **content})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _about(cell: FollowedCell) -> dict[str, Any]:
    about = {"cell": cell.id, "arm": cell.arm, "factors": dict(cell.factors), "seed": cell.seed}
    return about | ({"attempt": cell.attempt} if cell.attempt else {})


def _place(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells an epoch from all others."""
    return event["cell"], event.get("attempt", 0), event["epoch"]

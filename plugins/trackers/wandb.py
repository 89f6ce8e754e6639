"""A study in Weights & Biases: a run for each cell, and one for the study."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from ablate import FollowedCell, FollowedStudy, InputError, Tracker, register, unknown

from ._stored import code_of, digest, ends, frozen, history, is_finished, redacted, shown
from ._wandb_client import SWEEP, Client
from ._wandb_names import run_id
from ._wandb_records import Record, in_store, records
from ._wandb_session import Run, Session, Target

Result = TypeVar("Result")
MODES = ("online", "offline", "shared", "disabled")
OLD_MODES = {"run": "online", "dryrun": "offline"}
NOT_IN_A_PROJECT = "/\\#?%:"
REACH_S = 5.0  # to wait for the server before it counts as out of reach
# What `finish` is called with. wandb shows 0 as finished and others as failed; 255 is its own for an interrupt.
EXIT_CODES = {"done": 0, "failed": 1, "diverged": 3, "interrupted": 255}
PAGES = {"report": "report.html", "effects": "figures/effects.svg"}


@register("tracker", "wandb")
class Wandb(Tracker):
    """Mirrors the study to Weights & Biases: a run a cell, and one a study with verdicts, effects and the report.

    Runs have the study as group and its name as tag, the arm as job type, and rows with the time at which an epoch
    ended. One process keeps all runs; those of the cells know nothing of it. Without a network or a key, offline runs
    are written, each when its cell has ended.

    Args:
        project: of wandb; else what `WANDB_PROJECT` or wandb's settings say, and `ablate` where they say nothing.
        entity: user or team that it belongs to; else what `WANDB_ENTITY` or wandb's settings say.
        mode: `online`, `offline`, or `disabled`; else what `WANDB_MODE` says, and where that says nothing, `offline`
            where there is no key or network. `shared` is `online`: nobody else writes to these runs.
        patience_s: how long wandb may try to reach its server for one run before the rest is left to the next run of
            the study.
    """

    def __init__(
        self,
        *,
        project: str | None = None,
        entity: str | None = None,
        mode: str | None = None,
        patience_s: float = 600.0,
    ) -> None:
        if mode and mode not in MODES:
            raise unknown("tracker.wandb.mode", mode, MODES)
        if wrong := sorted(set(project or "") & set(NOT_IN_A_PROJECT)):
            raise InputError(f"tracker.wandb.project={project}: wandb takes no {' '.join(wrong)} in a project's name")
        if patience_s <= 0:
            raise InputError(f"tracker.wandb.patience_s={patience_s:g}: must be above 0")
        asked = os.environ.get("WANDB_MODE", "").lower()
        self.mode = mode or OLD_MODES.get(asked, asked)
        self.project = project or os.environ.get("WANDB_PROJECT", "")
        self.entity = entity or os.environ.get("WANDB_ENTITY", "")
        self.patience_s = patience_s
        place = (redacted(os.environ.get("WANDB_BASE_URL", "")), self.entity, self.project)
        self.where = "|".join(place) if any(place) else ""
        self._session: Session | None = None
        self._off = self.mode == "disabled"
        self._open: dict[str, Run] = {}
        self._training: dict[str, FollowedCell] = {}
        self._failed: set[str] = set()
        self._broken = False  # something has failed, and nothing is waited for any more
        self._verdicts: Sequence[Mapping[str, Any]] | None = None
        self._swept = False
        self._hindrance = ""  # why it is offline, where nobody has asked for that
        self._said = False

    def missing(self, study: FollowedStudy) -> Collection[str]:
        self._sweep(study)
        if self._off:
            return ()
        if self._swept:
            return [] if in_store(study.folder, self.where, run_id(os.environ["WANDB_RUN_ID"])) else study.asked
        kept = [one for one in records(study.folder) if one.record.to == self.where]
        waits = any(one.folder for one in kept) and self._can_send(study)
        behind = {one.record.cell for one in kept if one.record.rows is None or (waits and one.folder)}
        # That of the study ends anew with each command: what was interrupted or had failed may be done by now.
        behind |= {self.STUDY for one in kept if one.record.cell == self.STUDY and one.record.status != "done"}
        arrived = {one.record.cell for one in kept} - behind
        return {self.STUDY, *(cell.id for cell in study.cells)} - arrived

    def begin(self, study: FollowedStudy, *, anew: bool) -> None:
        self._study = study

    def started(self, study: FollowedStudy, cell: FollowedCell) -> None:
        # What is done with a finished cell measures it, and changes nothing of how it ended.
        if not is_finished(cell) and self._follows(study, cell):
            self._training[cell.id] = cell
            if self._is_online:
                self._guarded(Session.summary, self._run_of(study, cell), {"status": "running", "reason": ""})

    def rows(self, study: FollowedStudy, cell: FollowedCell, rows: Sequence[Mapping[str, float]]) -> None:
        if self._follows(study, cell) and self._is_online and rows:
            self._training[cell.id] = cell
            self._send(self._run_of(study, cell), cell, until=rows[-1]["epoch"])

    def ended(self, study: FollowedStudy, cell: FollowedCell, result: Mapping[str, Any]) -> None:
        if self._follows(study, cell):
            about = {key: result[key] for key in ("status", "reason", "finished") if result.get(key)}
            self._end(study, cell, {**result["metrics"], **about})

    def failed(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:
        self._failed.add(cell.id)
        if not is_finished(cell) and self._follows(study, cell):
            self._end(study, cell, {"status": "failed", "reason": reason})

    def judged(self, study: FollowedStudy, verdicts: Sequence[Mapping[str, Any]]) -> None:
        self._study = study
        if self._begin(study) and not self._swept:
            self._verdicts = verdicts
            failed = f"{len(self._failed)} of {len(study.cells)} cells failed" if self._failed else ""
            self._tell_study("failed" if failed else "done", failed, verdicts)

    def close(self) -> None:
        if self._session is None:
            return
        try:
            if not self._broken and self._training:
                for cell in list(self._training.values()):
                    self._end(self._study, cell, {"status": "interrupted"})
                if not self._swept:
                    self._tell_study("interrupted", "", self._verdicts)
        finally:
            self._session.end()

    @property
    def _is_online(self) -> bool:
        return self._session is not None and self._session.target.online

    def _follows(self, study: FollowedStudy, cell: FollowedCell) -> bool:
        self._study = study
        return (not self._swept or cell.id in study.asked) and self._begin(study)

    def _sweep(self, study: FollowedStudy) -> None:
        """Under the agent of a sweep, a study of one cell takes the agent's run."""
        if not os.environ.get("WANDB_SWEEP_ID") or self._off:
            return
        self._swept = len(study.asked) == 1 and bool(os.environ.get("WANDB_RUN_ID"))
        if not self._swept:
            self.say(f"keeps runs of its own: the sweep's is for one cell, and this study has {len(study.asked)}")

    def _begin(self, study: FollowedStudy) -> bool:
        """Start the process; whether anything is told."""
        if self._session is None and not self._off:
            self._broken = True
            client = Client(SWEEP if self._swept else (), self.patience_s)
            try:
                self._session = self._session_with(client, study)
            finally:
                if self._session is None:
                    client.end()
            self._broken = False
        return not self._off

    def _can_send(self, study: FollowedStudy) -> bool:
        """Whether what was written offline can be sent by now."""
        if self._begin(study) and self._session and not self._is_online:
            self._session.end()  # there may be nothing else to tell, and then nobody ends it
            self._session = None
        return self._is_online

    def _session_with(self, client: Client, study: FollowedStudy) -> Session | None:
        """As the options, the environment and wandb's settings say; None where they disable it."""
        standing = client.ask("standing", reach_s=None if self.mode else REACH_S)
        mode = self.mode or standing["mode"]
        if mode == "disabled":
            self._off = True
            return None
        self._hindrance = redacted(standing["hindrance"])
        target = Target(
            mode != "offline" and not self._hindrance, self.where, self.project or standing["project"] or "ablate",
            self.entity, _tags(), os.environ.get("WANDB_NOTES", ""), self._swept,
        )  # fmt: skip
        session = Session(client, study.folder, target)
        session.tidy()
        return session

    def _say_where(self, study: FollowedStudy, url: str) -> None:
        """Once, when there is something to see."""
        if self._said or not self._session:
            return
        self._said = True
        runs, folder = shown(self._session.runs), shown(study.folder)
        why = f" ({self._hindrance})" if self._hindrance else ""
        send = f"`python -m ablate upload {folder} tracker=wandb` or `wandb sync {runs}/offline-run-*`"
        offline = f"is offline{why}: it writes to {runs}; to send it later, {send}"
        self.say(f"shows the study at {url.partition('/runs/')[0]}" if self._is_online else offline)

    def _run_of(self, study: FollowedStudy, cell: FollowedCell) -> Run:
        """The run of a cell, opened where it is not."""
        if cell.id not in self._open:
            code = code_of(cell)
            config = {**frozen(cell), **_about(cell), "code": code}
            record = Record(self._id_of(study, cell, code), cell.id, code)
            name = cell.id if self._swept else record.id
            self._open[cell.id] = self._opened(record, study, cell.arm, name, config)
        return self._open[cell.id]

    def _id_of(self, study: FollowedStudy, cell: FollowedCell, code: str) -> str:
        """The ID of a cell's run: the cell's own, with a number behind it where other code has trained it anew."""
        if self._swept:
            return run_id(os.environ["WANDB_RUN_ID"])
        for number in itertools.count(1):
            name = run_id(cell.id, f"-{number}" if number > 1 else "")
            codes = {kept.record.code for kept in in_store(study.folder, self.where, name)}
            if code in codes or (not codes and number > cell.attempt):
                return name
        raise AssertionError("numbers do not end")

    def _opened(self, record: Record, study: FollowedStudy, kind: str, name: str, config: Mapping[str, Any]) -> Run:
        group = study.folder.name
        run = self._guarded(Session.open, record, group=group, kind=kind, name=name, config=config)
        self._say_where(study, run.url)
        return run

    def _send(self, run: Run, cell: FollowedCell, *, until: float | None = None) -> None:
        """Send what the run lacks of the cell's history, whatever was told: only wandb knows what has arrived."""
        rows = [row for row in _rows(cell) if until is None or row["step"] <= until]
        self._guarded(Session.rows, run, rows)

    def _end(self, study: FollowedStudy, cell: FollowedCell, summary: Mapping[str, Any]) -> None:
        run = self._run_of(study, cell)
        self._send(run, cell)
        # With the last row: an offline run that adds to one that was sent has none, and replaces its summary.
        last = next(iter(history(cell)[-1:]), {})
        self._finish(run, {**last, "reason": "", **summary})
        self._open.pop(cell.id)
        self._training.pop(cell.id, None)

    def _finish(self, run: Run, summary: Mapping[str, Any]) -> None:
        self._guarded(Session.finish, run, EXIT_CODES[summary["status"]], summary)

    def _guarded(self, method: Callable[..., Result], *given: Any, **named: Any) -> Result:
        """Do something with the session; once that has failed, nothing is waited for any more."""
        assert self._session, "it begins before anything is told"
        self._broken = True
        result = method(self._session, *given, **named)
        self._broken = False
        return result

    def _tell_study(self, status: str, reason: str, verdicts: Sequence[Mapping[str, Any]] | None) -> None:
        """The run of the study as a whole."""
        study = self._study
        about = {key: value for key, value in study.record.items() if key not in ("cells", "version")}
        name = run_id(study.folder.name, "-study")
        run = self._opened(Record(name), study, "study", study.name, about)
        values = {"status": status, "reason": reason, "cells": len(study.cells)}
        if verdicts is not None:
            flat = _flat(verdicts)
            values |= flat | {"told": digest(flat)}
        if verdicts is not None and run.summary.get("told") != values["told"]:
            pages = {name: str(study.folder / file) for name, file in PAGES.items() if (study.folder / file).exists()}
            self._guarded(Session.pages, run, flat, pages)
        self._finish(run, values)


def _tags() -> list[str]:
    return [tag.strip() for tag in os.environ.get("WANDB_TAGS", "").split(",") if tag.strip()]


def _about(cell: FollowedCell) -> dict[str, Any]:
    return {"cell": cell.id, "arm": cell.arm, "factors": dict(cell.factors), "seed": cell.seed}


def _rows(cell: FollowedCell) -> list[dict[str, Any]]:
    """The rows of a history, each with the epoch as its step, and the time at which it ended."""
    rows = history(cell)
    return [
        {"step": int(row["epoch"]), "values": {**row, "epoch": int(row["epoch"]), "_timestamp": time}}
        for row, time in zip(rows, ends(cell, rows), strict=True)
    ]


def _flat(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Verdicts as values of a summary: `effect/CLAIM`, ..."""
    told = ("verdict", "effect", "low", "high", "n", "p_holm", "sentence")
    return {f"{key}/{one['id']}": one[key] for one in verdicts for key in told if one.get(key) is not None}

"""From what the store holds of a study to its verdicts, its report, and the table in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console

from ablate.preflight.certificate import load_certificates
from ablate.run.current import remember
from ablate.run.recovery import tidy
from ablate.run.results import load_history, load_results, load_study, load_versions
from ablate.run.tables import load_tables
from ablate.study.ledger import Entry, enter, looks_outside, plain, read_ledger
from ablate.study.lock import Lock, read_lock
from ablate.study.record import StudyRecord
from ablate.system.reading import BrokenFile

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analysis import Verdict

T = TypeVar("T")


def report_study(
    folder: Path, console: Console, *, show: bool = True, remembered: bool = False
) -> list[dict[str, Any]]:
    """Judge what the store holds of a study, write its report and print the table; returns the verdicts as dicts.

    Args:
        folder: of the study.
        console: where to print.
        show: print it.
        remembered: keep what was printed for a run that finds nothing changed.

    Raises:
        InputError: no study there, or a file of it is broken.
    """
    from ablate.report import terminal_table, write_report

    tidy(folder)
    record = load_study(folder)
    study = {**record.to_dict(), "versions": load_versions(folder)}
    frame, history = load_results(folder), load_history(folder)
    tables, lost = load_tables(folder)
    broken = [*history.attrs["broken"], *lost]
    certificates = _whole(lambda: load_certificates(folder), broken) or []
    lock, entries = _whole(lambda: read_lock(folder), broken), _whole(lambda: read_ledger(folder), broken) or []
    judged = _judged(frame, record, lock, entries)
    entries = enter(folder, judged, entries)
    study["certificates"] = [certificate.to_dict() for certificate in certificates]
    study["lock"], study["ledger"] = lock.to_dict() if lock else None, plain(entries)
    for line in broken:
        console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)
    verdicts = [verdict.to_dict() for verdict in judged]
    write_report(folder, study, frame, history, verdicts, tables)
    if show:
        with console.capture() as capture:
            terminal_table(console, study, frame, verdicts)
            console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
        console.file.write(capture.get())
        if remembered and not broken:  # what is not whole is told each time
            remember(folder, console, capture.get())
    return verdicts


def _judged(frame: pd.DataFrame, record: StudyRecord, lock: Lock | None, entries: Sequence[Entry]) -> list[Verdict]:
    """The verdicts, with what was changed since the first result, and what earlier looks make of them."""
    from ablate.analysis import at_other_margins, judge
    from ablate.analysis.peeking import alarms

    verdicts = judge(frame, record.claims, looks=record.looks, grid=record.grid)
    if before := looks_outside(entries, lock, verdicts):
        verdicts = judge(frame, record.claims, looks=record.looks, grid=record.grid, judged_before=before)
    verdicts = at_other_margins(frame, record.claims, verdicts, looks=record.looks, grid=record.grid)
    changes = lock.changes if lock else {}
    verdicts = [verdict.replace(changed=changes.get(verdict.id, [])) for verdict in verdicts]
    return [verdict.replace(notes=[*alarms(verdict), *verdict.notes]) for verdict in verdicts]


def _whole(read: Callable[[], T], broken: list[str]) -> T | None:
    """What a file of the study holds; None where it is not whole, of which `broken` then has a line."""
    try:
        return read()
    except BrokenFile as error:
        broken.append(str(error))
        return None

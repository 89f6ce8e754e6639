"""From what the store holds of a study to its verdicts, its report, and the table in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ablate.preflight.certificate import load_certificates
from ablate.run.current import remember
from ablate.run.recovery import tidy
from ablate.run.results import load_history, load_results, load_study, load_versions
from ablate.system.reading import BrokenFile


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
    from ablate.analysis import judge
    from ablate.report import terminal_table, write_report

    tidy(folder)
    record = load_study(folder)
    study = {**record.to_dict(), "versions": load_versions(folder)}
    frame, history = load_results(folder), load_history(folder)
    broken = list(history.attrs["broken"])
    try:
        study["certificates"] = [certificate.to_dict() for certificate in load_certificates(folder)]
    except BrokenFile as error:
        broken.append(str(error))
    for line in broken:
        console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)
    verdicts = [verdict.to_dict() for verdict in judge(frame, record.claims, looks=record.looks, grid=record.grid)]
    write_report(folder, study, frame, history, verdicts)
    if show:
        with console.capture() as capture:
            terminal_table(console, study, frame, verdicts)
            console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
        console.file.write(capture.get())
        if remembered and not broken:  # what is not whole is told each time
            remember(folder, console, capture.get())
    return verdicts

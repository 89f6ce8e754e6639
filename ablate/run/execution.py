"""A planned study through an engine into the store, and from there to verdicts and a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ablate.config import contents
from ablate.errors import CellsFailed, ClaimsNotSupported
from ablate.interfaces.engine import CellPlace, Engine, Job, Listener
from ablate.network.profile import Profile
from ablate.preflight.certificate import load_certificates, write_certificates
from ablate.preflight.check import check, check_data
from ablate.run.current import remember, told_before
from ablate.run.listeners import Several
from ablate.run.looks import first_cells, next_cells
from ablate.run.names import left_out, refuse_other_design
from ablate.run.results import load_history, load_results, load_study, load_versions
from ablate.run.settle import settled
from ablate.run.store import RESULT, Store
from ablate.run.takeover import take_over
from ablate.study.cells import Cell, cell_of
from ablate.study.plan import Study
from ablate.system.files import write_json
from ablate.system.interrupts import in_order


def run_study(study: Study, console: Console) -> None:
    """Train what has no result yet, then judge and report.

    Raises:
        InputError: a cell's network cannot be built or held in memory, an arm or what was typed changes nothing, the
            name stands for another design already, or the store cannot be written.
        CellsFailed: some cells have no result.
        ClaimsNotSupported: `study.strict=true`, and a claim has another verdict than `supported`.
    """
    store = Store(study.runs, study.folder)
    for note in study.notes:
        console.print(note, style="yellow", highlight=False, markup=False)
    # Wrong input ends here, before anything is written.
    study = with_data(settled(study))
    if study.chosen:
        console.print(f"trainer=auto: {study.chosen['text']}", highlight=False, markup=False)
    refuse_other_design(study, store)
    candidates = open_cells(study, store)
    checked = check(study, candidates, load_certificates(store.folder))
    if study.trains:
        check_data(candidates)
    store.prepare()
    take_over(store, study.once, same_code=study.rerun == "stale")
    if not console.is_terminal:
        _announce(study, store, checked.engine, console)
    if checked.certificates:
        write_certificates(store.folder, checked.certificates)
    failures = _train_by_looks(study, store, checked.engine, checked.profiles, console)
    verdicts = told_before(store.folder, console)
    if verdicts is None:
        verdicts = report_study(store.folder, console, remembered=True)
    if failures:
        raise CellsFailed(f"{len(failures)} of {len(study.once)} cells failed; the same command tries them again")
    wanting = [verdict["id"] for verdict in verdicts if verdict["verdict"] != "supported"]
    if study.strict and wanting:
        raise ClaimsNotSupported(f"study.strict=true, and not supported: {', '.join(wanting)}")


def with_data(study: Study) -> Study:
    """The study with the data of its cells looked for, and fetched where that is asked for, where its ID waits for it.

    Raises:
        InputError: it is not there; says what to put where.
    """
    waiting = [cell for cell in study.cells if cell.provisional]
    if not waiting or not study.trains:
        return study
    check_data(waiting)
    contents.forget()
    cells = [cell_of(cell.arm, cell.factors, cell.config) if cell.provisional else cell for cell in study.cells]
    return replace(study, cells=cells)


def open_cells(study: Study, store: Store, cells: Iterable[Cell] | None = None) -> list[Cell]:
    """The cells to train: those without a result, and under `rerun=stale` those that only other code has trained.

    A cell that two arms share is there once.

    Args:
        study: as planned.
        store: of it.
        cells: of the study that are wanted by now; None: all.

    Raises:
        InputError: a result file of the store is broken.
    """
    once = {cell.id: cell for cell in (study.cells if cells is None else cells)}
    return [cell for cell in once.values() if store.find(cell, cell.code if study.rerun == "stale" else None) is None]


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

    record = load_study(folder)
    study = {**record.to_dict(), "versions": load_versions(folder)}
    study["certificates"] = [certificate.to_dict() for certificate in load_certificates(folder)]
    frame, history = load_results(folder), load_history(folder)
    verdicts = [verdict.to_dict() for verdict in judge(frame, record.claims, looks=record.looks)]
    write_report(folder, study, frame, history, verdicts)
    if show:
        with console.capture() as capture:
            terminal_table(console, study, frame, verdicts)
            console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
        console.file.write(capture.get())
        if remembered:
            remember(folder, console, capture.get(), verdicts)
    return verdicts


def _announce(study: Study, store: Store, engine: Engine, console: Console) -> None:
    """Where no display is drawn, one line, since the next one may be hours away."""
    left = len(open_cells(study, store)) if study.trains else 0
    if left:
        slots = len(engine.slots(left, study.threads))
        where = f", {slots} slot{'' if slots == 1 else 's'}" if slots else ""
        total = len(study.once)
        text = f"{study.name}: {total} cell{'' if total == 1 else 's'}, {total - left} stored already{where}"
        console.print(text, highlight=False, markup=False)


def _train_by_looks(
    study: Study, store: Store, engine: Engine, profiles: Mapping[str, Profile], console: Console
) -> dict[str, str]:
    """Train the cells of one look after the other, as long as there are more; returns the failures."""
    failures: dict[str, str] = {}
    if left := left_out(study, store):
        console.print(f"{left}; a run of the whole study brings them back into the report", highlight=False)
    cells = first_cells(study, store)
    while True:
        wanted = [cell for cell in open_cells(study, store, cells) if cell.id not in failures] if study.trains else []
        store.write_study(study, cells, profiles)
        jobs = [_job(store, cell, profiles[cell.id]) for cell in wanted]
        failures |= _train(cells, store, engine, jobs, console) if jobs else {}
        more = next_cells(study, store, cells, console)
        if len(more) == len(cells):
            return failures
        cells = more


class Failures(Listener):
    """Keeps the reasons of what failed: in `failure.json` of each cell, and here by cell ID."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def failed(self, job: Job, reason: str) -> None:
        """Keep it."""
        for cell in job.cells:
            self.reasons[cell.id] = reason
            write_json(cell.folder / "failure.json", {"reason": reason})


def _train(cells: list[Cell], store: Store, engine: Engine, jobs: list[Job], console: Console) -> dict[str, str]:
    from ablate.run.progress import StudyProgress
    from ablate.run.scheduling import run_jobs

    by_id = {cell.id: cell for cell in cells}

    def is_done(job: Job) -> bool:
        """Whether its cells are finished by now; those that another study of the store has ended are taken over."""
        own = [by_id[one.id] for one in job.cells]
        take_over(store, own, same_code=True)
        return all((store.cell(cell.id) / RESULT).exists() and store.find(cell, cell.code) for cell in own)

    done, cost = len(by_id) - len(jobs), sum(job.cost for job in jobs)
    failures = Failures()
    with in_order(), StudyProgress(console, len(by_id), done, cost) as progress:
        run_jobs(engine, jobs, Several([failures, progress]), is_done)
    return failures.reasons


def _job(store: Store, cell: Cell, profile: Profile) -> Job:
    cost = float(cell.config["trainer"]["epochs"]) * (profile.flops + profile.params)
    place = CellPlace(cell.id, store.freeze(cell), store.lock_file(cell.id))
    return Job((place,), cost, threads=cell.config["trainer"]["threads"])

"""A planned study through an engine into the store, and from there to verdicts and a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from ablate import registry
from ablate.errors import CellsFailed, ClaimsNotSupported, InputError
from ablate.interfaces.run import Engine, Job
from ablate.network.profile import Network, inspect_network
from ablate.preflight.capacity import refuse_too_large
from ablate.preflight.certificate import load_certificates, write_certificates
from ablate.preflight.certificate.certify import certify, refuse_no_ops
from ablate.preflight.unused import refuse_unused
from ablate.registry.blame import blaming
from ablate.run.looks import first_cells, next_cells
from ablate.run.store import Store, load_history, load_results, load_study, load_versions
from ablate.study.plan import Cell, Study
from ablate.system.files import write_json
from ablate.system.interrupts import in_order


def run_study(study: Study, console: Console) -> None:
    """Train what has no result yet, then judge and report.

    Raises:
        InputError: a cell's network cannot be built or held in memory, an arm or what was typed changes nothing, or the
            store cannot be written.
        CellsFailed: some cells have no result.
        ClaimsNotSupported: `study.strict=true`, and a claim has another verdict than `supported`.
    """
    store = Store(study.runs, study.name)
    for note in study.notes:
        console.print(note, style="yellow", highlight=False, markup=False)
    if study.chosen:
        console.print(f"trainer=auto: {study.chosen['text']}", highlight=False, markup=False)
    # Wrong input ends here, before anything is written.
    candidates = [cell for cell in study.once if study.rerun == "stale" or not store.has_result(cell.id)]
    engine = engine_of(study)
    networks = networks_of(candidates)
    refuse_unused(study)
    refuse_too_large(candidates, networks, engine)
    if study.trains:
        check_data(candidates)
    certificates = certify(study, load_certificates(store.folder))
    refuse_no_ops(study, certificates)
    store.prepare()
    if not console.is_terminal:
        _announce(study, store, engine, console)
    if certificates:
        write_certificates(store.folder, certificates)
    failures = _train_by_looks(study, store, engine, networks, console)
    verdicts = report_study(store.folder, console)
    if failures:
        raise CellsFailed(f"{len(failures)} of {len(study.once)} cells failed; the same command tries them again")
    wanting = [verdict["id"] for verdict in verdicts if verdict["verdict"] != "supported"]
    if study.strict and wanting:
        raise ClaimsNotSupported(f"study.strict=true, and not supported: {', '.join(wanting)}")


def engine_of(study: Study) -> Engine:
    """The study's engine; nothing is started.

    Raises:
        InputError: its options make no sense, or it cannot be built.
    """
    with blaming({"engine": study.engine}, "building the engine"):
        return cast(Engine, registry.build("engine", study.engine))


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

    def is_open(cell: Cell) -> bool:
        if store.result(cell.id, cell.code) is not None:
            return False
        return study.rerun == "stale" or store.result(cell.id) is None

    once = {cell.id: cell for cell in (study.cells if cells is None else cells)}
    return [cell for cell in once.values() if is_open(cell)]


def _announce(study: Study, store: Store, engine: Engine, console: Console) -> None:
    """Where no display is drawn, one line, since the next one may be hours away."""
    left = len(open_cells(study, store)) if study.trains else 0
    if left:
        slots = len(engine.slots(left))
        where = f", {slots} slot{'' if slots == 1 else 's'}" if slots else ""
        total = len(study.once)
        text = f"{study.name}: {total} cell{'' if total == 1 else 's'}, {total - left} stored already{where}"
        console.print(text, highlight=False, markup=False)


def _train_by_looks(
    study: Study, store: Store, engine: Engine, networks: Mapping[str, Network], console: Console
) -> dict[str, str]:
    """Train the cells of one look after the other, as long as there are more; returns the failures."""
    failures: dict[str, str] = {}
    if left := store.left_out(study):
        console.print(f"{left}; a run of the whole study brings them back into the report", highlight=False)
    cells = first_cells(study, store)
    while True:
        wanted = [cell for cell in open_cells(study, store, cells) if cell.id not in failures] if study.trains else []
        store.write_study(study, cells, networks)
        jobs = [_job(store, cell, networks[cell.id]) for cell in wanted]
        failures |= _train(cells, store, engine, jobs, console) if jobs else {}
        more = next_cells(study, store, cells, console)
        if len(more) == len(cells):
            return failures
        cells = more


def networks_of(cells: list[Cell]) -> dict[str, Network]:
    """Build each network once without memory for its weights: size, cost, and whether it can be built at all.

    Raises:
        InputError: it cannot; names the arm where there are several.
    """
    known: dict[tuple[str, str], Network] = {}
    has_arms = len({cell.arm for cell in cells}) > 1
    for cell in cells:
        point = _point(cell)
        if point not in known:
            try:
                known[point] = inspect_network(cell.config)
            except InputError as error:
                raise InputError(f"arm '{cell.arm}': {error}" if has_arms else str(error)) from error
    return {cell.id: known[_point(cell)] for cell in cells}


def check_data(cells: list[Cell]) -> None:
    """Look for the data of these cells before any process starts.

    Raises:
        InputError: some of it is not there; says what to put where.
    """
    for node in {repr(cell.config["data"]): cell.config["data"] for cell in cells}.values():
        with blaming({"data": node}, "looking for the data"):
            registry.build("data", node).check()


def report_study(folder: Path, console: Console, *, show: bool = True) -> list[dict[str, Any]]:
    """Judge what the store holds of a study, write its report and print the table; returns the verdicts as dicts.

    Raises:
        InputError: no study there, or a file of it is broken.
    """
    from ablate.analysis import judge
    from ablate.report import terminal_table, write_report

    study = {**load_study(folder), "versions": load_versions(folder)}
    study["certificates"] = [certificate.to_dict() for certificate in load_certificates(folder)]
    frame, history = load_results(folder), load_history(folder)
    looks = study.get("looks") or []
    verdicts = [verdict.to_dict() for verdict in judge(frame, study["claims"], looks=looks)]
    write_report(folder, study, frame, history, verdicts)
    if show:
        terminal_table(console, study, frame, verdicts)
        console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
    return verdicts


def _train(cells: list[Cell], store: Store, engine: Engine, jobs: list[Job], console: Console) -> dict[str, str]:
    from ablate.run.progress import StudyProgress

    codes = {cell.id: cell.code for cell in cells}

    def has_result(job: Job) -> bool:
        return store.result(job.id, codes[job.id]) is not None

    def keep_failure(job: Job, reason: str) -> None:
        write_json(job.folder / "failure.json", {"reason": reason})

    total = len(codes)
    done, cost = total - len(jobs), sum(job.cost for job in jobs)
    with in_order(), StudyProgress(console, total, done, cost, has_result, keep_failure) as progress:
        engine.run(jobs, progress)
    return progress.failures


def _job(store: Store, cell: Cell, network: Network) -> Job:
    cost = float(cell.config["trainer"]["epochs"]) * (network.flops + network.params)
    return Job(cell.id, store.freeze(cell), store.lock_file(cell.id), cost)


def _point(cell: Cell) -> tuple[str, str]:
    return cell.arm, repr(sorted(cell.factors.items(), key=lambda item: item[0]))

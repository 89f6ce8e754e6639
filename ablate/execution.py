"""A planned study through an engine into the store, and from there to verdicts and a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ablate import registry
from ablate.errors import CellsFailed, ClaimsNotSupported, InputError
from ablate.files import write_json
from ablate.interfaces.run import Engine, Job
from ablate.store import Store, load_history, load_results, load_study, load_versions
from ablate.study import Cell, Study
from ablate.training.options import check_options


@dataclass(frozen=True)
class Network:
    """What is known of a cell's network without training it.

    Attributes:
        params: trainable parameters.
        flops: multiply-adds of a forward pass of one image.
    """

    params: int
    flops: int


def run_study(study: Study, console: Console) -> None:
    """Train what has no result yet, then judge and report.

    Raises:
        InputError: a cell's network cannot be built, or the store cannot be written.
        CellsFailed: some cells have no result.
        ClaimsNotSupported: `study.strict=true`, and a claim has another verdict than `supported`.
    """
    store = Store(study.runs, study.name)
    if study.chosen:
        console.print(f"trainer=auto: {study.chosen['text']}", highlight=False, markup=False)
    # Wrong input ends here, before anything is written.
    candidates = [cell for cell in study.cells if study.rerun == "stale" or not store.has_result(cell.id)]
    engine: Engine = registry.build("engine", study.engine)
    networks = networks_of(candidates)
    check_data(candidates)
    store.prepare()
    unfinished = open_cells(study, store)
    store.write_study(study)
    jobs = [_job(store, cell, networks[cell.id]) for cell in unfinished]
    failures = _train(study, store, engine, jobs, console) if jobs else {}
    verdicts = report_study(store.folder, console)
    if failures:
        raise CellsFailed(f"{len(failures)} of {len(study.cells)} cells failed; the same command tries them again")
    wanting = [verdict["id"] for verdict in verdicts if verdict["verdict"] != "supported"]
    if study.strict and wanting:
        raise ClaimsNotSupported(f"study.strict=true, and not supported: {', '.join(wanting)}")


def open_cells(study: Study, store: Store) -> list[Cell]:
    """The cells to train: those without a result, and under `rerun=stale` those that only other code has trained.

    Raises:
        InputError: a result file of the store is broken.
    """

    def is_open(cell: Cell) -> bool:
        if store.result(cell.id, cell.code) is not None:
            return False
        return study.rerun == "stale" or store.result(cell.id) is None

    return [cell for cell in study.cells if is_open(cell)]


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
        registry.build("data", node).check()


def inspect_network(config: dict[str, Any]) -> Network:
    """Count parameters and multiply-adds of a config's network for the images of its data set.

    Raises:
        InputError: the network cannot be built so, or an option of its training makes no sense.
    """
    import torch

    from ablate.network import build_model, count_flops, count_parameters

    check_options(config["trainer"])
    for kind in ("augment", "optim", "schedule"):
        registry.build(kind, config[kind])  # options that make no sense end here, before any process starts
    data = registry.build("data", config["data"])
    with torch.device("meta"):
        model = build_model(config, data)
    return Network(count_parameters(model), count_flops(model, (1, data.channels, *data.size)))


def report_study(folder: Path, console: Console, *, show: bool = True) -> list[dict[str, Any]]:
    """Judge what the store holds of a study, write its report and print the table; returns the verdicts as dicts.

    Raises:
        InputError: no study there, or a file of it is broken.
    """
    from ablate.analysis import judge
    from ablate.report import terminal_table, write_report

    study = {**load_study(folder), "versions": load_versions(folder)}
    frame, history = load_results(folder), load_history(folder)
    verdicts = [verdict.to_dict() for verdict in judge(frame, study["claims"])]
    write_report(folder, study, frame, history, verdicts)
    if show:
        terminal_table(console, study, frame, verdicts)
        console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)
    return verdicts


def _train(study: Study, store: Store, engine: Engine, jobs: list[Job], console: Console) -> dict[str, str]:
    from ablate.progress import StudyProgress

    codes = {cell.id: cell.code for cell in study.cells}

    def has_result(job: Job) -> bool:
        return store.result(job.id, codes[job.id]) is not None

    def keep_failure(job: Job, reason: str) -> None:
        write_json(job.folder / "failure.json", {"reason": reason})

    done, cost = len(study.cells) - len(jobs), sum(job.cost for job in jobs)
    with StudyProgress(console, len(study.cells), done, cost, has_result, keep_failure) as progress:
        engine.run(jobs, progress)
    return progress.failures


def _job(store: Store, cell: Cell, network: Network) -> Job:
    cost = float(cell.config["trainer"]["epochs"]) * (network.flops + network.params)
    return Job(cell.id, store.freeze(cell), store.lock_file(cell.id), cost)


def _point(cell: Cell) -> tuple[str, str]:
    return cell.arm, repr(sorted(cell.factors.items(), key=lambda item: item[0]))

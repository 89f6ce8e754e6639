"""Measurements on the trained networks of a stored study, on the weights that its cells have kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ablate import registry
from ablate.config.compose import compose
from ablate.config.overrides import parse
from ablate.errors import CellsFailed, InputError
from ablate.interfaces.engine import CellPlace, Engine, Job
from ablate.measure.asked import Asked, columns_of
from ablate.registry.blame import blaming
from ablate.run.execution import Failures, siblings_of
from ablate.run.listeners import Several
from ablate.run.reporting import report_study
from ablate.run.results import load_study
from ablate.run.store import RESULT, Store
from ablate.run.stored_result import read_result
from ablate.study.record import CellRecord, StudyRecord
from ablate.study.section import container
from ablate.system.files import read_yaml
from ablate.system.interrupts import in_order

TAKES = ("measurements", "engine")  # keys whose options can be given


@dataclass(frozen=True)
class Sorted:
    """The cells of a study by what can be done for them.

    Attributes:
        wanting: that lack a measurement and have kept their weights.
        without: that lack one and have not.
        complete: that have all.
        unfinished: how many have no result.
    """

    wanting: list[CellRecord]
    without: list[CellRecord]
    complete: list[CellRecord]
    unfinished: int


def measure_study(folder: Path, names: Sequence[str], options: Sequence[str], console: Console) -> None:
    """Take measurements on every cell of a study that lacks them, then report anew.

    Args:
        folder: `runs/NAME`.
        names: of measurements.
        options: overrides such as `measurements.calibration.bins=10` or `engine.slots=1`.
        console: where the user is told.

    Raises:
        InputError: no such study or measurement, an option makes no sense, or no cell has kept its weights.
        CellsFailed: some cells could not be measured.
    """
    record = load_study(folder)
    nodes, engine = _chosen(names, options)
    store = Store(folder.absolute().parent, folder.absolute().name)
    cells = _sorted(record, store, nodes)
    if cells.without and not (cells.wanting or cells.complete):
        raise InputError(_without_weights(record, store, cells.without, names))
    failures = _measure(record, store, engine, nodes, cells.wanting, console) if cells.wanting else {}
    report_study(folder, console)
    console.print(_told(names, cells, failures), highlight=False, soft_wrap=True)
    if cells.without:
        text = _without_weights(record, store, cells.without, names)
        console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)
    if failures:
        reason = next(iter(failures.values()))
        raise CellsFailed(f"{len(failures)} of {len(cells.wanting)} cells could not be measured: {reason}")


def _chosen(names: Sequence[str], options: Sequence[str]) -> tuple[dict[str, Any], Engine]:
    """The config nodes of measurements, and the engine that takes them."""
    for option in parse(options):
        if option.key.split(".")[0] not in TAKES:
            raise InputError(f"'{option.text}': measure takes options of {' and '.join(TAKES)}, as engine.slots=1")
    config = container(compose([f"measurements=[{','.join(names)}]", *options]))
    columns_of(config)  # of options that make no sense no cell has to tell
    with blaming({"engine": config["engine"]}, "building the engine"):
        return config["measurements"], registry.build("engine", config["engine"])


def _sorted(record: StudyRecord, store: Store, nodes: Mapping[str, Any]) -> Sorted:
    asked = Asked(measurements=nodes)
    found = Sorted([], [], [], 0)
    unfinished = 0
    for cell in {cell.id: cell for cell in record.cells}.values():
        path = store.cell(cell.id) / RESULT
        if not path.exists():
            unfinished += 1
            continue
        lacking = asked.lacking(path.parent, read_result(path))
        home = found.complete if not lacking else found.without if lacking.needs_training else found.wanting
        home.append(cell)
    return Sorted(found.wanting, found.without, found.complete, unfinished)


def _measure(
    record: StudyRecord, store: Store, engine: Engine, nodes: Mapping[str, Any], cells: Sequence[CellRecord],
    console: Console,
) -> dict[str, str]:  # fmt: skip
    from ablate.run.progress import StudyProgress
    from ablate.run.scheduling import run_jobs

    jobs = [_job(record, store, nodes, cell) for cell in cells]
    asked = Asked(measurements=nodes)

    def is_done(job: Job) -> bool:
        return not any(asked.lacking(one.folder, read_result(one.folder / RESULT)) for one in job.cells)

    failures = Failures()
    with in_order(), StudyProgress(console, len(jobs), 0, float(len(jobs))) as progress:
        run_jobs(engine, jobs, Several([failures, progress]), is_done)
    return failures.reasons


def _job(record: StudyRecord, store: Store, nodes: Mapping[str, Any], cell: CellRecord) -> Job:
    lacking = Asked(measurements=nodes).lacking(store.cell(cell.id), read_result(store.cell(cell.id) / RESULT))
    wanted = {name: nodes[name] for name in lacking.measurements}
    folder = store.freeze_to_measure(cell.id, wanted, cell.arm, siblings_of(cell, record.cells))
    threads = int(read_yaml(folder / "cell.yaml", config=dict)["config"]["trainer"].get("threads", 1))
    return Job((CellPlace(cell.id, folder, store.lock_file(cell.id)),), 1.0, threads=threads)


def _told(names: Sequence[str], cells: Sorted, failures: Mapping[str, str]) -> str:
    taken = len(cells.wanting) - len(failures)
    parts = [f"{taken} cell{'' if taken == 1 else 's'} measured"]
    if cells.complete:
        parts.append(f"{len(cells.complete)} measured before")
    if cells.unfinished:
        parts.append(f"{cells.unfinished} without a result")
    return f"{', '.join(names)}: {', '.join(parts)}"


def _without_weights(record: StudyRecord, store: Store, cells: Sequence[CellRecord], names: Sequence[str]) -> str:
    """Which cells cannot be measured, what to do, and what that costs."""
    seconds = sum(read_result(store.cell(cell.id) / RESULT)["metrics"].get("seconds") or 0.0 for cell in cells)
    cost = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    many = f"{len(cells)} of {len(record.cells)} cells have" if len(cells) > 1 else f"{cells[0].id} has"
    again = f"study.keep=weights measurements=[{','.join(names)}]"
    command = f"{record.command} {again}" if record.arms and record.settings else f"run them again with {again}"
    return (
        f"{many} no weights kept, without which there is nothing to measure; to train them again takes about {cost} of "
        f"one slot: {command}"
    )

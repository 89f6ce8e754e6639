"""A planned study through an engine into the store, and from there to verdicts and a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from ablate.config import contents
from ablate.config.start import source_cell
from ablate.errors import CellsFailed, ClaimsNotSupported
from ablate.interfaces.engine import CellPlace, Engine, Job, Listener, slots_of
from ablate.measure.asked import Asked, needs_others
from ablate.network.profile import Profile
from ablate.preflight.certificate import write_certificates
from ablate.preflight.check import check, check_data
from ablate.preflight.precision import slow_precision
from ablate.run.current import told_before
from ablate.run.following import Followers
from ablate.run.listeners import Several
from ablate.run.locking import lock_study
from ablate.run.looks import first_cells, next_cells
from ablate.run.names import left_out, refuse_other_design
from ablate.run.recovery import known_certificates, set_aside_broken, tidy
from ablate.run.reporting import report_study
from ablate.run.results import load_study
from ablate.run.settle import settled
from ablate.run.standing import Standing, other_code, standing_of, told
from ablate.run.store import RESULT, Store
from ablate.run.stored_result import has_result
from ablate.run.takeover import take_over
from ablate.study.cells import Cell, cell_of
from ablate.study.plan import Study
from ablate.study.record import CellRecord
from ablate.system.files import make_folder, write_json
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
    _warn(console, study.notes)
    # Wrong input ends here, before anything is written.
    study = with_data(settled(study), store)
    if study.chosen:
        console.print(f"trainer=auto: {study.chosen['text']}", highlight=False, markup=False)
    refuse_other_design(study, store)
    candidates = open_cells(study, store)
    checked = check(study, candidates, known_certificates(store))
    _warn(console, checked.notes)
    if study.trains:
        check_data(candidates)
    if study.trains and candidates:
        slots = slots_of(checked.engine, len(candidates), study.threads)
        _warn(console, slow_precision((cell.config for cell in candidates), slots))
    tidy(store.folder)
    store.prepare()
    set_aside_broken(store, study.once, console)
    lock_study(study, store, len(study.once) - len(candidates), console)
    take_over(store, study.once, same_code=study.rerun == "stale", keep=study.keep)
    if not console.is_terminal:
        _announce(study, store, checked.engine, console)
    if checked.certificates:
        write_certificates(store.folder, checked.certificates)
    with Followers(checked.trackers, store.folder, console) as followers:
        work = Work(study, store, checked.engine, checked.profiles, console, followers)
        failures = _train_by_looks(work)
        if not (store.folder / "study.yaml").exists():  # somebody has removed it since
            store.write_study(study, profiles=checked.profiles)
        failures |= _measure_others(work)
        _warn(console, other_code(study, store))
        verdicts = told_before(store.folder, console)
        if verdicts is None:
            verdicts = report_study(store.folder, console, remembered=True)
        followers.judged(verdicts)
    if failures:
        raise CellsFailed(f"{len(failures)} of {len(study.once)} cells failed; the same command tries them again")
    wanting = [verdict["id"] for verdict in verdicts if verdict["verdict"] != "supported"]
    if study.strict and wanting:
        raise ClaimsNotSupported(f"study.strict=true, and not supported: {', '.join(wanting)}")


def _warn(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)


def with_data(study: Study, store: Store) -> Study:
    """The study with the data of its cells looked for, and fetched where that is asked for, where its ID waits for it.

    Cells of a published set that are finished wait for nothing: a store can be looked at where its data is not.

    Args:
        study: as planned.
        store: of it.

    Raises:
        InputError: it is not there; says what to put where.
    """
    waiting = {cell.id for cell in study.cells if cell.provisional and not _needs_no_data(study, store, cell)}
    if not waiting or not study.trains:
        return study
    check_data(cell for cell in study.cells if cell.id in waiting)
    contents.forget()
    return replace(study, cells=[_named_anew(cell) if cell.id in waiting else cell for cell in study.cells])


def _named_anew(cell: Cell) -> Cell:
    return replace(cell_of(cell.arm, cell.factors, cell.config), seed=cell.seed)


def _needs_no_data(study: Study, store: Store, cell: Cell) -> bool:
    # A finished cell of the published set was trained on just that. What other data a folder held, its name cannot say.
    published = contents.may_be_published(cell.config, cell.provisional)
    return published and standing_of(study, store, cell).is_finished


def open_cells(study: Study, store: Store, cells: Iterable[Cell] | None = None) -> list[Cell]:
    """The cells to do something for, each once, also where two arms share it.

    Those without a result, those that only other code has trained (under `rerun=stale`), and those that lack what the
    study asks for besides metrics.

    Args:
        study: as planned.
        store: of it.
        cells: of the study that are wanted by now; None: all.

    Raises:
        InputError: a result file of the store is broken.
    """
    once = {cell.id: cell for cell in (study.cells if cells is None else cells)}
    return [cell for cell in once.values() if not standing_of(study, store, cell).is_finished]


def _announce(study: Study, store: Store, engine: Engine, console: Console) -> None:
    """Where no display is drawn, one line, since the next one may be hours away."""
    left = len(open_cells(study, store)) if study.trains else 0
    if left:
        slots = len(slots_of(engine, left, study.threads))
        where = f", {slots} slot{'' if slots == 1 else 's'}" if slots else ""
        total = len(study.once)
        text = f"{study.name}: {total} cell{'' if total == 1 else 's'}, {total - left} stored already{where}"
        console.print(text, highlight=False, markup=False)


@dataclass(frozen=True)
class Work:
    """A study that is being run.

    Attributes:
        study: as planned.
        store: of it.
        engine: where its cells run.
        profiles: of the networks of its cells, by ID.
        console: where the user is told.
        followers: the trackers.
    """

    study: Study
    store: Store
    engine: Engine
    profiles: Mapping[str, Profile]
    console: Console
    followers: Followers


def _train_by_looks(work: Work) -> dict[str, str]:
    """Train the cells of one look after the other, as long as there are more; returns the failures."""
    study, store = work.study, work.store
    failures: dict[str, str] = {}
    if left := left_out(study, store):
        work.console.print(f"{left}; a run of the whole study brings them back into the report", highlight=False)
    cells = first_cells(study, store)
    while True:
        wanted = [cell for cell in open_cells(study, store, cells) if cell.id not in failures] if study.trains else []
        record = store.write_study(study, cells, work.profiles)
        work.followers.begin(record, [cell.id for cell in cells])
        jobs = _jobs(work, wanted)
        failures |= _train(work, cells, jobs) if jobs else {}
        more = next_cells(study, store, cells, work.console)
        if len(more) == len(cells):
            return failures
        cells = more


def _measure_others(work: Work) -> dict[str, str]:
    """Take the measurements that need the networks of several arms, which are all there by now."""
    study, store = work.study, work.store
    planned = {record.id for record in load_study(store.folder).cells}
    cells = [cell for cell in study.once if cell.id in planned and any(map(needs_others, _measurements(cell)))]
    wanted = [cell for cell in cells if standing_of(study, store, cell, others=True).is_measured]
    jobs = _jobs(work, wanted, others=True)
    return _train(work, cells, jobs, others=True) if jobs else {}


def _measurements(cell: Cell) -> list[str]:
    return list(cell.config.get("measurements") or {})


def _jobs(work: Work, cells: Sequence[Cell], *, others: bool = False) -> list[Job]:
    """Freeze what the processes of these cells need, and say what is done again."""
    standings = {cell.id: standing_of(work.study, work.store, cell, others=others) for cell in cells}
    for line in told(standings):
        work.console.print(line, highlight=False, markup=False, soft_wrap=True)
    return [_job(work, cell, standings[cell.id]) for cell in cells]


def siblings_of(cell: Cell | CellRecord, cells: Iterable[Cell | CellRecord]) -> dict[str, str]:
    """The cells of other arms at the same point with the same seed: arm -> ID."""
    return {
        one.arm: one.id
        for one in cells
        if (one.factors, one.seed) == (cell.factors, cell.seed) and one.arm != cell.arm
    }  # fmt: skip


class Failures(Listener):
    """Keeps the reasons of what failed: in `failure.json` of each cell, and here by cell ID."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def failed(self, job: Job, reason: str) -> None:
        """Keep it."""
        for cell in job.cells:
            self.reasons[cell.id] = reason
            make_folder(cell.folder)  # somebody may have removed it since
            write_json(cell.folder / "failure.json", {"reason": reason})


def _train(work: Work, cells: Sequence[Cell], jobs: list[Job], *, others: bool = False) -> dict[str, str]:
    from ablate.run.progress import StudyProgress
    from ablate.run.scheduling import run_jobs

    study, store = work.study, work.store
    by_id = {cell.id: cell for cell in cells}
    # Who is only measured keeps the result of the code that trained it.
    trained = {job.id for job in jobs if not (job.folder / RESULT).exists()}

    def is_done(job: Job) -> bool:
        """Whether its cells are finished by now; those that another study of the store has ended are taken over."""
        own = [by_id[one.id] for one in job.cells]
        if job.id in trained:
            take_over(store, own, same_code=True, keep=study.keep, complete=True)
        if all(has_result(store.cell(cell.id)) and _is_finished(cell) for cell in own):
            return True
        _freeze_lost(store, own, study.keep)
        return False

    def _is_finished(cell: Cell) -> bool:
        asked = Asked.of(cell.config, study.keep)
        asked = asked if others else asked.alone()
        found = store.find(cell, cell.code if cell.id in trained else None, asked)
        return found is not None and not asked.lacking(found.folder, found.result)

    done, cost = len(by_id) - len(jobs), sum(job.cost for job in jobs)
    failures = Failures()
    with in_order(), StudyProgress(work.console, len(by_id), done, cost) as progress:
        run_jobs(work.engine, jobs, Several([failures, work.followers, progress]), is_done)
    return failures.reasons


def _freeze_lost(store: Store, cells: Iterable[Cell], keep: Sequence[str]) -> None:
    """Freeze anew the cells whose folder somebody has removed since: another process can train them all the same."""
    for cell in cells:
        if not (store.cell(cell.id) / "cell.yaml").exists():
            store.freeze(cell, keep)


def _job(work: Work, cell: Cell, standing: Standing) -> Job:
    store, trainer = work.store, cell.config["trainer"]
    profile = work.profiles.get(cell.id)
    cost = float(profile.flops + profile.params) if profile else 1.0
    if standing.is_measured:
        nodes = {name: cell.config["measurements"][name] for name in standing.lacking.measurements}
        folder = store.freeze_to_measure(cell.id, nodes, cell.arm, siblings_of(cell, work.study.cells))
    else:
        cost *= float(trainer["epochs"])
        folder = store.freeze(cell, work.study.keep, anew=standing.found is not None)
    place = CellPlace(cell.id, folder, store.lock_file(cell.id))
    source = source_cell(cell.config)
    return Job((place,), cost, threads=trainer["threads"], after=() if source is None else (source,))

"""What a study would train, what that costs, and what it can show: gathered without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ablate.config.contents import in_words
from ablate.interfaces.engine import Slot, slots_of
from ablate.network.profile import Profile
from ablate.plan.disk import Disk, disk_of
from ablate.plan.power import ClaimPower, claim_powers
from ablate.plan.stored import results_frame, stored_results
from ablate.plan.times import IMPORTS_S, STORED, CellTime, Timer, makespan, stored_seconds
from ablate.preflight.certificate import Certificate, marks
from ablate.preflight.check import check, look_at_data
from ablate.preflight.precision import slow_precision
from ablate.run.names import refuse_other_design
from ablate.run.recovery import known_certificates
from ablate.run.store import Store
from ablate.study.plan import Cell, Study
from ablate.system.quotas import cores
from ablate.tuning import measured

Place = tuple[str, str]  # arm, grid point


@dataclass(frozen=True)
class Point:
    """An arm at one grid point.

    Attributes:
        arm: its name.
        factors: the grid point.
        overrides: of the arm.
        cells: how many there are, one a seed.
        stored: how many of them have a result.
        network: its size and cost.
        time: of one cell.
    """

    arm: str
    factors: dict[str, Any]
    overrides: list[str]
    cells: int
    stored: int
    network: Profile
    time: CellTime


@dataclass(frozen=True)
class Outlook:
    """The plan of a study.

    Attributes:
        study: as composed.
        points: every arm at every grid point.
        slots: where cells would run; empty where the engine cannot say.
        stored: cells that have a result; one that two arms share counts once.
        busy: seconds that each slot would be busy, or of all cells one after the other; None where some cannot be told.
        first_busy: the same up to the first look, where a study is looked at several times.
        disk: room for the cells without a result.
        certificates: of the arms that have a baseline.
        powers: of the claims.
        notes: what a reader should know besides.
    """

    study: Study
    points: list[Point]
    slots: list[Slot]
    stored: int
    busy: list[float] | None
    first_busy: list[float] | None
    disk: Disk
    certificates: list[Certificate]
    powers: list[ClaimPower]
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        study = self.study
        return {
            "name": study.name,
            "question": study.question,
            "scale": study.scale,
            "grid": study.grid,
            "seeds": study.seeds.values,
            "looks": list(study.seeds.looks),
            "cells": len(study.once),
            "stored": self.stored,
            "points": [asdict(point) for point in self.points],
            "slots": [asdict(slot) for slot in self.slots],
            "seconds_by_slot": self.busy,
            "seconds_by_slot_to_first_look": self.first_busy,
            "disk": asdict(self.disk),
            "certificates": [one.to_dict() for one in self.certificates],
            "marks": [asdict(mark) for mark in marks(self.certificates)],
            "claims": [{**asdict(power), "effect_in_unit": power.in_unit} for power in self.powers],
            "notes": self.notes,
        }


def look_ahead(study: Study) -> Outlook:
    """Gather the plan of a study; trains nothing, and writes nothing but speeds to the user's cache folder.

    Raises:
        InputError: a network cannot be built or held in memory, an arm changes nothing, or a stored file is broken.
    """
    store = Store(study.runs, study.folder)
    refuse_other_design(study, store)
    results = stored_results(study)
    checked = check(study, study.cells, known_certificates(store))
    engine, networks, certificates = checked.engine, checked.profiles, checked.certificates
    left = [cell for cell in study.once if cell.id not in results] if study.trains else []
    look_at_data(left)
    slots = slots_of(engine, len(left) or 1, study.threads)
    timer = Timer(slots or [Slot("cpu", cores())], study.threads, measured.MeasuredCache(measured.cache_folder()))
    groups = _by_point(study.cells)
    known = {key: stored_seconds(cells, results) for key, cells in groups.items()}
    # What has been trained here says its time better than any measurement.
    timer.measure((cells[0], networks[cells[0].id]) for key, cells in groups.items() if known[key] is None)
    times = {key: _time(known[key], timer, cells[0]) for key, cells in groups.items()}
    points = [
        _point(study, cells, networks[cells[0].id], sum(cell.id in results for cell in cells), times[key])
        for key, cells in groups.items()
    ]
    frame = results_frame(study, results) if results else None
    return Outlook(
        study=study,
        points=points,
        slots=slots,
        busy=_busy(left, times, len(slots)),
        first_busy=_busy([cell for cell in left if cell.seed in study.seeds.first], times, len(slots)),
        stored=sum(cell.id in results for cell in study.once),
        disk=disk_of([(cell, networks[cell.id]) for cell in left], len(slots)),
        certificates=certificates,
        powers=claim_powers(study.claims, study.seeds, frame, study.grid),
        notes=[
            *study.notes,
            *checked.notes,
            *_resolution(checked.one_image),
            *_computed(study, left, slots),
            *_provisional(study),
            *timer.notes,
        ],
    )


def _resolution(one_image: Mapping[str, float]) -> list[str]:
    sizes = " and ".join(f"one {split} image {100 * size:.2g}" for split, size in one_image.items())
    return [f"of an error rate, {sizes} percentage points"] if sizes else []


def _computed(study: Study, left: Sequence[Cell], slots: Sequence[Slot]) -> list[str]:
    """How steps are computed, where that was left to measurement or is slow here."""
    chosen = [f"trainer=auto: {study.chosen['text']}"] if study.chosen else []
    return chosen + slow_precision((cell.config for cell in left), slots)


def _provisional(study: Study) -> list[str]:
    """A line where data is not here, whose content will be part of the cells' IDs."""
    waiting = [cell for cell in study.once if cell.provisional]
    words = dict.fromkeys(in_words(key, cell.config) for cell in waiting for key in cell.provisional)
    if not waiting:
        return []
    ids = "the ID of 1 cell is" if len(waiting) == 1 else f"the IDs of {len(waiting)} cells are"
    return [f"{ids} provisional: {', '.join(words)} is not here yet"]


def _by_point(cells: list[Cell]) -> dict[Place, list[Cell]]:
    groups: dict[Place, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(_place(cell), []).append(cell)
    return groups


def _place(cell: Cell) -> Place:
    return cell.arm, cell.point


def _time(stored: float | None, timer: Timer, cell: Cell) -> CellTime:
    return timer.time_of(cell) if stored is None else CellTime(stored, STORED)


def _point(study: Study, cells: list[Cell], network: Profile, stored: int, time: CellTime) -> Point:
    arm, factors = cells[0].arm, cells[0].factors
    overrides = study.arms[arm].overrides if arm in study.arms else []
    return Point(arm, factors, overrides, len(cells), stored, network, time)


def _busy(cells: list[Cell], times: Mapping[Place, CellTime], slots: int) -> list[float] | None:
    """None where the time of some cell that is to be trained cannot be told."""
    seconds = [times[_place(cell)].seconds for cell in cells]
    known = [one for one in seconds if one is not None]
    return makespan(known, slots, IMPORTS_S if known else 0.0) if len(known) == len(seconds) else None

"""The one sequence of checks before anything is written: for a run, and for a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ablate import registry
from ablate.cell.callbacks import build_callbacks
from ablate.errors import InputError
from ablate.interfaces.engine import Engine
from ablate.interfaces.tracker import Tracker
from ablate.measure.asked import check_looking_on, needs_others
from ablate.network.profile import Profile, profile
from ablate.preflight.capacity import refuse_too_large
from ablate.preflight.certificate import Certificate
from ablate.preflight.certificate.certify import certify, refuse_no_ops
from ablate.preflight.unused import refuse_unused
from ablate.registry.blame import blaming
from ablate.registry.kinds import KINDS
from ablate.study.cells import Cell
from ablate.study.plan import Study
from ablate.training.options import check_options


@dataclass(frozen=True)
class Checked:
    """A study that may be trained.

    Attributes:
        engine: where its cells run; nothing is started.
        profiles: of the networks of the cells that were looked at, by cell ID.
        certificates: of the arms that have a baseline.
        trackers: by name; nothing is told yet.
    """

    engine: Engine
    profiles: dict[str, Profile]
    certificates: list[Certificate]
    trackers: dict[str, Tracker] = field(default_factory=dict)


def check(study: Study, cells: Sequence[Cell], known: Iterable[Certificate] = ()) -> Checked:
    """Check a study; nothing is written and nothing is started.

    Args:
        study: as planned, with nothing left to measurement.
        cells: those of it that may be trained.
        known: certificates from before, whose evidence is taken over.

    Raises:
        InputError: a cell's options make no sense, its network cannot be built or held in memory, an arm or what was
            typed changes nothing, or the engine cannot be built.
    """
    # From what takes no time to what takes seconds. Size comes before certificates, which are the first to hold
    # weights: a network that is too large would end this process there, without a message.
    engine, trackers = engine_of(study), trackers_of(study)
    refuse_unmeasurable(study)
    profiles = profiles_of(cells)
    refuse_unused(study)
    refuse_too_large(cells, profiles, engine)
    certificates = certify(study, known)
    refuse_no_ops(study, certificates)
    return Checked(engine, profiles, certificates, trackers)


def engine_of(study: Study) -> Engine:
    """The study's engine; nothing is started.

    Raises:
        InputError: its options make no sense, or it cannot be built.
    """
    with blaming({"engine": study.engine}, "building the engine"):
        return cast(Engine, registry.build("engine", study.engine))


def trackers_of(study: Study) -> dict[str, Tracker]:
    """The study's trackers, by name; nothing is told yet.

    Raises:
        InputError: their options make no sense, or one cannot be built.
    """
    found: dict[str, Tracker] = {}
    for name, node in study.tracker.items():
        with blaming({"tracker": study.tracker}, "building the tracker"):
            tracker = registry.build("tracker", node)
        if not isinstance(tracker, Tracker):
            raise InputError(f"tracker '{name}' makes a {type(tracker).__name__}, which is no ablate.Tracker")
        found[name] = tracker
    return found


def refuse_unmeasurable(study: Study) -> None:
    """Refuse measurements on several networks at once where no cell keeps its own.

    Raises:
        InputError: there is one.
    """
    names = dict.fromkeys(name for cell in study.cells for name in cell.config.get("measurements") or {})
    for name in names:
        if needs_others(name) and "weights" not in study.keep:
            raise InputError(f"measurement '{name}' needs the networks of several arms: add study.keep=weights")


def profiles_of(cells: Iterable[Cell]) -> dict[str, Profile]:
    """Build each network once without memory for its weights: size, cost, and whether it can be built at all.

    Raises:
        InputError: it cannot, or an option of its training makes no sense; names the arm where there are several.
    """
    cells = list(cells)
    has_arms = len({cell.arm for cell in cells}) > 1
    found: dict[str, Profile] = {}
    known: dict[tuple[str, str], Profile] = {}
    for cell in cells:
        # A seed changes nothing of what is looked at here.
        place = cell.arm, cell.point
        if place not in known:
            try:
                check_parts(cell.config)
                known[place] = profile(cell.config)
            except InputError as error:
                raise InputError(f"arm '{cell.arm}': {error}" if has_arms else str(error)) from error
        found[cell.id] = known[place]
    return found


def check_parts(config: Mapping[str, Any]) -> None:
    """Build what a cell needs besides its network, so that options that make no sense end here.

    Raises:
        InputError: one of them does not.
    """
    check_options(config["trainer"])
    for kind in KINDS.values():
        if kind.makes_network or not kind.comparable or kind.passed or kind.group not in config:
            continue
        nodes = config[kind.group]
        for node in nodes.values() if kind.several else [nodes]:
            with blaming({kind.group: nodes}, f"building {kind.name}"):
                registry.build(kind.name, node)
    check_looking_on(config)
    if config.get("callbacks"):
        with blaming({"callbacks": config["callbacks"]}, "building the callbacks"):
            build_callbacks(config)


def check_data(cells: Iterable[Cell]) -> None:
    """Look for the data of these cells before any process starts, and fetch it where that is asked for.

    Raises:
        InputError: some of it is not there; says what to put where.
    """
    for node in {repr(cell.config["data"]): cell.config["data"] for cell in cells}.values():
        with blaming({"data": node}, "looking for the data"):
            registry.build("data", node).check()

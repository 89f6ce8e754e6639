"""The one sequence of checks before anything is written: for a run, and for a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ablate import registry
from ablate.cell.callbacks import build_callbacks
from ablate.config.contents import contents_of
from ablate.errors import InputError
from ablate.interfaces.engine import Engine, build_engine
from ablate.interfaces.tracker import Tracker
from ablate.measure.asked import check_looking_on, needs_others
from ablate.network.profile import Profile, profile
from ablate.preflight.capacity import refuse_too_large
from ablate.preflight.certificate import Certificate
from ablate.preflight.certificate.certify import certify, refuse_no_ops
from ablate.preflight.margins import image_sizes, margin_remarks
from ablate.preflight.unused import refuse_unused
from ablate.registry.blame import blaming, is_own
from ablate.registry.kinds import KINDS
from ablate.study.cells import Cell
from ablate.study.plan import Study
from ablate.training.options import check_options

if TYPE_CHECKING:
    from ablate.interfaces.data import DataSet


@dataclass(frozen=True)
class Checked:
    """A study that may be trained.

    Attributes:
        engine: where its cells run; nothing is started.
        profiles: of the networks of the cells that were looked at, by cell ID.
        certificates: of the arms that have a baseline.
        trackers: by name; nothing is told yet.
        one_image: what one image is of an error rate, by split, where that is known of the cells that were looked at.
        notes: what a reader should know of its claims.
    """

    engine: Engine
    profiles: dict[str, Profile]
    certificates: list[Certificate]
    trackers: dict[str, Tracker] = field(default_factory=dict)
    one_image: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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
    engine, trackers = engine_of(study), trackers_of(study.tracker)
    refuse_unmeasurable(study)
    profiles = profiles_of(cells)
    refuse_unused(study)
    refuse_too_large(cells, profiles, engine)
    certificates = certify(study, known)
    refuse_no_ops(study, certificates)
    one_image = image_sizes(cells) if study.trains else {}
    return Checked(engine, profiles, certificates, trackers, one_image, margin_remarks(study.claims, one_image))


def engine_of(study: Study) -> Engine:
    """The study's engine; nothing is started.

    Raises:
        InputError: its options make no sense, or it cannot be built.
    """
    return build_engine(study.engine)


def trackers_of(nodes: Mapping[str, Any]) -> dict[str, Tracker]:
    """Trackers by name; nothing is told yet.

    Args:
        nodes: name -> config node, as the config's `tracker`.

    Raises:
        InputError: their options make no sense, or one cannot be built.
    """
    found: dict[str, Tracker] = {}
    for name, node in nodes.items():
        with blaming({"tracker": nodes}, "building the tracker"):
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
    from ablate.interfaces.splits import check_declared

    check_options(config["trainer"])
    for kind in KINDS.values():
        if kind.makes_network or not kind.comparable or kind.passed or kind.group not in config:
            continue
        nodes = config[kind.group]
        for node in nodes.values() if kind.several else [nodes]:
            with blaming({kind.group: nodes}, f"building {kind.name}"):
                plugin = registry.build(kind.name, node)
                if kind.name == "data":
                    check_declared(plugin)
    check_looking_on(config)
    if config.get("callbacks"):
        with blaming({"callbacks": config["callbacks"]}, "building the callbacks"):
            build_callbacks(config)


def look_at_data(cells: Iterable[Cell]) -> None:
    """Look at what is here of the data of these cells, for a plan: nothing is fetched, made or unpacked.

    Raises:
        InputError: what is here is a part of it, or broken. Where nothing is here a plan does without.
    """
    from ablate.interfaces.data import DataSet  # not at the top: it imports torch

    for node in _data_nodes(cells):
        with blaming({"data": node}, "looking for the data"):
            data = registry.build("data", node)
            # A set that does not say how to look is loaded where its size is asked for, and else left alone.
            is_here = data.look() and type(data).look is not DataSet.look
        if is_here:
            _try_out(data, node)


def check_data(cells: Iterable[Cell]) -> None:
    """Look for the data of these cells before any process starts, fetch it where that is asked for, and load it once.

    What would else end every cell (files that are cut off, labels of another type) ends the command here.

    Raises:
        InputError: some of it is not there, or is not what a data set is to give; says what to put where.
    """
    for node in _data_nodes(cells):
        with blaming({"data": node}, "looking for the data"):
            data = registry.build("data", node)
            data.check()
        _try_out(data, node)


def _data_nodes(cells: Iterable[Cell]) -> list[Mapping[str, Any]]:
    """The `data` of these cells, each once."""
    return list({repr(cell.config["data"]): cell.config["data"] for cell in cells}.values())


def _try_out(data: DataSet, node: Mapping[str, Any]) -> None:
    """Load data, unless it is built in and nothing can be wrong with it: embedded, or verified to be as published."""
    from ablate.interfaces.splits import check_first_images, load_splits

    config = {"data": node}
    if not is_own(registry.lookup("data", node["name"])) and not contents_of(config).digests:
        return
    with blaming(config, "loading the data"):
        check_first_images(data, load_splits(data))

"""From what the user typed to a study: arms x grid x seeds, each cell with its frozen config."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ablate import registry
from ablate.analysis import (
    STATIC,
    as_claim,
    check_metrics,
    parse_selector,
    recorded_metrics,
    speaks_of,
    validate_claims,
)
from ablate.config.compose import hydra_context, prepare
from ablate.config.overrides import Typed, overruled, parse
from ablate.config.roles import decides_numbers, is_comparable
from ablate.config.schema import Claim, StudySchema
from ablate.errors import InputError
from ablate.measure.asked import KEEP_WEIGHTS, columns_of, kept_parts
from ablate.registry.kinds import KINDS
from ablate.study import conflicts
from ablate.study.arms import Arm
from ablate.study.cells import Cell, read_back
from ablate.study.entries import check_entries, for_hydra
from ablate.study.expansion import Matches, expand
from ablate.study.names import check_claim, check_folder, check_store
from ablate.study.objective import Objective, as_objective, check_objective
from ablate.study.places import (
    Places,
    idle_claims,
    refuse_empty_selectors,
    refuse_idle_contrasts,
    refuse_lopsided_averages,
)
from ablate.study.points import Factors, check_exclusions
from ablate.study.section import as_filed, composed, name_of, varies, with_typed
from ablate.study.seeds import Seeds, seeds_of
from ablate.study.size import refuse_many_cells
from ablate.study.starts import sources_of
from ablate.study.written_arms import NO_ARM, arms_of
from ablate.training.options import threshold_name

QUICK = "quick"  # the scale whose studies have folders of their plain names

__all__ = ["Cell", "Study", "plan_study"]


@dataclass(frozen=True)
class Study:
    """A study as it was planned.

    Attributes:
        arms: by name; one arm `base` where nothing is compared.
        seeds: those of all looks, and the looks.
        grid: the values that each factor takes, after the user's pins; those that vary together are there, too.
        zipped: the factors that vary together, with the values that each takes at every position.
        exclude: what is left out: an arm, values of factors, or both together.
        typed: the overrides from the command line.
        notes: what the user should know of what was typed.
        chosen: what `trainer=auto` picked for all cells, and what that rests on; empty where nothing was left to it.
        open: no arms and no factors were given, so each run adds its cells to those of earlier runs of that name.
        keep: what stays of each cell besides its results (`study.keep`).
        tracker: the trackers that are told how it goes: name -> config node.
        cells: one for each arm, point and seed. A cell that two arms share stands there twice, with one ID.
        matched: by arm and point (as `Cell.point`), how near a matched arm came to its baseline.
        stated: all claims of its file, with those that this run cannot judge.
        objective: what a sweeper is told of it.
    """

    name: str
    question: str
    source: str
    scale: str
    arms: dict[str, Arm]
    grid: dict[str, list[Any]]
    seeds: Seeds
    claims: list[Claim]
    typed: list[str]
    strict: bool
    open: bool
    runs: str
    rerun: str
    engine: dict[str, Any]
    cells: list[Cell]
    zipped: dict[str, list[Any]] = field(default_factory=dict)
    exclude: list[dict[str, Any]] = field(default_factory=list)
    matched: Matches = field(default_factory=dict)
    chosen: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    keep: tuple[str, ...] = ()
    tracker: dict[str, Any] = field(default_factory=dict)
    stated: list[Claim] = field(default_factory=list)
    objective: Objective = field(default_factory=lambda: Objective(StudySchema.objective))

    @property
    def folder(self) -> str:
        """The name of its folder in the store: that of the study, with the scale where that is not `quick`.

        Single runs share one folder, whatever their scale: each is an arm of its own.
        """
        return folder_of(self.name, self.scale, is_open=self.open)

    @property
    def threads(self) -> int:
        """CPU threads of the cell that has most."""
        return max(int(cell.config["trainer"]["threads"]) for cell in self.cells)

    @property
    def once(self) -> list[Cell]:
        """The cells to train and count, those that arms share once."""
        # A dict keeps the first place of each ID: cells stay in the study's order.
        return list({cell.id: cell for cell in self.cells}.values())

    @property
    def trains(self) -> bool:
        """Whether anything is to be trained: not where every claim is about the networks as they are built."""
        return not self.claims or trains(self.claims)

    def cells_of(self, seeds: Collection[int], claims: Collection[Claim] | None = None) -> list[Cell]:
        """The cells of these seeds, of those that these claims speak of (None: all), and those that they start from."""
        spoken_of = [
            cell.seed in seeds and (claims is None or any(speaks_of(claim, cell.arm, cell.factors) for claim in claims))
            for cell in self.cells
        ]
        needed = sources_of(
            [cell for cell, is_wanted in zip(self.cells, spoken_of, strict=True) if is_wanted], self.cells
        )
        return [cell for cell, is_wanted in zip(self.cells, spoken_of, strict=True) if is_wanted or cell.id in needed]


def plan_study(typed: Sequence[str]) -> Study:
    """Compose every cell of the study that these overrides describe.

    Raises:
        InputError: a name or value is wrong, an override collides with an arm, two arms are the same,
            or a claim names what the study does not have.
    """
    prepare()
    overrides = parse(typed)
    with hydra_context():
        return _plan(overrides)


def _plan(typed: list[Typed]) -> Study:
    # What is compared composes with each arm below: an option may fit what the arms choose and not the default.
    around = [o for o in typed if not is_comparable(o.key)]
    compared = [o for o in typed if o not in around and not o.deletes]
    base = composed(for_hydra(around))
    check_store(base["runs"])
    filed = as_filed(base, around)
    check_entries(around, filed)
    section = with_typed(filed, base["study"], around)
    is_open = not varies(section)
    name = name_of(_named_by_values(section, typed), typed, is_open=is_open)
    check_folder(name, folder_of(name, base["scale"], is_open=is_open), base["runs"])
    arms, factors = arms_of(section), Factors.of(section)
    _refuse_conflicts(compared, arms, factors)
    pins = {key: value for o in compared for key, value in o.leaves.items()}
    # The claims are held against all levels further down, and not against these: a pin takes cells away, and must not
    # make a claim of the study's file an error.
    pinned = factors.pinned(pins)
    seeds = seeds_of(section, base["seed"], typed, is_open=is_open)
    refuse_many_cells(arms, pinned.sizes, seeds.values)
    conflicts.refuse_shared_streams(arms, seeds.values)
    points, exclude = pinned.points(), section["exclude"]
    claims = stated = _claims(filed, section)
    places = Places(arms, points, exclude)
    refuse_lopsided_averages(claims, places)
    idle = idle_claims(claims, places)
    claims = [claim for claim in claims if claim.id not in idle]
    if claims and not trains(claims):
        seeds = Seeds(seeds.values[:1])  # no seed changes a network's size
    # What was typed comes last: of two overrides of one key the later one wins.
    fixed = [*_scaled(section, base["scale"], typed), *for_hydra(typed)]
    cells, matched = expand(arms, points, seeds.values, fixed, exclude)
    check_metrics(claims, _recorded(cells), _would_record())
    objective = as_objective(section["objective"])
    check_objective(objective, cells, _recorded, _would_record())
    _refuse_blind_gates(claims, cells)
    if is_open:
        # Typed overrides name a single run: those that share a folder must not share an arm.
        label = ",".join({o.key: o.text for o in compared if decides_numbers(o.key)}.values()) or NO_ARM
        factors_of = {key: value for key, value in pins.items() if decides_numbers(key)}
        cells = [replace(cell, arm=label, factors=read_back(factors_of, cell.config)) for cell in cells]
    conflicts.refuse_twins(cells, arms)
    return Study(
        name=name, typed=[o.text for o in typed], open=is_open,
        question=section["question"], source=section["source"], strict=section["strict"],
        scale=base["scale"], runs=base["runs"], rerun=base["rerun"], engine=base["engine"],
        arms=arms, grid=pinned.levels(), zipped=pinned.zipped, exclude=exclude,
        seeds=seeds, claims=claims, cells=cells, matched=matched, notes=[*overruled(typed), *map(_not_judged, idle)],
        keep=_kept(section["keep"], arms), tracker=base["tracker"], stated=stated,
        objective=objective,
    )  # fmt: skip


def _named_by_values(section: Mapping[str, Any], typed: Sequence[Typed]) -> Mapping[str, Any]:
    """The section with the name that `study.name=lr_${optim.lr}` makes of what was typed: a sweep tells its jobs so."""
    if not any(o.key == "study.name" and re.search(r"\$\\?\{", o.text) for o in typed):
        return section
    return {**section, "name": composed(for_hydra(typed))["study"]["name"]}


def _kept(asked: Any, arms: Mapping[str, Arm]) -> tuple[str, ...]:
    """What stays of each cell: what was asked for, and the weights where an arm starts from another's."""
    starts = any(arm.starts_from is not None for arm in arms.values())
    return tuple(dict.fromkeys([*kept_parts(asked), *([KEEP_WEIGHTS] if starts else [])]))


def folder_of(name: str, scale: str, *, is_open: bool) -> str:
    """The name of a study's folder in the store."""
    return name if is_open or scale == QUICK else f"{name}-{scale}"


def _refuse_conflicts(compared: Sequence[Typed], arms: Mapping[str, Arm], factors: Factors) -> None:
    """What the user typed, what the arms set, what varies and what is matched do not get in each other's way."""
    set_by_arm = {name: conflicts.parse_own(f"arm '{name}'", arm.overrides) for name, arm in arms.items()}
    conflicts.refuse_typed_arms(compared, set_by_arm, [arm.design for arm in arms.values()])
    conflicts.refuse_swept_arms(factors.places, set_by_arm)
    conflicts.refuse_overruled_preset(compared, factors.levels(), set_by_arm)
    knobs = {name: arm.knob for name, arm in arms.items() if arm.knob is not None}
    conflicts.refuse_taken_knobs(knobs, compared, factors.places, set_by_arm)


def _claims(filed: Mapping[str, Any], section: Mapping[str, Any]) -> list[Claim]:
    """The claims, held against the arms and the factors of the study's file and of the user; exclusions, too.

    What the user took away can still be named: such a claim is not tested, and no error.
    """
    claims = [as_claim(claim) for claim in section["claims"]]
    for claim in claims:
        check_claim(str(claim.id))
    designs = [Places(arms_of(one), Factors.of(one).points(), one["exclude"]) for one in (filed, section)]
    arms = [name for places in designs for name in places.arms]
    levels: dict[str, list[Any]] = {}
    for one in (filed, section):
        for factor, values in Factors.of(one).levels().items():
            levels.setdefault(factor, []).extend(values)
    check_exclusions(section["exclude"], arms, levels)
    # Each name by itself first: its message is nearer to the mistake than "the study has no such cell".
    validate_claims(claims, arms, levels)
    refuse_empty_selectors(claims, designs)
    refuse_idle_contrasts(claims, designs)
    return claims


def _not_judged(claim: str) -> str:
    return f"claim '{claim}' is not judged: in this run the weights of its contrast cancel on every cell"


def trains(claims: Sequence[Claim]) -> bool:
    """Whether some claim is about what training does."""
    return any(claim.metric not in STATIC for claim in claims)


def _recorded(cells: Sequence[Cell]) -> set[str]:
    """The metrics that some of these cells record."""
    thresholds = {text for cell in cells for text in cell.config["trainer"]["epochs_to"]}
    places = {(cell.arm, cell.point): cell.config for cell in cells}
    return {
        *recorded_metrics(map(threshold_name, thresholds)),
        *(one for c in places.values() for one in columns_of(c)),
    }


def _refuse_blind_gates(claims: Sequence[Claim], cells: Sequence[Cell]) -> None:
    """A gate is about every cell that it names, so each of them must record its metric.

    Raises:
        InputError: one does not.
    """
    places = {(cell.arm, cell.point): cell for cell in cells}.values()
    for claim in claims:
        for gate in claim.requires:
            selector = parse_selector(gate.cells)
            for cell in places:
                if selector.matches(cell.arm, cell.factors) and gate.metric not in _recorded([cell]):
                    place = f"{cell.arm}@{cell.point}" if cell.point else cell.arm
                    raise InputError(
                        f"a gate of claim '{claim.id}' is about {gate.metric} of {gate.cells}, and {place} does not "
                        "record it; name the cells that do, or record it in all of them"
                    )


def _would_record() -> dict[str, str]:
    """By the first part of a metric's name, what would record it: a probe or a measurement."""
    return {
        entry.name: f"record it with {KINDS[kind].group}=[{entry.name}]"
        for kind in ("probe", "measurement")
        for entry in registry.entries(kind)
    }


def _scaled(section: Mapping[str, Any], scale: str, typed: Sequence[Typed]) -> list[str]:
    """The study's overrides at this scale, without those that the user typed otherwise."""
    named = {key for o in typed for key in o.leaves}
    parsed = conflicts.parse_own(f"study.scales.{scale}.overrides", section["overrides"])
    return [o.text for o in parsed if not named & set(o.leaves)]

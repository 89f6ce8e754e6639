"""From what the user typed to a study: arms x grid x seeds, each cell with its frozen config."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omegaconf import MISSING, DictConfig

from ablate import conflicts
from ablate.analysis import as_claim, validate_claims
from ablate.arms import Arm
from ablate.config import compose_in_context, hydra_context, is_group, prepare, with_values
from ablate.errors import InputError
from ablate.identity import cell_id, fingerprint
from ablate.overrides import Typed, leaves, parse
from ablate.schema import Claim
from ablate.section import as_filed, composed, container, name_of, seeds_of, with_typed
from ablate.tuning import settled

NO_ARM = "base"  # the one arm where nothing is compared


@dataclass(frozen=True)
class Cell:
    """One arm at one point of the grid with one seed; `config` is frozen, `code` the fingerprint of what runs it."""

    id: str
    arm: str
    factors: dict[str, Any]
    seed: int
    code: str
    config: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Study:
    """A study as it was planned.

    Attributes:
        arms: by name; one arm `base` where nothing is compared.
        grid: the values that each factor takes, after the user's pins.
        typed: the overrides from the command line.
        chosen: what `trainer=auto` picked for all cells, and what that rests on; empty where nothing was left to it.
        open: no arms and no grid were given, so each run adds its cells to those of earlier runs of that name.
    """

    name: str
    question: str
    source: str
    scale: str
    arms: dict[str, Arm]
    grid: dict[str, list[Any]]
    seeds: list[int]
    claims: list[Claim]
    typed: list[str]
    strict: bool
    open: bool
    runs: str
    rerun: str
    engine: dict[str, Any]
    cells: list[Cell]
    chosen: dict[str, Any] = field(default_factory=dict)


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
    around = [o for o in typed if conflicts.is_around(o.key)]
    compared = [o for o in typed if o not in around and not o.deletes]
    base = composed([o.text for o in around])
    filed = as_filed(base, around)
    section = with_typed(filed, base["study"], around)
    is_open = not section["arms"] and not section["grid"]
    claims = _claims(filed, section)
    arms: dict[str, list[str]] = section["arms"] or {NO_ARM: []}
    set_by_arm = {arm: conflicts.parse_own(f"arm '{arm}'", overrides) for arm, overrides in arms.items()}
    conflicts.refuse_typed_arms(compared, set_by_arm)
    conflicts.refuse_bad_grid(section["grid"], set_by_arm)
    conflicts.refuse_overruled_preset(compared, section["grid"], set_by_arm)
    pins = {key: value for o in compared for key, value in o.leaves.items()}
    grid = {key: [pins[key]] if key in pins else values for key, values in section["grid"].items()}
    seeds = seeds_of(section, base["seed"], typed, is_open=is_open)
    cells = list(_cells(arms, grid, seeds, [*_scaled(section, base["scale"], typed), *(o.text for o in typed)]))
    name = name_of(section, typed, is_open=is_open)
    cells, chosen = settled(cells, Path(base["runs"]) / name)
    if is_open:
        label = ",".join({o.key: o.text for o in compared}.values()) or NO_ARM
        cells = [replace(cell, arm=label, factors=_read_back(pins, cell.config)) for cell in cells]
    conflicts.refuse_twins(cells)
    baseline = next(iter(arms))
    return Study(
        name=name, typed=[o.text for o in typed], open=is_open,
        question=section["question"], source=section["source"], strict=section["strict"],
        scale=base["scale"], runs=base["runs"], rerun=base["rerun"], engine=base["engine"],
        arms={
            arm: Arm(arm, overrides, None if arm == baseline else baseline, [o.key for o in set_by_arm[arm]])
            for arm, overrides in arms.items()
        },
        grid=grid, seeds=seeds, claims=claims, cells=cells, chosen=chosen,
    )  # fmt: skip


def _claims(filed: Mapping[str, Any], section: Mapping[str, Any]) -> list[Claim]:
    """The claims, held against the arms and the grid of the study's file and of the user.

    What the user took away can still be named: such a claim is not tested, and no error.
    """
    claims = [as_claim(claim) for claim in section["claims"]]
    grids = filed["grid"], section["grid"]
    factors = {factor for grid in grids for factor in grid}
    grid = {factor: [value for one in grids for value in one.get(factor, [])] for factor in factors}
    validate_claims(claims, {**filed["arms"], **section["arms"]}, grid)
    return claims


def _scaled(section: Mapping[str, Any], scale: str, typed: Sequence[Typed]) -> list[str]:
    """The study's overrides at this scale, without those that the user typed otherwise."""
    named = {key for o in typed for key in o.leaves}
    parsed = conflicts.parse_own(f"study.scales.{scale}.overrides", section["overrides"])
    return [o.text for o in parsed if not named & set(o.leaves)]


def _cells(
    arms: Mapping[str, Sequence[str]], grid: Mapping[str, Sequence[Any]], seeds: Sequence[int], fixed: Sequence[str]
) -> Iterator[Cell]:
    """Each arm at each grid point with each seed; cells of one arm and point differ in nothing but the seed."""
    for arm, overrides in arms.items():
        try:
            for factors, config in _points([*fixed, *overrides], grid):
                code = fingerprint(config)
                for seed in seeds:
                    config.seed = seed
                    frozen = _frozen(config)
                    yield Cell(cell_id(frozen), arm, _read_back(factors, frozen), seed, code, frozen)
        except InputError as error:
            raise InputError(f"arm '{arm}': {error}" if len(arms) > 1 else str(error)) from error


def _points(overrides: Sequence[str], grid: Mapping[str, Sequence[Any]]) -> Iterator[tuple[dict[str, Any], DictConfig]]:
    """An arm at each grid point: composed once for each choice of groups, with the plain values (a depth) set in it."""
    groups = [key for key in grid if is_group(key)]
    chosen: dict[tuple[Any, ...], DictConfig] = {}
    for values in itertools.product(*grid.values()):
        factors = dict(zip(grid, values, strict=True))
        choice = tuple(factors[key] for key in groups)
        if choice not in chosen:
            chosen[choice] = compose_in_context([*overrides, *(f"{key}={factors[key]}" for key in groups)])
        yield factors, with_values(chosen[choice], {key: factors[key] for key in grid if key not in groups})


def _frozen(config: DictConfig) -> dict[str, Any]:
    frozen = container(config)
    del frozen["study"]
    for key, value in leaves(frozen).items():
        if value == MISSING:
            raise InputError(f"{key} needs a value: {key}=...")
    return frozen


def _read_back(factors: Mapping[str, Any], frozen: Mapping[str, Any]) -> dict[str, Any]:
    """Factors with the values that a config has for them: of the right type, and with interpolations resolved."""
    return {key: value if is_group(key) else _at(frozen, key) for key, value in factors.items()}


def _at(content: Mapping[str, Any], key: str) -> Any:
    value: Any = content
    for name in key.split("."):
        value = value[name]
    return value

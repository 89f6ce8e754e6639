"""Arms x points x seeds: each cell with its frozen config, and each matched arm with the value that was found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING, DictConfig

from ablate.config.compose import compose_in_context, is_group, node_at, with_values
from ablate.config.identity import cell_id, fingerprint
from ablate.config.overrides import leaves
from ablate.errors import InputError
from ablate.study.arms import Arm, Matched
from ablate.study.matching import Matcher
from ablate.study.points import Exclusions, is_excluded, point_text
from ablate.study.section import container

Matches = dict[tuple[str, str], Matched]


@dataclass(frozen=True)
class Cell:
    """One arm at one point of the grid with one seed; `config` is frozen, `code` the fingerprint of what runs it."""

    id: str
    arm: str
    factors: dict[str, Any]
    seed: int
    code: str
    config: dict[str, Any] = field(repr=False)

    @property
    def point(self) -> str:
        """Its place in the grid as text, such as `depth=110,width=0.5`; empty where nothing varies."""
        return point_text(self.factors)


def expand(
    arms: Mapping[str, Arm],
    points: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    fixed: Sequence[str],
    exclusions: Exclusions = (),
) -> tuple[list[Cell], Matches]:
    """Each arm at each point with each seed, without what is excluded; cells of one place differ only in the seed.

    Args:
        arms: by name.
        points: factor -> value.
        seeds: of every arm and point.
        fixed: the overrides that all cells share, before those of their arm.
        exclusions: `study.exclude`.

    Returns:
        The cells, and by arm and point (as `Cell.point`) how near each matched arm came to its baseline.

    Raises:
        InputError: a config does not compose, or a cost cannot be matched; names the arm where there are several.
    """
    configs = _Configs(arms, fixed)
    cells: list[Cell] = []
    matches: Matches = {}
    for arm in arms.values():
        try:
            for factors in points:
                if is_excluded(exclusions, arm.name, factors):
                    continue
                config, matched = configs.at(arm, factors)
                code = fingerprint(config)
                new = [_cell(arm.name, factors, seed, config, code) for seed in seeds]
                cells += new
                matches |= {(cell.arm, cell.point): matched for cell in new if matched}
        except InputError as error:
            raise InputError(f"arm '{arm.name}': {error}" if len(arms) > 1 else str(error)) from error
    # Once more with the values as the configs have them: what the user pinned may have been an interpolation.
    cells = [cell for cell in cells if not is_excluded(exclusions, cell.arm, cell.factors)]
    if not cells:
        raise InputError("study.exclude leaves no cell")
    return cells, matches


class _Configs:
    """The config of each arm at each point: composed once a choice of groups, with plain values set in it."""

    def __init__(self, arms: Mapping[str, Arm], fixed: Sequence[str]) -> None:
        self.arms = arms
        self.fixed = fixed
        self.matcher = Matcher()
        self.groups: dict[str, bool] = {}
        self.chosen: dict[tuple[str, str], DictConfig] = {}

    def at(self, arm: Arm, factors: Mapping[str, Any]) -> tuple[DictConfig, Matched | None]:
        """An arm at a point, matched with its baseline at the same point if it asks for that."""
        config = self._composed(arm, factors)
        if arm.match is None or arm.baseline is None:
            return config, None
        baseline, _ = self.at(self.arms[arm.baseline], factors)
        return self.matcher.matched(arm, config, baseline)

    def _composed(self, arm: Arm, factors: Mapping[str, Any]) -> DictConfig:
        groups = [f"{key}={value}" for key, value in factors.items() if self._is_group(key)]
        choice = arm.name, " ".join(groups)
        if choice not in self.chosen:
            self.chosen[choice] = compose_in_context([*self.fixed, *arm.overrides, *groups])
            _check_declared(arm, self.chosen[choice])
        return with_values(self.chosen[choice], {k: v for k, v in factors.items() if not self._is_group(k)})

    def _is_group(self, key: str) -> bool:
        if key not in self.groups:
            self.groups[key] = is_group(key)
        return self.groups[key]


def _check_declared(arm: Arm, config: DictConfig) -> None:
    """What an arm declares to change must be a key, as a misspelt one would declare nothing."""
    for key in arm.changes:
        if not is_group(re.split("[/@]", key)[0]):
            node_at(config, key)


def _cell(arm: str, factors: Mapping[str, Any], seed: int, config: DictConfig, code: str) -> Cell:
    config.seed = seed
    frozen = _frozen(config)
    return Cell(cell_id(frozen), arm, read_back(factors, frozen), seed, code, frozen)


def _frozen(config: DictConfig) -> dict[str, Any]:
    frozen = container(config)
    del frozen["study"]
    for key, value in leaves(frozen).items():
        if value == MISSING:
            raise InputError(f"{key} needs a value: {key}=...")
    return frozen


def read_back(factors: Mapping[str, Any], frozen: Mapping[str, Any]) -> dict[str, Any]:
    """Factors with the values that a config has for them: of the right type, and with interpolations resolved."""
    return {key: value if is_group(key) else _at(frozen, key) for key, value in factors.items()}


def _at(content: Mapping[str, Any], key: str) -> Any:
    value: Any = content
    for name in key.split("."):
        value = value[name]
    return value

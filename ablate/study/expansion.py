"""Arms x points x seeds: each cell with its frozen config, and each matched arm with the value that was found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from omegaconf import MISSING, DictConfig

from ablate.config.compose import compose_in_context, is_group, node_at, with_values
from ablate.config.kept import kept
from ablate.config.overrides import leaves
from ablate.errors import InputError
from ablate.study.arms import Arm, Matched
from ablate.study.cells import Cell, cells_of, read_back
from ablate.study.matching import Matcher
from ablate.study.points import Exclusions, is_excluded
from ablate.study.section import container
from ablate.study.starts import generation, started

Matches = dict[tuple[str, str], Matched]


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
    asked = {
        "arms": [asdict(arm) for arm in arms.values()], "points": list(points), "seeds": list(seeds),
        "fixed": list(fixed), "exclusions": list(exclusions),
    }  # fmt: skip
    # What composes is kept; what files and plugins say now, and with it the IDs, is asked every time.
    places = kept("cells", asked, lambda: _composed_places(arms, points, seeds, fixed, exclusions))
    by_place: dict[tuple[str, str], list[Cell]] = {}
    numbered: list[tuple[int, list[Cell]]] = []
    matches: Matches = {}
    # A cell's ID names the one that it starts from, which is to be known before.
    for number, place in sorted(enumerate(places), key=lambda one: generation(arms, one[1]["arm"])):
        arm = arms[place["arm"]]
        try:
            configs = _with_seeds(place["config"], place["others"])
            factors = read_back(place["factors"], configs[0])
            configs = started(configs, arm, factors, by_place)
            new = cells_of(arm.name, factors, configs)
            new = [replace(cell, seed=seed) for cell, seed in zip(new, seeds, strict=True)]
        except InputError as error:
            raise _of_arm(arm.name, arms, error) from error
        by_place[arm.name, new[0].point] = new
        numbered.append((number, new))
        if place["matched"]:
            matches[arm.name, new[0].point] = Matched(**place["matched"])
    cells = [cell for _, new in sorted(numbered, key=lambda one: one[0]) for cell in new]
    # Once more with the values as the configs have them: what the user pinned may have been an interpolation.
    cells = [cell for cell in cells if not is_excluded(exclusions, cell.arm, cell.factors)]
    if not cells:
        raise InputError("study.exclude leaves no cell")
    return cells, matches


def _composed_places(
    arms: Mapping[str, Arm],
    points: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    fixed: Sequence[str],
    exclusions: Exclusions,
) -> list[dict[str, Any]]:
    """Each arm at each point: its config with the first seed, and what the other seeds change, as plain values."""
    configs = _Configs(arms, fixed)
    places = []
    for arm in arms.values():
        try:
            for factors in points:
                if not is_excluded(exclusions, arm.name, factors):
                    config, matched = configs.at(arm, factors)
                    first, changes = _frozen_with_seeds(config, arm.streams(seeds))
                    told = asdict(matched) if matched else None
                    places.append(
                        {"arm": arm.name, "factors": dict(factors), "config": first, "others": changes, "matched": told}
                    )
        except InputError as error:
            raise _of_arm(arm.name, arms, error) from error
    return places


def _frozen_with_seeds(config: DictConfig, seeds: Sequence[int]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The config with the first seed, and what each other seed changes of it."""
    first = _frozen(config, seeds[0])
    changes: list[dict[str, Any]] = []
    for seed in seeds[1:]:
        # To freeze a config takes milliseconds. Where the first two seeds differ in themselves alone, nothing is
        # interpolated from them, and so it is for the others.
        if changes and list(changes[0]) == ["seed"]:
            changes.append({"seed": seed})
        else:
            other = _frozen(config, seed)
            changes.append({key: other[key] for key in other if other[key] != first[key]})
    return first, changes


def _with_seeds(first: dict[str, Any], others: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [first, *({**first, **changes} for changes in others)]


def _of_arm(arm: str, arms: Mapping[str, Arm], error: InputError) -> InputError:
    return InputError(f"arm '{arm}': {error}" if len(arms) > 1 else str(error))


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
        # Hydra takes a tenth of a second to compose, and only a choice of groups needs it: a grid over plain values
        # sets them in the composed config.
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


def _frozen(config: DictConfig, seed: int) -> dict[str, Any]:
    # In place is enough: `container` copies, and interpolations of the seed are resolved there.
    config.seed = seed
    frozen = container(config)
    # A cell is what it trains and not who asked: two studies that share one share its result.
    del frozen["study"]
    for key, value in leaves(frozen).items():
        if value == MISSING:
            raise InputError(f"{key} needs a value: {key}=...")
    return frozen

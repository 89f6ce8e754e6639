"""A cell: one arm at one point of the grid with one seed, named by all that decides its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ablate.config.code import fingerprint
from ablate.config.compose import is_group
from ablate.config.contents import contents_of
from ablate.config.identity import decisive, names_of
from ablate.network.profile import profile
from ablate.study.points import point_text


@dataclass(frozen=True)
class Cell:
    """One arm at one point of the grid with one seed.

    Attributes:
        id: its name, with a hash of all that decides its numbers.
        arm: of the study.
        factors: its point in the grid.
        seed: of the study, by which cells of several arms are paired.
        code: the fingerprint of the code that runs it.
        config: frozen.
        earlier: the IDs that it had in earlier versions.
        contents: what the files hold that its config points to: dotted key -> digest.
        provisional: the keys whose files are not there yet: they will be part of the ID.
    """

    id: str
    arm: str
    factors: dict[str, Any]
    seed: int
    code: str
    config: dict[str, Any] = field(repr=False)
    earlier: tuple[str, ...] = field(default=(), repr=False)
    contents: dict[str, str] = field(default_factory=dict, repr=False)
    provisional: tuple[str, ...] = ()

    @property
    def stream(self) -> int:
        """The seed of all that is drawn: the study's, unless its arm has streams of its own."""
        return int(self.config["seed"])

    @property
    def point(self) -> str:
        """Its place in the grid as text, such as `depth=110,width=0.5`; empty where nothing varies."""
        return point_text(self.factors)


def cell_of(arm: str, factors: Mapping[str, Any], config: dict[str, Any]) -> Cell:
    """The cell of a frozen config, named by what its config, its files and its network say now.

    Raises:
        InputError: its network cannot be built, or a file that it points to cannot be read.
    """
    (cell,) = cells_of(arm, factors, [config])
    return cell


def cells_of(arm: str, factors: Mapping[str, Any], configs: Sequence[dict[str, Any]]) -> list[Cell]:
    """The cells of frozen configs that differ in nothing but what their seeds change.

    Raises:
        InputError: a network cannot be built, or a file that a config points to cannot be read.
    """
    cells: list[Cell] = []
    known: list[tuple[Any, ...]] = []
    for config in configs:
        # Compared one by one: an interpolation of `${seed}` may set any key, and with it the network.
        apart = {key: value for key, value in config.items() if key != "seed"}
        facts = next((facts for seen, *facts in known if seen == apart), None)
        if facts is None:
            contents = contents_of(config)
            facts = [contents, profile(config).uses, fingerprint(config), decisive(config, contents)]
            known.append((apart, *facts))
        contents, uses, code, kept = facts
        name, earlier = names_of(config, contents, uses, kept)
        cells.append(
            Cell(
                id=name,
                arm=arm,
                factors=dict(factors),
                seed=config["seed"],
                code=code,
                config=config,
                earlier=tuple(earlier),
                contents=contents.digests,
                provisional=contents.absent,
            )
        )
    return cells


def read_back(factors: Mapping[str, Any], frozen: Mapping[str, Any]) -> dict[str, Any]:
    """Factors with the values that a config has for them: of the right type, and with interpolations resolved."""
    return {key: value if is_group(key) else _at(frozen, key) for key, value in factors.items()}


def _at(content: Mapping[str, Any], key: str) -> Any:
    value: Any = content
    for name in key.split("."):
        value = value[name]
    return value

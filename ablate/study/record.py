"""What `study.yaml` keeps of a planned study: all that is needed to judge it, report it, and tell how it was made."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from ablate.config.contents import Contents
from ablate.config.identity import decisive
from ablate.config.overrides import leaves, parse
from ablate.errors import InputError
from ablate.system.schema import checked

if TYPE_CHECKING:
    from ablate.network.profile import Profile
    from ablate.study.cells import Cell
    from ablate.study.plan import Study

VERSION = 2  # 1, which did not say so, had no settings, no earlier IDs and no contents


class NewerForm(InputError):
    """What was read is whole, and only a newer version of ablate knows what it means."""


@dataclass(frozen=True)
class CellRecord:
    """A cell of a study as it was planned.

    Attributes:
        id: of the cell.
        arm: of the study.
        factors: its point in the grid.
        seed: of the study, by which cells are paired.
        code: the fingerprint of the code that was to train it.
        static: what is known of its network without training: `params`, `flops`, and `receptive_field` where the
            last map does not see the whole image.
        earlier: the IDs that it had in earlier versions.
        stream: the seed that it draws by, where that is another one.
    """

    id: str
    arm: str
    factors: dict[str, Any]
    seed: int
    code: str = ""
    static: dict[str, int] = field(default_factory=dict)
    earlier: tuple[str, ...] = ()
    stream: int | None = None

    @classmethod
    def of(cls, cell: Cell, profiles: Mapping[str, Profile]) -> CellRecord:
        """Of a planned cell; what is not known of its network is left out, and a result has it."""
        known = profiles.get(cell.id)
        static = known.static if known else {}
        stream = None if cell.stream == cell.seed else cell.stream
        return cls(cell.id, cell.arm, cell.factors, cell.seed, cell.code, static, cell.earlier, stream)


@dataclass(frozen=True)
class StudyRecord:
    """A study as it was planned.

    Attributes:
        name: of the study.
        cells: one for each arm, point and seed.
        claims: as plain values.
        question: what it asks.
        source: where the claims come from.
        scale: of the config.
        command: that runs it again.
        overrides: that were typed.
        arms: name -> overrides.
        baselines: name -> the arm that it is compared with, or None.
        changes: name -> the keys that it declares to change.
        seeds_from: name -> where its own random streams begin, of arms that have some.
        starts_from: name -> the arm whose trained networks it starts from, of arms that have one.
        matched: how near each matched arm came to its baseline, by arm and point.
        grid: factor -> values.
        zip: factors that vary together -> values.
        exclude: what is left out.
        seeds: of all looks.
        looks: numbers of seeds; empty where all are judged at once.
        chosen: what `trainer=auto` picked.
        trains: whether anything is trained.
        settings: what all cells share and no arm or factor sets: dotted key -> value. One name stands for one design.
        varied: the keys that arms or factors set.
        version: of this form.
    """

    name: str
    cells: list[CellRecord]
    claims: list[dict[str, Any]]
    question: str = ""
    source: str = ""
    scale: str = ""
    command: str = ""
    overrides: list[str] = field(default_factory=list)
    arms: dict[str, list[str]] = field(default_factory=dict)
    baselines: dict[str, str | None] = field(default_factory=dict)
    changes: dict[str, list[str]] = field(default_factory=dict)
    seeds_from: dict[str, int] = field(default_factory=dict)
    starts_from: dict[str, str] = field(default_factory=dict)
    matched: list[dict[str, Any]] = field(default_factory=list)
    grid: dict[str, list[Any]] = field(default_factory=dict)
    zip: dict[str, list[Any]] = field(default_factory=dict)
    exclude: list[dict[str, Any]] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)
    trains: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    varied: list[str] = field(default_factory=list)
    version: int = VERSION

    @classmethod
    def of(cls, study: Study, cells: Sequence[Cell], profiles: Mapping[str, Profile]) -> StudyRecord:
        """Of a planned study with the cells that it needs by now.

        Args:
            study: as planned.
            cells: of it.
            profiles: what is known of the networks of cells, by ID.
        """
        varied = varied_keys(study)
        return cls(
            name=study.name,
            cells=[CellRecord.of(cell, profiles) for cell in cells],
            claims=[asdict(claim) for claim in study.claims],
            question=study.question,
            source=study.source,
            scale=study.scale,
            command=shlex.join(["python", "-m", "ablate", *study.typed]),
            overrides=study.typed,
            arms={name: arm.overrides for name, arm in study.arms.items()},
            baselines={name: arm.baseline for name, arm in study.arms.items()},
            changes={name: arm.changes for name, arm in study.arms.items()},
            seeds_from={name: arm.seeds_from for name, arm in study.arms.items() if arm.seeds_from is not None},
            starts_from={name: arm.starts_from for name, arm in study.arms.items() if arm.starts_from is not None},
            matched=_matched(study),
            grid=study.grid,
            zip=study.zipped,
            exclude=study.exclude,
            seeds=study.seeds.values,
            looks=list(study.seeds.looks),
            chosen=study.chosen,
            trains=study.trains,
            settings={} if study.open else shared_settings(study.cells, varied),
            varied=sorted(varied),
        )

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> StudyRecord:
        """From the plain form, also of earlier versions; what is not known here is left out.

        Raises:
            NewerForm: a newer version of ablate has written it.
            InputError: it is no record of a study; says what is wrong with it.
        """
        # Refused and not read as far as it goes: what a newer form adds may change what the rest means.
        version = plain.get("version", 1)
        if isinstance(version, int) and version > VERSION:
            raise NewerForm(f"it was written by a newer version of ablate (form {version}, known: {VERSION})")
        given = {key: value for key, value in plain.items() if value is not None}
        return replace(checked(given, cls), version=VERSION)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, in the order of the fields, the cells last: they are many."""
        plain = {"version": self.version, **{one.name: getattr(self, one.name) for one in fields(self)}}
        plain["cells"] = [_plain(cell) for cell in self.cells]
        # People read this file from its top.
        return {key: plain[key] for key in (*(key for key in plain if key != "cells"), "cells")}

    def with_cells(self, cells: Iterable[CellRecord]) -> StudyRecord:
        """The record with other cells, and their seeds."""
        kept = list(cells)
        return replace(self, cells=kept, seeds=sorted({cell.seed for cell in kept}))


def varied_keys(study: Study) -> set[str]:
    """The keys that arms and factors set, and those that the search for matched arms adjusts."""
    typed = {key for arm in study.arms.values() for override in parse(arm.overrides) for key in override.leaves}
    knobs = {arm.knob for arm in study.arms.values() if arm.knob}
    return {*typed, *knobs, *study.grid, *study.zipped}


def shared_settings(cells: Sequence[Cell] | Sequence[Mapping[str, Any]], varied: set[str]) -> dict[str, Any]:
    """What decides numbers and is the same in all cells: dotted key -> value.

    Args:
        cells: of a study, or their frozen configs.
        varied: the keys that arms and factors set.
    """
    apart: list[tuple[dict[str, Any], dict[str, str]]] = []
    for cell in cells:
        config, contents = (cell, {}) if isinstance(cell, Mapping) else (cell.config, cell.contents)
        # Seeds may be added to a study later on, and so are no part of its settings. Cells of one place differ in
        # nothing else, and follow one another.
        one = {**config, "seed": 0}, contents
        if not apart or apart[-1] != one:
            apart.append(one)
    flat = [leaves(decisive(config, Contents(contents))) for config, contents in apart]
    first = flat[0] if flat else {}
    # Who sets a group (`norm=group`) sets all its options, whether or not they come out alike in all cells.
    groups = {key.partition(".")[0] for key in varied if "." not in key}
    return {
        key: value
        for key, value in first.items()
        if key not in varied
        and key.partition(".")[0] not in groups
        and all(key in other and other[key] == value for other in flat)
    }


def _plain(cell: CellRecord) -> dict[str, Any]:
    plain = {**asdict(cell), "earlier": list(cell.earlier)}
    unsaid: dict[str, Any] = {"static": {}, "earlier": [], "stream": None}
    return {key: value for key, value in plain.items() if key not in unsaid or value != unsaid[key]}


def _matched(study: Study) -> list[dict[str, Any]]:
    """How near each matched arm came to its baseline, by arm and point."""
    factors = {(cell.arm, cell.point): cell.factors for cell in study.cells}
    return [
        {
            "arm": place[0], "baseline": study.arms[place[0]].baseline, "factors": factors[place],
            **asdict(matched), "difference": matched.difference,
        }
        for place, matched in study.matched.items()
    ]  # fmt: skip

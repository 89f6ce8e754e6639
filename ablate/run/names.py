"""One name, one design: a study's folder holds cells that are trained alike, but for what its arms and factors set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from omegaconf import MISSING

from ablate.config.roles import declared_keys
from ablate.errors import InputError
from ablate.registry.kinds import KINDS
from ablate.run.results import known_record
from ablate.run.store import Store
from ablate.run.stored_result import has_result
from ablate.study.plan import Study
from ablate.study.record import StudyRecord, shared_settings, varied_keys
from ablate.system.files import read_yaml
from ablate.system.reading import BrokenFile

SHOWN = 3  # settings that differ, in an error


def refuse_other_design(study: Study, store: Store) -> None:
    """Refuse a study whose name already holds cells with other settings: its report would drop them, or mix them in.

    Claims, margins, seeds, arms and the values of factors may change and grow; single runs are arms of their own. Where
    `study.yaml` is not whole, the cells speak for it.

    Raises:
        InputError: there are such; says what differs, and a name to type.
    """
    if study.open:
        return
    record = known_record(store.folder)
    varied = varied_keys(study)
    # What either of the two designs varies is left out on both sides: arms and factors may change.
    if record is not None:
        varied |= {*record.varied, *record.grid, *record.zip}
    before = (record.settings if record else {}) or _settings_of_cells(record, store, varied)
    if not before:
        return
    now = shared_settings(study.cells, varied)
    # What has its value from before it existed stands in no settings, nor does what a published set holds.
    unnamed = _before_they_existed()
    if record is not None and record.settings:  # version 0.1 knew nothing of contents
        unnamed |= {key: "the published set" for key in (*before, *now) if key.endswith(".content")}
    unknown = {key for cell in study.cells for key in cell.provisional}
    before, now = unnamed | before, {key: value for key, value in (unnamed | now).items() if key not in unknown}
    differ = {key: (before[key], now[key]) for key in now if key in before and before[key] != now[key]}
    differ = {key: values for key, values in differ.items() if not _is_varied(key, varied)}
    if differ:
        texts = [f"{key} is {old} there and {new} here" for key, (old, new) in list(differ.items())[:SHOWN]]
        more = f", and {len(differ) - SHOWN} more" if len(differ) > SHOWN else ""
        raise InputError(
            f"{store.folder} holds another design of the name {study.name}: {'; '.join(texts)}{more}; one name stands "
            f"for one design: give this one another, such as study.name={study.name}_{_suffix(differ)}"
        )


def left_out(study: Study, store: Store) -> str:
    """What the last run of this name had and this one leaves out, in words; empty where that is nothing, or not known.

    Raises:
        InputError: `study.yaml` cannot be read.
    """
    record = None if study.open else known_record(store.folder)
    if record is None:
        return ""
    planned = {name for cell in study.cells for name in (cell.id, *cell.earlier)}
    left = [cell for cell in record.cells if cell.id not in planned]
    return f"{len(left)} cells of the last run of {study.name} are no part of this one" if left else ""


def _settings_of_cells(record: StudyRecord | None, store: Store, varied: set[str]) -> dict[str, Any]:
    """The settings of a study that does not say them (it is older, or `study.yaml` is not whole): from its cells."""
    if record is not None:
        files = [store.cell(cell.id) / "cell.yaml" for cell in record.cells]
    else:
        files = [path for path in sorted((store.folder / "cells").glob("*/cell.yaml")) if has_result(path.parent)]
    configs: list[Mapping[str, Any]] = []
    for file in files:
        with suppress(BrokenFile):
            if file.exists():
                configs.append(read_yaml(file, config=dict)["config"])
    return shared_settings(configs, varied)


def _before_they_existed() -> dict[str, Any]:
    """The value that each later key and kind stands for where settings do not name it."""
    keys = {key: one.before for key, one in declared_keys().items() if one.decides_numbers and one.before != MISSING}
    return keys | {f"{kind.group}.name": kind.before for kind in KINDS.values() if kind.before is not None}


def _is_varied(key: str, varied: set[str]) -> bool:
    """Whether an arm or a factor sets the key, or the group that it is an option of."""
    return key in varied or key.partition(".")[0] in varied


def _suffix(differ: Mapping[str, tuple[Any, Any]]) -> str:
    key, (_, new) = next(iter(differ.items()))
    text = f"{key.rpartition('.')[2]}{new}"
    return "".join(letter for letter in text if letter.isalnum() or letter in "._-") or "2"

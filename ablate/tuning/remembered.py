"""What was picked before: by a study of the store, or on this machine for the same network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.interfaces.engine import Slot
from ablate.system.files import read_yaml
from ablate.system.reading import BrokenFile
from ablate.tuning import measured


def of_study(folder: Path, wanted: Sequence[str]) -> dict[str, Any] | None:
    """The choice that an earlier run of the study made, where it made one for all of these options.

    It holds whatever the machine: cells that are computed in different ways would not be compared fairly.

    Raises:
        InputError: the study's file cannot be read.
    """
    path = folder / "study.yaml"
    try:
        choice = read_yaml(path).get("chosen") if path.exists() else None
    except BrokenFile:  # a run of the study makes it anew
        return None
    return choice if isinstance(choice, dict) and all(key in choice for key in (*wanted, "text")) else None


def of_machine(slot: Slot, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was picked here before for the same network, options, device and threads.

    Raises:
        InputError: the file cannot be read.
    """
    return _cache().find(*_key(slot, asked))


def remember(slot: Slot, asked: Mapping[str, Any], choice: Mapping[str, Any]) -> None:
    """Keep a choice for `of_machine`.

    Raises:
        InputError: the folder cannot be written.
    """
    _cache().keep(dict(choice), *_key(slot, asked))


def _cache() -> measured.MeasuredCache:
    return measured.MeasuredCache(measured.cache_folder())


def _key(slot: Slot, asked: Mapping[str, Any]) -> tuple[Any, ...]:
    return "trainer=auto", measured.machine_of(slot.device), asked

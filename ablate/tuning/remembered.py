"""What was picked before: by a study of the store, or on this machine for the same network."""

from __future__ import annotations

import hashlib
import json
import platform
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import platformdirs

from ablate.interfaces.run import Slot
from ablate.system.files import make_folder, read_json, read_yaml, write_json


def of_study(folder: Path, wanted: Sequence[str]) -> dict[str, Any] | None:
    """The choice that an earlier run of the study made, where it made one for all of these options.

    It holds whatever the machine: cells that are computed in different ways would not be compared fairly.

    Raises:
        InputError: the study's file is broken.
    """
    path = folder / "study.yaml"
    choice = read_yaml(path).get("chosen") if path.exists() else None
    return choice if choice and all(key in choice for key in wanted) else None


def of_machine(slot: Slot, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was picked here before for the same network, options, device and threads.

    Raises:
        InputError: the file is broken; it can be deleted.
    """
    path = _file(slot, asked)
    return read_json(path) if path.exists() else None


def remember(slot: Slot, asked: Mapping[str, Any], choice: Mapping[str, Any]) -> None:
    """Keep a choice for `of_machine`.

    Raises:
        InputError: the folder cannot be written.
    """
    path = _file(slot, asked)
    make_folder(path.parent)
    write_json(path, dict(choice))


def _file(slot: Slot, asked: Mapping[str, Any]) -> Path:
    text = json.dumps([_machine(slot), asked], sort_keys=True, default=str)
    return platformdirs.user_cache_path("ablate") / "trainer" / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"


def _machine(slot: Slot) -> list[Any]:
    import torch

    gpu = torch.cuda.get_device_name(slot.device) if slot.device.startswith("cuda") else ""
    return [socket.gethostname(), platform.machine(), gpu, slot.threads, torch.__version__]

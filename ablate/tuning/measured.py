"""What this machine has measured before: speeds of networks, and choices of `trainer=auto`; in the user's cache."""

from __future__ import annotations

import hashlib
import json
import platform
import socket
from pathlib import Path
from typing import Any

import platformdirs

from ablate.system.files import make_folder, read_json, write_json
from ablate.system.reading import BrokenFile


def cache_folder() -> Path:
    """Where measurements are kept, one small file each; it may be deleted at any time."""
    return platformdirs.user_cache_path("ablate") / "speeds"


def machine_of(device: str) -> dict[str, str]:
    """What tells machines apart, as far as speed goes."""
    import torch

    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else ""
    cpu = platform.processor() or platform.machine()
    return {"host": socket.gethostname(), "cpu": cpu, "gpu": gpu, "torch": torch.__version__}


class MeasuredCache:
    """Measurements by what they were of.

    Args:
        folder: where they lie; made when the first is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, *key: Any) -> dict[str, Any] | None:
        """What was kept under this key; None where its file is not whole: it is measured anew.

        Raises:
            InputError: its file cannot be read.
        """
        path = self._path(key)
        try:
            return read_json(path) if path.exists() else None
        except BrokenFile:
            return None

    def keep(self, values: dict[str, Any], *key: Any) -> None:
        """Keep values under a key.

        Raises:
            InputError: the folder cannot be written.
        """
        make_folder(self.folder)
        write_json(self._path(key), values)

    def _path(self, key: tuple[Any, ...]) -> Path:
        text = json.dumps(key, sort_keys=True, default=str)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"

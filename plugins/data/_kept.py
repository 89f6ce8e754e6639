"""Images that are made or decoded once, and kept in a file for the cells that follow."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path

from ablate import InputError, Split, Splits, atomic

from ._once import once

VERSION = 1  # of how a picture becomes an image in memory

Made = Callable[[], tuple[Split, Split]]


def keep(file: Path, make: Made) -> None:
    """Write what `make` gives, training and test split, to `file` where it is not there yet.

    Once, also where several processes ask at a time; the others wait. The file is never there in part.

    Raises:
        InputError: the folder cannot be written to, or what `make` raises.
    """
    once(file, lambda: _write(file, *make()))


def kept(file: Path, make: Made) -> Splits:
    """Both splits from `file`, made first where they are not there yet.

    Raises:
        InputError: as `keep`, or the file is damaged.
    """
    keep(file, make)
    try:
        with file.open("rb") as opened, np.load(opened) as arrays:
            train, test = (
                Split(*(torch.from_numpy(arrays[f"{part}_{what}"]) for what in ("images", "labels")))
                for part in ("train", "test")
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} is damaged ({error}); delete it, and it is made again") from error
    return Splits(train, test)


def decoded_file(source: str, **key: Any) -> Path:
    """Where pictures that were decoded are kept: a file of the user's cache folder, named by all that they depend on.

    Args:
        source: what kind of place they come from.
        key: values that JSON can hold.
    """
    text = json.dumps([VERSION, source, key], sort_keys=True)
    return user_cache_path("ablate") / "decoded" / f"{source}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"


def _write(file: Path, train: Split, test: Split) -> None:
    arrays = {
        f"{part}_{what}": getattr(split, what).numpy()
        for part, split in {"train": train, "test": test}.items()
        for what in ("images", "labels")
    }
    with atomic(file) as temporary, temporary.open("wb") as opened:
        np.savez(opened, **arrays)

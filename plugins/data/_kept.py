"""Images that are made or decoded once, and kept in a file for the cells that follow."""

from __future__ import annotations

import hashlib
import inspect
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path

from ablate import InputError, Split, Splits, atomic

from . import _pictures
from ._once import once

DAMAGED = (ValueError, KeyError, EOFError, zipfile.BadZipFile)

Made = Callable[[], tuple[Split, Split]]


def keep(file: Path, make: Made) -> None:
    """Write what `make` gives, training and test split, to `file` where it is not there yet.

    Once, also where several processes ask at a time; the others wait. The file is never there in part.

    Raises:
        InputError: the folder cannot be written to, or what `make` raises.
    """
    once(file, lambda: _write(file, *make()))


def kept(file: Path, make: Made) -> Splits:
    """Both splits from `file`, made first where they are not there yet, or where the file is damaged.

    Raises:
        InputError: as `keep`, or the file cannot be read.
    """
    keep(file, make)
    try:
        try:
            return _read(file)
        except DAMAGED:
            file.unlink(missing_ok=True)  # nothing is lost with it: it was made
            keep(file, make)
            return _read(file)
    except (OSError, *DAMAGED) as error:
        raise InputError(f"{file} cannot be read or replaced ({error}); delete it, and it is made again") from error


def decoded_file(source: str, **key: Any) -> Path:
    """Where pictures that were decoded are kept: a file of the user's cache folder, named by all that they depend on.

    Args:
        source: what kind of place they come from.
        key: values that JSON can hold.
    """
    # With the code that decodes: what another release has made of the same files is another set of images.
    text = json.dumps([inspect.getsource(_pictures), source, key], sort_keys=True)
    return user_cache_path("ablate") / "decoded" / f"{source}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"


def _write(file: Path, train: Split, test: Split) -> None:
    arrays = {
        f"{part}_{what}": getattr(split, what).numpy()
        for part, split in {"train": train, "test": test}.items()
        for what in ("images", "labels")
    }
    with atomic(file) as temporary, temporary.open("wb") as opened:
        np.savez(opened, **arrays)


def _read(file: Path) -> Splits:
    with file.open("rb") as opened, np.load(opened) as arrays:
        train, test = (
            Split(*(torch.from_numpy(arrays[f"{part}_{what}"]) for what in ("images", "labels")))
            for part in ("train", "test")
        )
    return Splits(train, test)

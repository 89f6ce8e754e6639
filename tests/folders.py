"""Folders of pictures as data sets, for tests of both what lies where and what becomes of each picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablate import DataSet, registry
from ablate.config.compose import prepare

COLORS = {"ant": (200, 30, 30), "bee": (30, 200, 30), "cat": (30, 30, 200)}


def build(root: Path, name: str = "imagefolder", **options: Any) -> DataSet:
    """A set of pictures of 16x16 pixels in three classes, unless said otherwise."""
    prepare()
    sizes = {"classes": 3, "size": 16, "resize": 20} if name == "imagefolder" else {}
    return registry.build("data", {"name": name, "root": root, **sizes, **options})


def touch(root: Path, *files: str) -> None:
    """Files of these names with nothing of a picture in them."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"-")

"""What the files of this process's modules held when it took them up: it runs that code, whatever they hold later.

Cells are forked from a server that lives as long as the study's process, and a sweep plans study after study. A plugin
that is edited in between has the new fingerprint in the later plans, and its old code in the server.
"""

from __future__ import annotations

import site
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from ablate import registry
from ablate.config.code import about
from ablate.system.paths import PACKAGE
from ablate.system.sources import source_of_text

DECIDES_NUMBERS = False

_seen: set[str] = set()  # names of modules
_held: dict[str, tuple[list[Any], bytes]] = {}  # by true path: what is known of a file from outside, and its content


def remember() -> None:
    """Keep what the files of modules hold that were imported since the last call."""
    # From the newest back to what is known, and no further: to look at thousands of names costs a forked process more
    # than all else here, since each page that they lie on is copied for it.
    fresh = list(takewhile(lambda name: name not in _seen, reversed(sys.modules)))
    _seen.update(fresh)
    plugins = {entry.module for entry in registry.entries()}
    for name in fresh:
        file = getattr(sys.modules[name], "__file__", None)
        if not file or not file.endswith(".py") or not (name in plugins or _may_be_edited(file)):
            continue
        with suppress(OSError):  # what is gone by now cannot be what was planned
            path = Path(file).resolve()
            _held.setdefault(str(path), (about(path), path.read_bytes()))


def others_than(planned: Mapping[str, Sequence[Any]]) -> list[str]:
    """The files of a manifest of which this process has taken up other code.

    Args:
        planned: digest by path, and what is known of the file from outside.
    """
    found = []
    for name, (digest, known) in planned.items():
        if name not in _held:
            continue  # it is imported from now on
        held, content = _held[name]
        if not (held[-1] and held[:-1] == list(known)[:-1]) and source_of_text(content).digest != digest:
            found.append(name)
    return found


def _may_be_edited(file: str) -> bool:
    """Whether it belongs to ablate or to no installed package."""
    return file.startswith(str(PACKAGE)) or not file.startswith(_installed())


@cache
def _installed() -> tuple[str, ...]:
    return tuple({*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages()})

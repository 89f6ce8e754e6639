"""Names in a study: those that become folders and files, and those that claims and tables tell apart."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ablate.config.values import UNPRINTABLE
from ablate.errors import InputError

LONGEST = 100  # letters of the name of an arm, a part or a claim: it stands in tables, charts and file names
# The longest name that is made of a study's folder is that of its lock; beside it stand temporary files.
AROUND = len("study-") + len(".lock")
NAME_MAX = 255  # bytes, where the file system does not say
PATH_MAX = 4096
BELOW = 400  # bytes of the longest path inside of a study's folder: `/cells/ID/...`
# What a contrast reads as grammar: `a|b@depth=8,width=1`, and `*` for all arms.
GRAMMAR = "|@=,*"
# Names that Windows keeps for devices, whatever stands behind their dot.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def check_arm(name: str, what: str = "arm") -> None:
    """Hold the name of an arm, or of a part that makes arms, against the grammar of selectors.

    Raises:
        InputError: claims could not name it, or would mean something else by it.
    """
    _check_label(what, name)
    if found := next((letter for letter in GRAMMAR if letter in name), None):
        raise InputError(f"{what} '{name}': a name has no '{found}', which means something else in a contrast")


def check_claim(name: str) -> None:
    """Hold the name of a claim against what its table can tell apart.

    Raises:
        InputError: it is empty, too long, begins or ends with a blank, or has letters that cannot be seen.
    """
    _check_label("claim", name)


def check_folder(name: str, folder: str, runs: str) -> None:
    """Hold a study's name against what can be a folder of the store.

    Args:
        name: of the study.
        folder: that its results lie in: the name, with the scale where that counts.
        runs: the store.

    Raises:
        InputError: it cannot be a folder, there or on another machine, or its folder's files would have longer names
            than the file system allows.
    """
    what = f"study.name={_shortened(name)!r}"
    if not name or name.startswith(".") or "/" in name or "\\" in name:
        raise InputError(f"{what}: must be the name of a folder, without '/', '\\' or a leading dot")
    if found := UNPRINTABLE.search(name) or re.search(r"[\t\n\r]", name):
        raise InputError(f"{what}: must be the name of a folder, and holds {found[0]!r}")
    if name != name.strip() or name.endswith("."):
        raise InputError(f"{what}: a folder's name neither begins nor ends with a blank, nor ends with a dot")
    if RESERVED.fullmatch(name):
        raise InputError(f"{what}: Windows keeps this name for a device")
    length, most = len(os.fsencode(folder)) + AROUND, _longest_name(runs)
    if length > most:
        raise InputError(
            f"{what}: its folder's name has {length - AROUND} bytes, and a file system takes {most - AROUND} here "
            f"({most} with the name of its lock); give it a shorter one"
        )


def check_store(runs: str) -> None:
    """Hold the store's path against what the file system takes.

    Raises:
        InputError: a part of it is too long, or the whole.
    """
    path = os.path.abspath(runs)
    longest = max((len(os.fsencode(part)) for part in Path(path).parts), default=0)
    if longest > NAME_MAX:
        raise InputError(f"runs={_shortened(runs)}: a folder has a name of {longest} bytes; {NAME_MAX} are the most")
    size, most = len(os.fsencode(path)), PATH_MAX - NAME_MAX - BELOW
    if size > most:
        raise InputError(f"runs={_shortened(runs)}: the path has {size:,} bytes; {most:,} are the most")


def _check_label(what: str, name: str) -> None:
    if not name.strip():
        raise InputError(f"{what} '{name}': a name has at least one letter")
    if name != name.strip():
        raise InputError(f"{what} '{name}': a name neither begins nor ends with a blank; call it '{name.strip()}'")
    if found := next((letter for letter in name if not letter.isprintable()), None):
        raise InputError(f"{what} {name!r}: a name has no {found!r}, which cannot be seen")
    if len(name) > LONGEST:
        raise InputError(f"{what} '{_shortened(name)}': a name has at most {LONGEST} letters, and this one {len(name)}")


def _longest_name(runs: str) -> int:
    """Bytes that a file's name may have in the store, or where it will be."""
    folder = Path(os.path.abspath(runs))
    for place in (folder, *folder.parents):
        try:
            return min(NAME_MAX, os.pathconf(place, "PC_NAME_MAX"))
        except (OSError, ValueError, AttributeError):  # not there yet; or no POSIX system
            continue
    return NAME_MAX


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:40]}...{text[-10:]}"

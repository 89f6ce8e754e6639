"""Names and values as wandb's specs take them."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any

TAG, TITLE = 64, 128  # characters that wandb takes
REFUSED = ("So", "Sk", "Sm", "Sc", "Cs")  # categories of characters that it takes in no name of a workspace


def shortened(text: str, length: int) -> str:
    """A text in one line, of so many characters at most; two that differ stay different."""
    line = " ".join(text.split())
    if line == text and len(line) <= length:
        return line
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{line[: length - 9]}-{digest}"


def study_tag(study: str) -> str:
    """The tag of all runs of a study, by the name of its folder, as `tracker=wandb` gives it."""
    return shortened(f"study:{study}", TAG)


def view_title(text: str) -> str:
    """A name for a workspace, with `_` for each character that wandb refuses in one."""
    return "".join("_" if unicodedata.category(letter) in REFUSED else letter for letter in shortened(text, TITLE))


def view_name(study: str) -> str:
    """By which wandb finds the workspace again: the same for a study each time."""
    return f"nw-{hashlib.sha256(study.encode(errors='surrogatepass')).hexdigest()[:11]}-v"


def literal(value: Any) -> str:
    """A value in a filter, which is read as Python: of a text each character that could mean more as its number."""
    if isinstance(value, str):
        return "'" + "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in value) + "'"
    return repr(value)


def config_key(factor: str) -> str:
    """Where a factor stands in the config of a run.

    A factor whose name has dots is a key of the frozen config itself, and found by its path there.
    """
    return factor if "." in factor else f"factors.{factor}"

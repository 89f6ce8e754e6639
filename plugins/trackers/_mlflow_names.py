"""Names and addresses as MLflow takes them, and as they may be shown."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from ._stored import digest, plain, shortened

KEY_LENGTH, PARAM_LENGTH, TAG_LENGTH, EXPERIMENT_LENGTH = 250, 6000, 8000, 500  # mlflow/utils/validation.py


def key(name: str) -> str:
    """A name as MLflow takes it for a metric, parameter or tag; two that differ stay different.

    Letters, digits and `_-./` and spaces stay. Others stand as their code between colons, `:3c:` for `<`, and so do
    slashes and dots where the name would be that of another file.
    """
    made = re.sub(r"[^\w./ -]", _code, plain(name))
    if made != posixpath.normpath(made) or made.startswith(("/", "..")) or made == ".":
        made = re.sub(r"[./]", _code, made) or ":"
    return made if len(made) <= KEY_LENGTH else f"{made[: KEY_LENGTH - 18]}--{digest(made)}"


def _code(match: re.Match[str]) -> str:
    return f":{ord(match[0]):x}:"


def value_of(value: str, length: int) -> str:
    """A text as the value of a tag or a parameter; one that is too long says so."""
    return shortened(plain(value), length)


def has_password(uri: str) -> bool:
    """Whether an address holds one."""
    return re.search(r"//[^/@]*:[^/@]*@", uri) is not None


def file_of(uri: str) -> Path | None:
    """The file of an SQLite database; None for any other."""
    found = re.fullmatch(r"sqlite:///([^:?]+)", uri)
    return Path(found[1]).absolute() if found else None

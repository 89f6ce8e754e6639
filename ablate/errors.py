"""The errors that end a command, and how each becomes one line and an exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

DECIDES_NUMBERS = False


class AblateError(Exception):
    """Base of the errors that are reported as one line, without a traceback."""

    exit_code = 1


class InputError(AblateError):
    """What the user gave is wrong: a name, a value, a file, a folder.

    Attributes:
        key: the dotted key of the config that is wrong, by which whoever knows what was typed can say which file it
            stands in; empty where the error is about something else.
    """

    exit_code = 2

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class CellsFailed(AblateError):
    """The study ran, and some of its cells have no result."""

    exit_code = 1


class NotMirrored(AblateError):
    """A tracker was not told all of a study."""

    exit_code = 1


class ClaimsNotSupported(AblateError):
    """`study.strict=true`, and a claim has another verdict than `supported`."""

    exit_code = 3


def unknown(what: str, given: object, known: Iterable[str], hint: str = "", *, key: str = "") -> InputError:
    """An error that says what was asked for, the nearest name, and what exists; `key` as of `InputError`."""
    names = sorted({str(name) for name in known})
    near = nearest(given, names)
    error = _unknown(f"{what} '{given}'", near, names, hint)
    error.key = key
    return error


def unknown_key(key: str, known: Iterable[str], hint: str = "") -> InputError:
    """`unknown` for a dotted key, where `known` are the names that its last part can be."""
    parent, dot, name = key.rpartition(".")
    names = sorted({str(name) for name in known})
    near = nearest(name, names)
    error = _unknown(f"key '{key}'", near and f"{parent}{dot}{near}", names, hint)
    error.key = key
    return error


def _unknown(what: str, near: str | None, names: list[str], hint: str) -> InputError:
    did_you_mean = [f"did you mean '{near}'?"] if near else []
    known = "known: " + (", ".join(names) or "none")
    return InputError("; ".join([f"unknown {what}", *did_you_mean, known, *([hint] if hint else [])]))


def nearest(given: object, known: Iterable[str]) -> str | None:
    """The known name most like `given`, or None where nothing is alike."""
    matches = difflib.get_close_matches(str(given), list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None

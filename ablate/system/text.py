"""Text of others (plugins, logs, files) on the terminal and in files: nothing in it acts, and it has an end."""

from __future__ import annotations

import re

DECIDES_NUMBERS = False

REASON = 2000  # characters of a reason, as it stands in files, on the page and in the terminal
ERROR = 2000  # of an error that ends a command; some list all names that there are

# What a terminal acts on: control characters but for the end of a line and the tabulator, those of C1, and marks that
# turn the direction of the text round, with which a name can be made to look like another.
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""The text with what a terminal would act on written out: `\x1b` for the one that starts a colour."""
    return ACTS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def in_words(error: BaseException) -> str:
    """An exception as its type and what it says, in one line; that may be code of others, which fails itself."""
    try:
        said = " ".join(str(error).split())
    except Exception as another:
        said = f"(its text cannot be told: {type(another).__name__})"
    return f"{type(error).__name__}: {said}".rstrip(": ")


def bounded(text: str, length: int = REASON) -> str:
    """The text with its middle left out where it is longer, and how much that was.

    Args:
        text: of any length.
        length: characters that are kept, without those that say what was left out.
    """
    if len(text) <= length:
        return text
    head, tail = length // 2, length - length // 2
    return f"{text[:head]} ... {len(text) - length:,} characters left out ... {text[-tail:]}"

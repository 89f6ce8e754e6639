"""Names as wandb takes them: what is too long for it, or has characters that it refuses, is told apart by a hash."""

from __future__ import annotations

import hashlib
import re

RUN_ID = 64  # characters that wandb takes
NAME = 128
TAG = 64


def shortened(text: str, length: int) -> str:
    """A text in one line, of so many characters at most; two that differ stay different."""
    line = " ".join(text.split())
    return line if line == text and len(line) <= length else f"{line[: length - 9]}-{_hash(text)}"


def study_tag(study: str) -> str:
    """The tag of all runs of a study, by the name of its folder: a cell that several studies share has one of each."""
    return shortened(f"study:{study}", TAG)


def run_id(text: str, suffix: str = "") -> str:
    """An ID for a run: letters, digits, `.`, `_` and `-`."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
    length = RUN_ID - len(suffix)
    if plain != text or len(plain) > length:
        plain = f"{plain[: length - 9]}-{_hash(text)}".lstrip("-.")
    return plain + suffix


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]

"""Text and YAML of files that somebody else wrote: read only where that ends, and refused in one line otherwise."""

from __future__ import annotations

import codecs
import os
import re
import stat
from pathlib import Path
from typing import Any

import yaml

from ablate.errors import InputError

DECIDES_NUMBERS = False


class BrokenFile(InputError):
    """A file is there and does not hold what it should: cut short, damaged, or of another kind."""


MOST_BYTES = 2**28  # far above any config or record; a file of this size is something else
MOST_VALUES = 10**6  # of one document, each counted as often as aliases repeat it
MOST_DEPTH = 100
# A line that begins so many blocks, or stands so deep in them, that the whole may be nested beyond `MOST_DEPTH`.
DEEP = re.compile(rf"^(?:[ \t]{{{MOST_DEPTH // 2}}}|(?:[ \t]*[-?]){{{MOST_DEPTH // 2}}})", re.MULTILINE)
# The longer mark first: that of UTF-32 begins with that of UTF-16.
ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip
# Where it is built in, the C parser takes a fraction of the time, and a study reads a file for each of its cells.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        BrokenFile: it is no regular file (a pipe or a device could be waited for without end), or larger than `most`.
        InputError: it cannot be read.
    """
    try:
        # Not blocking: to open a pipe that nobody writes to would already wait.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise BrokenFile(f"cannot read {path}: it is {_kind(about.st_mode)} and not a file")
            if about.st_size > most:
                raise BrokenFile(f"cannot read {path}: it has {about.st_size:,} bytes, and at most {most:,} are read")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # the latter where the name itself is impossible
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """The text of a regular file in UTF-8; a byte order mark is read over, and line ends become one character.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        BrokenFile: it is not text in UTF-8, and it says what it looks like; or as `read_bytes`.
        InputError: it cannot be read.
    """
    content = read_bytes(path, most)
    for mark, encoding in ENCODINGS.items():
        if content.startswith(mark):
            raise BrokenFile(f"{path} is text in {encoding}; save it as UTF-8")
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise BrokenFile(
            f"{path} is not text in UTF-8 (byte 0x{byte:02x} in line {line}; perhaps Latin-1); save it as UTF-8"
        ) from error
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise BrokenFile(f"{path} holds a NUL character in line {line}; it is no text, or text in UTF-16")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_yaml(text: str, most: int = MOST_VALUES, reader: Any = LOADER) -> Any:
    """The value of a YAML document.

    Args:
        text: of the document.
        most: values that it may hold, each counted as often as aliases repeat it.
        reader: the loader class, which says how values are read.

    Raises:
        yaml.YAMLError: it is broken.
        ValueError: a value has the form of a date or a number, and is none.
        InputError: it is nested too deep, its aliases lead into themselves, or they repeat so much that the whole would
            not end; without the name of a file, which the caller adds.
    """
    _refuse_depth(text)
    loader = reader(text)
    try:
        node = loader.get_single_node()
        # Without aliases a text holds at most a value for each of its letters.
        if node is not None and ("*" in text or len(text) > most) and (size := _size(node, {}, ())) > most:
            raise InputError(f"holds {size:,} values, aliases (*name) written out; at most {most:,} are read")
        return None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _refuse_depth(text: str) -> None:
    """The C parser builds nested values by recursion, and ends the process where its stack does."""
    if not DEEP.search(text) and text.count("[") + text.count("{") < MOST_DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise InputError(f"is nested more than {MOST_DEPTH} deep")


def _size(node: yaml.Node, known: dict[int, int], above: tuple[int, ...]) -> int:
    """Values below a node, those behind an alias as often as it is named."""
    if id(node) in above:
        raise InputError("has an alias (*name) that stands inside of what it names")
    if id(node) not in known:
        inside = (*above, id(node))
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            parts = list(node.value)
        elif isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_size(part, known, inside) for part in parts)
    return known[id(node)]


def _kind(mode: int) -> str:
    kinds = {
        stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket", stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }  # fmt: skip
    return next((name for test, name in kinds.items() if test(mode)), "something else")

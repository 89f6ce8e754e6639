"""Files that somebody else wrote: what is read, and the one line for each that is not."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ablate import InputError
from ablate.system.reading import MOST_DEPTH, parse_yaml, read_bytes, read_text


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(InputError) as error:
        read()
    assert "\n" not in str(error.value)
    return str(error.value)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def socket_file(path: Path) -> None:
    # Bound by its name alone: the path of a socket may have a hundred letters.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (pipe, "it is a pipe and not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device and not a file"),
        (Path.mkdir, "it is a folder and not a file"),
        (lambda path: path.symlink_to("nowhere"), "No such file or directory"),
        (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
        (lambda path: None, "No such file or directory"),
    ],
    ids=["pipe", "device", "folder", "link to nothing", "link to itself", "nothing"],
)
def test_what_is_no_file_is_refused_and_not_waited_for(
    make: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "it.yaml"
    make(path)
    for read in (read_bytes, read_text):
        assert refusal(lambda read=read: read(path)) == f"cannot read {path}: {reason}"  # type: ignore[misc]


def test_a_socket_is_refused(tmp_path: Path) -> None:
    socket_file(tmp_path / "s")
    assert refusal(lambda: read_bytes(tmp_path / "s")).startswith(f"cannot read {tmp_path / 's'}: ")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_one_line(name: str, tmp_path: Path) -> None:
    assert refusal(lambda: read_bytes(tmp_path / name)).startswith("cannot read ")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1001)
    assert (
        refusal(lambda: read_bytes(path, 1000)) == f"cannot read {path}: it has 1,001 bytes, and at most 1,000 are read"
    )
    assert len(read_bytes(path, 1001)) == 1001


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        (b"a: 1\n", "a: 1\n"),
        (b"\xef\xbb\xbfa: 1\n", "a: 1\n"),
        (b"a: 1\r\nb: 2\rc: 3\n", "a: 1\nb: 2\nc: 3\n"),
        ("Größe: ü\n".encode(), "Größe: ü\n"),
    ],
    ids=["empty", "plain", "byte order mark", "line ends", "letters"],
)
def test_text_is_read_whatever_its_mark_and_line_ends(content: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(content)
    assert read_text(path) == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("ü\n".encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
        ("ü\n".encode("utf-32"), "is text in UTF-32; save it as UTF-8"),
        (
            "a\nGröße\n".encode("latin-1"),
            "is not text in UTF-8 (byte 0xf6 in line 2; perhaps Latin-1); save it as UTF-8",
        ),
        (b"a\nb\0c\n", "holds a NUL character in line 2; it is no text, or text in UTF-16"),
    ],
    ids=["UTF-16", "UTF-32", "Latin-1", "NUL"],
)
def test_other_text_is_named_for_what_it_is(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_bytes(content)
    assert refusal(lambda: read_text(path)) == f"{path} {reason}"


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{place}: &a{place} [{', '.join([f'*a{place - 1}'] * 10)}]\n" for place in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, f"is nested more than {MOST_DEPTH} deep"),
        ("{a: " * 100_000, f"is nested more than {MOST_DEPTH} deep"),
        ("- " * 10_000 + "a", f"is nested more than {MOST_DEPTH} deep"),
        ("".join(f"{' ' * place}a:\n" for place in range(1000)), f"is nested more than {MOST_DEPTH} deep"),
        (LAUGHS, "holds 1,234,567,901,245 values, aliases (*name) written out; at most 1,000 are read"),
        (f"[{'a, ' * 1500}]", "holds 1,501 values, aliases (*name) written out; at most 1,000 are read"),
        ("&a [*a]", "has an alias (*name) that stands inside of what it names"),
        ("a: &a {b: {c: *a}}", "has an alias (*name) that stands inside of what it names"),
    ],
    ids=["brackets", "braces", "dashes", "indents", "laughs", "many", "itself", "inside itself"],
)
def test_yaml_that_would_not_end_is_refused(text: str, reason: str) -> None:
    assert refusal(lambda: parse_yaml(text, 1000)) == reason


def test_deep_and_repeated_values_within_bounds_are_read() -> None:
    assert parse_yaml("[" * 50 + "]" * 50) is not None
    assert parse_yaml("a: &a {b: 1}\nc: [*a, *a]\n") == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}
    assert parse_yaml("") is None


@pytest.mark.parametrize("text", ["a: [", "a: !!python/object/apply:os.system [ls]", "a: 1\n---\nb: 2\n", "a:\n\tb: 1"])
def test_broken_yaml_is_an_error_of_the_parser(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)

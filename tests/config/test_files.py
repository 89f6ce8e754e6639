"""Config files of the user's own: each kind that cannot be read is one line that names the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import ablate
from ablate.config.files import config_names, read_config

pytestmark = pytest.mark.usefixtures("here")

Refused = Callable[..., str]
HEAD = "# @package _global_\n"
STUDY = f"{HEAD}study: {{name: mine, arms: {{a: [order=post], b: [order=pre]}}}}\n"


def exp(content: bytes | str, name: str = "mine") -> Path:
    file = Path(f"conf/exp/{name}.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file.resolve()


def number(digits: int) -> str:
    return f"{HEAD}depth: {'9' * digits}\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("# Größe\n".encode("latin-1"), "is not text in UTF-8 (byte 0xf6 in line 1; perhaps Latin-1); save "),
        (STUDY.encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
        (b"# a\0b\n", "holds a NUL character in line 1; it is no text, or text in UTF-16"),
        (f"{HEAD}study: {'[' * 100_000}", "is nested more than 100 deep"),
        (f"{HEAD}study: &a {{name: x, arms: *a}}\n", "has an alias (*name) that stands inside of what it names"),
        (f"{HEAD}study: {{question: 'x'}}\nstudy: {{}}\n", "line 3 is broken YAML: found duplicate key study"),
        (number(5000), "is broken YAML: Exceeds the limit (4300 digits) for integer string conversion: value has "),
        ("# @package _global_ and more\n", ": Too many components in '@package _global_ and more'; the first line is "),
    ],
    ids=["Latin-1", "UTF-16", "NUL", "deep", "alias in itself", "a key twice", "a long number", "package line"],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(content: bytes | str, reason: str, refused: Refused) -> None:
    file = exp(content)
    line = refused("plan", "+exp=mine")
    assert line.startswith(f"{file}{'' if reason.startswith(':') else ' '}{reason}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("hello\n", "holds 'hello', and no keys with values (key: value)"),
        ("- a\n- b\n", "holds ['a', 'b'], and no keys"),
        ("3\n", "holds 3, and no keys"),
        ('"a\\x95"\n', "holds 'a\\x95', and no keys"),
        ("defaults: order\n", ": defaults holds 'order'; it is a list of names and choices, such as [/order: pre]"),
        ("defaults: [[]]\n", ": defaults holds []; it is a list"),
        ("defaults: [{/order: pre, /act: gelu}]\n", ": defaults holds {'/order': 'pre', '/act': 'gelu'}; it is a list"),
        ("study: {arms: {null: [order=pre]}}\n", ": study.arms: a key is null; give it a name, or write it in quotes"),
        ("? null\n: 3\n", ": a key is null; give it a name"),
        ("defaults:\n", ": defaults holds None; it is a list"),
        ("defaults: [mine]\n", "builds on itself: mine -> mine; look at its defaults"),
        ("defaults: [{'': pre}]\n", ": defaults holds {'': 'pre'}; it is a list"),
        ("defaults: [{override /: pre}]\n", ": defaults holds {'override /': 'pre'}; it is a list"),
        ("defaults: [optional x]\n", ": unknown exp 'optional x'"),
        (
            "defaults: [nothing]\n",
            ": unknown exp 'nothing'",
        ),
    ],
)
def test_a_file_of_another_form_is_named(content: str, reason: str, refused: Refused) -> None:
    file = exp(HEAD + content)
    assert refused("plan", "+exp=mine").startswith(f"{file}{'' if reason.startswith(':') else ' '}{reason}")


@pytest.mark.parametrize("verb", [["plan", "+exp=mine"], ["list", "exp"]], ids=" ".join)
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "it is a pipe and not a file"),
        (Path.mkdir, "it is a folder and not a file"),
        (lambda file: file.symlink_to("nowhere"), "No such file or directory"),
        (lambda file: file.symlink_to(file.name), "Too many levels of symbolic links"),
        (lambda file: file.symlink_to("/dev/zero"), "it is a device and not a file"),
        (lambda file: os.truncate(exp("", file.stem), 2**21), "it has 2,097,152 bytes, and at most 1,048,576 are read"),
    ],
    ids=["pipe", "folder", "link to nothing", "link to itself", "device", "huge"],
)
def test_what_stands_in_the_place_of_a_file_is_named_and_never_waited_for(
    make: Callable[[Path], object], reason: str, verb: list[str], refused: Refused
) -> None:
    file = Path("conf/exp/mine.yaml").resolve()
    file.parent.mkdir(parents=True)
    make(file)
    assert refused(*verb) == f"cannot read {file}: {reason}"


def test_a_file_that_nobody_names_may_be_broken() -> None:
    exp(STUDY)
    exp(b"\xf6\0", "latin")
    os.truncate(exp("", "huge"), 2**21)
    os.mkfifo("conf/exp/pipe.yaml")
    assert ablate.compose(["+exp=mine"]).study.name == "mine"


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + STUDY.encode(), STUDY.replace("\n", "\r\n").encode()])
def test_marks_and_line_ends_are_read_over(content: bytes) -> None:
    file = exp(content)
    assert ablate.compose(["+exp=mine"]).study.name == "mine"
    assert read_config(file)["study"]["name"] == "mine"
    assert config_names("exp")["mine"] == file


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("conf/exp/mine.yaml", f"{HEAD}probe: {{a: 1}}\n", "unknown key 'probe'; did you mean 'probes'?"),
        ("conf/exp/mine.yaml", f"{HEAD}norm: {{epsi: 1}}\n", "unknown key 'norm.epsi'; did you mean 'norm.eps'?"),
        ("conf/exp/mine.yaml", f"{HEAD}norm: {{eps: .nan}}\n", "norm.eps=nan: must be a finite number"),
        ("conf/exp/mine.yaml", f"{HEAD}width: 0\n", "width=0: a factor on channel counts"),
        ("conf/exp/mine.yaml", f"{HEAD}depth: 100000\n", "depth=100000: at most 10,000"),
        ("conf/exp/mine.yaml", f"{HEAD}block: {{bias: som}}\n", "unknown value of block.bias 'som'"),
        ("conf/exp/mine.yaml", f'{HEAD}study: {{question: "a\\0b"}}\n', "study.question holds a NUL character"),
        ("conf/norm/odd.yaml", "defaults: [batch, _self_]\nepz: 1\n", "unknown key 'norm.epz'; did you mean "),
        ("conf/exp/below.yaml", f"{HEAD}probe: 1\n", "unknown key 'probe'; did you mean 'probes'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_names_the_file(path: str, text: str, line: str, refused: Refused) -> None:
    builds_on = {"below": "below", "odd": "override /norm: odd"}.get(Path(path).stem, "_self_")
    exp(f"{HEAD}defaults: [{builds_on}]\n")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    assert refused("plan", "+exp=mine").startswith(f"{path}: {line}")


def test_what_was_typed_names_no_file(refused: Refused) -> None:
    exp(f"{HEAD}probe: 1\n")
    assert refused("plan", "+exp=mine").startswith("conf/exp/mine.yaml: unknown key 'probe'")
    assert refused("plan", "+probe=1").startswith("unknown key 'probe'")

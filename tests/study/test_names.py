"""Names that become folders, and names that claims tell apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ablate import InputError
from ablate.study.names import AROUND, check_arm, check_claim, check_folder, check_store
from tests.studies import planned, refusal

pytestmark = pytest.mark.usefixtures("here")

ROOM = 255 - AROUND  # bytes of the name of a study's folder


def said(check: Callable[..., None], *arguments: str) -> str:
    with pytest.raises(InputError) as error:
        check(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("n" * (ROOM + 1), f"its folder's name has {ROOM + 1} bytes, and a file system takes {ROOM} here"),
        ("n" * 300, "its folder's name has 300 bytes"),
        ("ü" * 130, "its folder's name has 260 bytes"),
        ("", "must be the name of a folder"),
        (".locks", "must be the name of a folder, without '/', '\\' or a leading dot"),
        (".", "must be the name of a folder"),
        ("..", "must be the name of a folder"),
        ("a/b", "must be the name of a folder"),
        ("a\\b", "must be the name of a folder"),
        ("a\nb", r"must be the name of a folder, and holds '\n'"),
        ("a\tb", r"must be the name of a folder, and holds '\t'"),
        ("a\0b", r"must be the name of a folder, and holds '\x00'"),
        ("x ", "a folder's name neither begins nor ends with a blank, nor ends with a dot"),
        (" x", "a folder's name neither begins nor ends with a blank, nor ends with a dot"),
        ("x.", "a folder's name neither begins nor ends with a blank, nor ends with a dot"),
        ("CON", "Windows keeps this name for a device"),
        ("nul.x", "Windows keeps this name for a device"),
    ],
    ids=ascii,
)
def test_a_name_that_can_be_no_folder_is_refused(name: str, reason: str) -> None:
    line = said(check_folder, name, name, "runs")
    assert line.startswith("study.name=")
    assert reason in line


@pytest.mark.parametrize("name", ["n" * ROOM, "ü" * (ROOM // 2), "cells", "a b", "v1.5", "-m", "console"], ids=ascii)
def test_a_name_that_can_be_a_folder_is_taken_and_all_its_files_can_be_made(name: str) -> None:
    check_folder(name, name, "runs")
    for path in (Path(name), Path(f"study-{name}.lock")):
        path.mkdir()


def test_the_scale_counts_where_it_is_part_of_the_folder() -> None:
    check_folder("n" * ROOM, "n" * ROOM, "runs")
    assert f"has {ROOM + 6} bytes" in said(check_folder, "n" * ROOM, f"{'n' * ROOM}-paper", "runs")


def test_a_name_is_held_against_the_file_system_before_anything_else() -> None:
    line = refusal("arms: {a: [order=post], b: [order=pre]}, seeds: 1", f"study.name={'n' * 300}")
    assert line.startswith("study.name=")


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ("x" * 300, "a folder has a name of 300 bytes; 255 are the most"),
        (f"a/{'ü' * 128}/b", "a folder has a name of 256 bytes; 255 are the most"),
        ("/".join(["y" * 200] * 25), "are the most"),
    ],
    ids=lambda text: text[:10],
)
def test_a_store_whose_path_is_too_long_is_refused(runs: str, reason: str) -> None:
    assert reason in said(check_store, runs)


NAMES = [
    ("", "a name has at least one letter"),
    (" ", "a name has at least one letter"),
    (" lead", "a name neither begins nor ends with a blank; call it 'lead'"),
    ("lead ", "a name neither begins nor ends with a blank; call it 'lead'"),
    ("a\tb", r"a name has no '\t', which cannot be seen"),
    ("a\u200bb", r"a name has no '\u200b', which cannot be seen"),
    ("x" * 101, "a name has at most 100 letters, and this one 101"),
]
GRAMMAR = [
    (name, f"a name has no '{name.strip('ab')}', which means something else in a contrast")
    for name in ("*", "a|b", "a@b", "a=b", "a,b")
]


@pytest.mark.parametrize(("name", "reason"), [*NAMES, *GRAMMAR], ids=ascii)
def test_an_arm_whose_name_no_claim_could_name_is_refused(name: str, reason: str) -> None:
    assert said(check_arm, name).endswith(reason)


@pytest.mark.parametrize(("name", "reason"), NAMES, ids=ascii)
def test_a_claim_has_a_name_that_can_be_seen(name: str, reason: str) -> None:
    assert said(check_claim, name).endswith(reason)


@pytest.mark.parametrize("name", ["a b", "ü", "v1.5", "with-dash_1"])
def test_any_other_name_of_an_arm_can_be_named_in_a_claim(name: str) -> None:
    claim = f"claims: [{{id: c, contrast: {{'{name}': 1, other: -1}}, expect: positive, margin: 0.1}}]"
    study = planned(f"arms: {{'{name}': [order=post], other: [order=pre]}}, {claim}, seeds: 1", "depth=8", "width=0.25")
    assert name in study.arms


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("arms: {' lead': [order=post], lead: [order=pre]}", "arm ' lead': a name neither begins nor ends"),
        ("arms: {'*': [order=post], b: [order=pre]}", "arm '*': a name has no '*'"),
        ("leave_one_out: {'a|b': [order=pre], c: [act=elu]}", "part of study.leave_one_out 'a|b': a name has no '|'"),
        ("add_one_in: {'a ': [order=pre]}", "part of study.add_one_in 'a ': a name neither begins nor ends"),
        ("arms: {1: [order=post], b: [order=pre]}", "conf/exp/mine.yaml: study.arms.1: a name that reads as a number"),
        (
            "arms: {a: [order=post], b: [order=pre]}, "
            "claims: [{id: 'x ', contrast: {a: 1, b: -1}, expect: positive, margin: 0.1}]",
            "claim 'x ': a name neither begins nor ends with a blank",
        ),
    ],
)
def test_a_study_whose_names_cannot_be_told_apart_is_one_line(text: str, line: str) -> None:
    assert refusal(text).startswith(line)

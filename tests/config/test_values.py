"""What no config may hold, typed or in a file: numbers that others cannot read, text that is none, secrets."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import ablate
from ablate import InputError
from ablate.config.values import MOST_WHOLE, refuse_text, refuse_values

pytestmark = pytest.mark.usefixtures("here")

Refused = Callable[..., str]
KEY = "0123456789abcdef0123456789abcdef01234567"
WHOLE = f"whole numbers go up to 2**53 - 1 = {MOST_WHOLE:,}"


def exp(text: str) -> None:
    file = Path("conf/exp/mine.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"# @package _global_\n{text}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("seed=18446744073709551616", f"seed=18446744073709551616: {WHOLE}"),
        (f"seed={2**53}", f"seed={2**53}: {WHOLE}"),
        (f"study.seeds=[0,{2**53}]", f"study.seeds={2**53}: {WHOLE}"),
        (f"trainer.epochs={10**30}", f"trainer.epochs={10**30}: {WHOLE}"),
        (f"+study.grid.depth=[8,{10**60}]", f"study.grid.depth=(a number of 61 digits): {WHOLE}"),
        (f"trainer.epochs={'9' * 5000}", "cannot read trainer.epochs: Exceeds the limit (4300 digits)"),
        (f"optim.lr={'9' * 400}", f"optim.lr=(a number of 400 digits): {WHOLE}"),
        ("norm.eps=nan", "norm.eps=nan: must be a finite number"),
        ("optim.lr=inf", "optim.lr=inf: must be a finite number"),
        ("optim.lr=-inf", "optim.lr=-inf: must be a finite number"),
        ("optim.lr=1e400", "optim.lr=inf: must be a finite number"),
        ("study.question=a\x1b[31mb", "study.question holds the control character U+001B behind 'study.question=a'"),
        (os.fsdecode(b"study.question=Gr\xf6"), "study.question holds a byte that is no text in UTF-8"),
        (os.fsdecode(b"study.questi\xf6n=a"), "an override holds a byte that is no text in UTF-8"),
        (f"study.question={'[' * 100}{']' * 100}", "study.question is nested more than 50 deep"),
        (f"study.question={'[' * 50_000}", "study.question is nested more than 50 deep"),
        (f"study.question={'{a:' * 100}1{'}' * 100}", "study.question is nested more than 50 deep"),
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_a_typed_value_that_none_may_be_is_one_line(typed: str, line: str, refused: Refused) -> None:
    assert refused("plan", typed).startswith(line)


def test_a_number_in_a_list_is_held_to_the_same(refused: Refused) -> None:
    line = refused("plan", "schedule=step", "schedule.milestones=[0.5,nan]")
    assert line.startswith("schedule.milestones=nan: must be a finite number")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed: 18446744073709551616", f"seed=18446744073709551616: {WHOLE}"),
        ("norm: {eps: .inf}", "norm.eps=inf: must be a finite number"),
        ('study: {question: "a\\x07b"}', "study.question holds the control character U+0007 behind 'a'"),
        ('study: {arms: {"a\\0": [order=pre]}}', "a key of study.arms holds a NUL character"),
        (f"study: {{source: 'see {KEY}'}}", "study.source holds the value of the environment variable SOME_API_KEY"),
        ("study: {question: '${oc.env:SOME_API_KEY}'}", "study.question: ${oc.env:SOME_API_KEY} asks for the environm"),
        ("study: {claims: [{id: c, says: '${oc.env:HOME}'}]}", "study.claims[0].says: ${oc.env:HOME} asks for the"),
        ("study: {arms: {a: ['optim.lr=${oc.env:HOME}']}}", "study.arms.a[0]: ${oc.env:HOME} asks for the environm"),
        ("study: {grid: {depth: ['${oc.env:HOME}']}}", "study.grid.depth[0]: ${oc.env:HOME} asks for the environment"),
        ("width: '${oc.decode:${oc.env:HOME}}'", "width: ${oc.env:HOME} asks for the environment"),
        ("study: {name: oc, question: '${${study.name}.env:HOME}'}", "study.question: ${oc.env:HOME} asks for the env"),
        ("runs: '${oc.env:HOME,runs}'", "runs: ${oc.env:HOME,runs} asks for the environment"),
        ("runs: '${hydra:runtime.cwd}'", "runs: ${hydra:runtime.cwd} asks for Hydra's own settings"),
        ("defaults: ['override /order: ${oc.env:SOME_API_KEY}']", "${oc.env:SOME_API_KEY} asks for the environment"),
    ],
)  # fmt: skip
def test_a_value_of_a_file_that_none_may_be_is_one_line(
    text: str, line: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    exp(text)
    error = refused("plan", "+exp=mine")
    assert line in error
    assert KEY not in error


def test_the_resolver_of_a_plugin_does_not_bring_a_secret_in(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(
        "import os\nfrom omegaconf import OmegaConf\n"
        "OmegaConf.register_new_resolver('mine', lambda name: os.environ[name], replace=True)\n"
    )
    error = refused("plan", "study.question='${mine:WANDB_API_KEY}'")
    assert error.startswith("study.question holds the value of the environment variable WANDB_API_KEY")
    assert KEY not in error


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "db_password", "SOME_API_KEY", "X_SECRET"])
def test_what_the_shell_puts_in_is_looked_at_too(name: str, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, KEY)
    error = refused("plan", f"study.source={KEY}")
    assert error.startswith(f"study.source holds the value of the environment variable {name}")
    assert KEY not in error


@pytest.mark.parametrize(("name", "value"), [("SSH_KEY", "/home/somebody/key"), ("KEYBOARD", KEY), ("A_KEY", "short")])
def test_what_is_no_secret_may_stand_anywhere(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    refuse_text("it", f"a {value} b")


def test_interpolations_of_the_config_itself_go_on_working() -> None:
    exp("trainer: {epochs: '${depth}'}\nstudy: {name: 'd${depth}', question: '${oc.select:nothing,why}'}")
    config = ablate.compose(["+exp=mine", "depth=8"])
    assert (config.trainer.epochs, config.study.name, config.study.question) == (8, "d8", "why")


def test_the_largest_numbers_and_any_letters_are_taken() -> None:
    refuse_values({"seed": MOST_WHOLE, "list": [-MOST_WHOLE, {"a": 1e308}], "text": "Größe ×\n\t漢字", "none": None})
    assert ablate.compose([f"seed={MOST_WHOLE}"]).seed == MOST_WHOLE


def test_an_option_may_be_infinite_where_that_is_its_default() -> None:
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(
        "import math\nfrom ablate import register\n\n"
        '@register("act", "bounded")\ndef bounded(parts, *, most: float = math.inf, least: float = 0.0):\n    pass\n'
    )
    assert ablate.compose(["act=bounded"]).act.most == float("inf")
    with pytest.raises(InputError, match=r"^act.least=inf: must be a finite number$"):
        ablate.compose(["act=bounded", "act.least=inf"])


def test_a_message_is_one_line_of_bounded_length_whatever_it_quotes(refused: Refused) -> None:
    assert len(refused("plan", f"study.question={'x' * 50_000}<")) < 2100
    assert "\x1b" not in refused("\x1b[31mplan")

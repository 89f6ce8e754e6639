"""Mistakes in plugins: one line that names the plugin, its file and the line, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablate import InputError, registry
from ablate.__main__ import main
from ablate.config.compose import prepare
from ablate.interfaces.engine import Ending, Slot
from ablate.registry.blame import blaming
from ablate.run.process import attempt
from tests.cells import job_of, tiny_cell

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

Refused = Callable[..., str]
BLOCK = '''
from torch import nn
from ablate import Block, register

@register("block", "mine")
class Mine(Block):
    """Two convolutions."""

    depth = 2

    def layers(self, in_channels, width, stride):
        {layers}
'''
CONVOLUTIONS = """return [
            nn.Conv2d(in_channels, width, 3, {stride}, padding=1),
            nn.Conv2d(width, width, 3, padding=1),
        ]"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    with registry.isolated():
        yield tmp_path


def plugin(here: Path, text: str) -> Path:
    file = here / "plugins" / "mine.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_wrong_signature_names_the_file_and_what_the_framework_passes(refused: Refused, here: Path) -> None:
    file = plugin(here, 'from ablate import register\n@register("norm", "mine")\ndef f(c, *, a: int = 3): pass\n')
    line = refused("plan", "depth=8", "norm=mine")
    assert str(file) in line
    assert "norm 'mine' takes (c), and the framework passes (parts, channels)" in line


def test_a_block_without_layers_names_the_file(refused: Refused, here: Path) -> None:
    text = 'from ablate import Block, register\n@register("block", "mine")\nclass Mine(Block): depth = 2\n'
    file = plugin(here, text)
    line = refused("describe", "block=mine")
    assert str(file) in line
    assert line.endswith("block 'mine' lacks layers(), which its base declares")


@pytest.mark.parametrize("verb", [["plan"], ["describe"], []])
def test_an_error_in_a_plugin_names_the_plugin_and_the_line(verb: list[str], refused: Refused, here: Path) -> None:
    file = plugin(here, BLOCK.format(layers="return [nn.Conv2d(in_channels, wdth, 3)]"))
    assert refused(*verb, "depth=8", "block=mine") == (
        f"building and running the network fails: NameError: name 'wdth' is not defined (block 'mine', {file} line 12)"
    )
    assert not (here / "runs").exists()


def test_an_error_that_a_plugin_causes_elsewhere_names_it_too(refused: Refused, here: Path) -> None:
    file = plugin(here, BLOCK.format(layers=CONVOLUTIONS.format(stride=1)))
    line = refused("plan", "depth=8", "block=mine")
    assert line.startswith("building and running the network fails: RuntimeError: ")
    assert "(shortcut 'identity', " in line
    assert line.endswith(f"; not built in: block 'mine', {file}, passed (parts)")


def test_a_sound_plugin_is_no_error(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plugin(here, BLOCK.format(layers=CONVOLUTIONS.format(stride="stride")))
    assert main(["describe", "depth=8", "block=mine"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("kind", "base"), [("augment", "Augment"), ("optim", "Optim"), ("schedule", "Schedule"), ("engine", "Engine")]
)
def test_a_constructor_that_fails_names_its_plugin(kind: str, base: str, refused: Refused, here: Path) -> None:
    methods = "".join(
        f"    def {name}(self, *arguments): pass\n" for name in ("draw", "apply", "build", "factor", "start", "slots")
    )
    file = plugin(
        here,
        f'from ablate import {base}, register\n@register("{kind}", "mine")\nclass Mine({base}):\n{methods}'
        "    def __init__(self): self.rate = 1 / 0\n",
    )
    line = f"building {'the ' if kind == 'engine' else ''}{kind} fails: ZeroDivisionError: division by zero "
    assert refused("plan", f"{kind}=mine") == f"{line}({kind} 'mine', {file} line 10)"


def test_the_traceback_is_shown_where_asked(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin(here, BLOCK.format(layers="raise LookupError('no such layer')"))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert main(["describe", "block=mine"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert "\nLookupError: no such layer\n" in error


def test_in_a_cells_process_the_traceback_is_in_the_log(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What fails only there: before, the plan has built the network on the meta device."""
    layers = "import torch; torch.empty(0).is_meta or ().index('no such layer'); " + CONVOLUTIONS.format(
        stride="stride"
    )
    plugin(here, BLOCK.format(layers=layers))
    job = job_of(here / "runs", tiny_cell("block=mine"))
    assert attempt(job, Slot("cpu", 1)) == Ending.FAILED
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert error.endswith("ValueError: tuple.index(x): x not in tuple\n")


def test_our_own_errors_stay_as_they_are() -> None:
    with pytest.raises(InputError, match=r"^as it was$"), blaming({"act": {"name": "relu"}}, "nothing"):
        raise InputError("as it was")


ODD = "class Odd(Exception):\n    def __str__(self): return 1\n"


def test_an_exception_whose_text_fails_is_told_by_its_type(refused: Refused, here: Path) -> None:
    file = plugin(here, f"{ODD}raise Odd()\n")
    said = "Odd: (its text cannot be told: TypeError) (mine.py line 3)"
    assert refused("plan", "depth=8") == f"plugin {file} does not import: {said}"


ENGINE = """from ablate import Engine, Slot, register
@register("engine", "mine")
class Mine({base}):
    def start(self, job, slot): pass
    {slots}
"""


@pytest.mark.parametrize("trainer", ["default", "auto"])
@pytest.mark.parametrize(
    ("base", "slots", "said"),
    [
        ("Engine", "def slots(self): return []", "asking the engine for its slots fails: "),
        (
            "Engine",
            "def slots(self, jobs, threads=1): return None",
            "asking the engine for its slots fails: ",
        ),
        ("Engine", "def slots(self, jobs, threads=1): return [3]", "gives a int, which is no ablate.Slot"),
        ("object", "", "engine 'mine' makes a Mine, which is no ablate.Engine"),
        (
            "Engine",
            "def __init__(self): 1 / 0\n    def slots(self): pass",
            "building the engine fails: ",
        ),
    ],
    ids=["takes nothing", "no list", "no slots", "no engine", "cannot be built"],
)
def test_an_engine_that_is_none_is_named(
    base: str, slots: str, said: str, trainer: str, refused: Refused, here: Path
) -> None:
    file = plugin(here, ENGINE.format(base=base, slots=slots))
    line = refused("plan", "depth=8", "width=0.25", "engine=mine", f"trainer={trainer}")
    assert said in line
    assert str(file) in line or base == "object"


def test_what_a_plugin_says_that_it_reads_is_paths(refused: Refused, here: Path) -> None:
    text = """from torch import nn
from ablate import register
@register("act", "mine")
class Mine(nn.ReLU):
    @classmethod
    def reads(cls): return [3]
"""
    file = plugin(here, text)
    line = refused("plan", "depth=8", "act=mine")
    assert line.startswith(f"reads() of act 'mine', {file} gives a list: it must give a list of paths")

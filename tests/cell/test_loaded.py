"""A process runs the code that it has imported; where that is not what was planned, it trains nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate import registry
from ablate.cell import loaded
from ablate.cell.changes import refuse_changed_code
from ablate.config import code
from ablate.errors import InputError
from ablate.registry.discovery import discover
from ablate.run.store import Store
from ablate.study.plan import Cell, plan_study

PLUGIN = '''
from torch import nn
from ablate import register

@register("act", "mine")
def mine():
    """{text}"""
    return nn.LeakyReLU({slope})
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "plugins" / "mine.py"
    file.parent.mkdir()
    file.write_text(PLUGIN.format(text="Of mine.", slope=0.1))
    with registry.isolated():
        yield file


def frozen() -> tuple[Path, Cell]:
    """A cell, planned anew, as in a process that has looked at no file yet."""
    code.forget()
    (cell,) = plan_study(["depth=8", "act=mine"]).cells
    store = Store("runs", "single")
    store.prepare()
    return store.freeze(cell), cell


def refusal(folder: Path, cell: Cell) -> str:
    try:
        refuse_changed_code(folder, {"code": cell.code, "config": cell.config})
    except InputError as error:
        return str(error)
    return ""


def test_a_later_plan_with_other_code_is_refused_by_who_has_imported_the_old(plugin: Path) -> None:
    discover()
    registry.lookup("act", "mine").factory()
    loaded.remember()
    assert refusal(*frozen()) == ""
    first = frozen()[1].code
    plugin.write_text(PLUGIN.format(text="Of mine.", slope=0.2))
    folder, cell = frozen()
    assert cell.code != first, "the plan knows the new code"
    assert refusal(folder, cell) == f"{plugin} changed since the plan; run again"
    plugin.write_text(PLUGIN.format(text="In other words.", slope=0.1))
    assert refusal(*frozen()) == "", "a docstring is no code"


def test_what_is_imported_only_now_is_as_it_was_planned(plugin: Path) -> None:
    helper = plugin.with_name("_helper.py")
    helper.write_text("SLOPE = 0.1\n")
    plugin.write_text("from ._helper import SLOPE\n" + PLUGIN.format(text="Of mine.", slope="SLOPE"))
    loaded.remember()
    helper.write_text("SLOPE = 0.3\n")
    folder, cell = frozen()
    registry.lookup("act", "mine").factory()
    loaded.remember()
    assert refusal(folder, cell) == ""
    helper.write_text("SLOPE = 0.1\n")
    importlib.invalidate_caches()
    name = registry.lookup("act", "mine").module.rpartition(".")[0] + "._helper"
    assert sys.modules[name].SLOPE == 0.3
    assert refusal(*frozen()) == f"{helper} changed since the plan; run again"

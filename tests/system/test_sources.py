"""What Python files say, apart from comments, docstrings and layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablate.system import sources
from ablate.system.sources import Source, keep, source_of

Said = Callable[[str], Source]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing is known of any file, and what is kept lies in a folder of the test's own."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache")
    forget()
    yield tmp_path / "cache"
    forget()


def forget() -> None:
    """As a new process begins."""
    sources._known.cache_clear()
    sources._kept.cache_clear()
    sources._used.clear()
    sources._fresh.clear()


@pytest.fixture
def said(tmp_path: Path) -> Callable[[str], Source]:
    def of(text: str) -> Source:
        file = tmp_path / "file.py"
        file.write_text(text)
        return source_of(file)

    return of


CODE = "import math\n\n\ndef area(r):\n    return math.pi * r**2\n"


@pytest.mark.parametrize(
    "same",
    [
        f"# a comment\n{CODE}",
        f'"""A docstring."""\n\n{CODE}',
        CODE.replace("(r):\n", '(r):\n    """Of a circle."""\n'),
        CODE.replace("return", "return (  # why\n       ").replace("r**2", "r ** 2)"),
        CODE.replace("\n\n\n", "\n"),
    ],
)
def test_comments_docstrings_and_layout_say_nothing(same: str, said: Said) -> None:
    assert said(same).digest == said(CODE).digest


@pytest.mark.parametrize("other", [CODE.replace("**2", "**3"), CODE.replace("r)", "r=1)"), CODE + "area(1)\n", ""])
def test_anything_else_does(other: str, said: Said) -> None:
    assert said(other).digest != said(CODE).digest


def test_a_text_that_is_used_is_no_docstring(said: Said) -> None:
    one, other = (said(f"NAME = '{text}'\n") for text in ("a.txt", "b.txt"))
    assert one.digest != other.digest
    assert (one.texts, other.texts) == (("a.txt",), ("b.txt",))
    assert said('"""a.txt"""\n').texts == ()


def test_imports_are_told_wherever_they_stand_but_for_those_of_type_checkers(said: Said) -> None:
    text = """
import a.b as c
from . import d
from ..e import f, g as h
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import not_run
else:
    import run
def later():
    from i import j
"""
    assert set(said(text).imports) == {
        (0, "a.b", ""), (1, "", "d"), (2, "e", "f"), (2, "e", "g"), (0, "typing", "TYPE_CHECKING"), (0, "run", ""),
        (0, "i", "j"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "loads", "locates"),
    [
        ("import math", False, False),
        ("import importlib", True, False),
        ("from importlib import import_module", True, False),
        ("exec(text)", True, False),
        ("open(__file__)", False, True),
        ("from importlib import resources", True, True),
    ],
)
def test_what_may_load_or_read_by_itself_is_noticed(text: str, loads: bool, locates: bool, said: Said) -> None:
    found = said(text)
    assert (found.loads, found.locates) == (loads, locates)


@pytest.mark.parametrize(
    ("text", "decides"),
    [
        ("", True),
        ("DECIDES_NUMBERS = False", False),
        ("DECIDES_NUMBERS = True", True),
        ("DECIDES_NUMBERS = 0", True),
        ("def f():\n    DECIDES_NUMBERS = False", True),
    ],
)
def test_a_file_may_declare_that_it_decides_nothing(text: str, decides: bool, said: Said) -> None:
    assert said(text).decides_numbers is decides


def test_names_taken_from_ablate_are_told(said: Said) -> None:
    found = said("import ablate\nablate.register\nablate.Block.depth\nother.name\n")
    assert found.attributes == (("ablate", "Block"), ("ablate", "register"))


def test_no_python_is_an_error(said: Said) -> None:
    with pytest.raises(SyntaxError):
        said("def")


def test_what_was_read_is_kept_for_other_processes(said: Said, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = said(CODE)
    keep()
    (file,) = cache.iterdir()
    assert len(json.loads(file.read_text())) == 1
    forget()

    def fail(content: bytes) -> Source:
        raise AssertionError("read again")

    with monkeypatch.context() as during:
        during.setattr(sources, "_read", fail)
        assert said(CODE) == first
    assert said(CODE + "x = 1\n") != first


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"key": 3}'])
def test_a_cache_that_is_not_whole_is_made_anew(content: str, said: Said, cache: Path) -> None:
    first = said(CODE)
    keep()
    (file,) = cache.iterdir()
    broken = content.replace("key", next(iter(json.loads(file.read_text()))))
    file.write_text(broken)
    forget()
    assert said(CODE) == first


def test_where_nothing_can_be_kept_files_are_read_all_the_same(said: Said, cache: Path) -> None:
    cache.write_text("no folder")
    first = said(CODE)
    keep()
    forget()
    assert said(CODE) == first


def test_it_remembers_so_many_files_and_no_more(said: Said, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST", 2)
    for number in range(3):
        said(f"x = {number}")
        keep()
    forget()
    said("x = 9")
    keep()
    (file,) = cache.iterdir()
    assert len(json.loads(file.read_text())) == 1

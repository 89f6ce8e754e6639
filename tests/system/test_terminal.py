"""Text of others on the terminal: it does nothing there, and is no longer than somebody reads."""

from __future__ import annotations

import io

import pytest
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from ablate.system.terminal import SafeConsole
from ablate.system.text import bounded, printable

EVIL = "\x1b]0;title\x07\x1b[2Jcell\r\x08\x9b31m\u202egnp.exe"


def test_what_a_terminal_acts_on_is_written_out() -> None:
    assert printable(EVIL) == r"\x1b]0;title\x07\x1b[2Jcell\x0d\x08\x9b31m\u202egnp.exe".replace(r"\x0d", r"\r")


@pytest.mark.parametrize("text", ["plain", "two\nlines\tand a tab", "é – × 模型 🙂", ""])
def test_other_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("acts", ["\x1b", "\x9b", "\r", "\x08", "\x00", "\x7f", "\u202e", "\u2066", "\ud800"])
def test_what_is_left_can_be_printed_anywhere(acts: str) -> None:
    written = printable(f"a{acts}b")
    assert acts not in written
    assert written.encode()


def test_a_long_text_loses_its_middle_and_says_how_much() -> None:
    text = "a" * 5_000_000 + "the end"
    short = bounded(text, 100)
    assert short.startswith("a" * 50)
    assert short.endswith("the end")
    assert "4,999,907 characters left out" in short
    assert len(short) < 150
    assert bounded("a" * 100, 100) == "a" * 100


@pytest.mark.parametrize("how", ["text", "markup", "table", "bar"])
def test_a_console_lets_nothing_pass_but_its_own_colours(how: str) -> None:
    file = io.StringIO()
    console = SafeConsole(file=file, force_terminal=True, color_system="standard", width=200)
    if how == "text":
        console.print(Text(EVIL, style="red"))
    elif how == "markup":
        console.print(f"[red]{escape(EVIL)}[/]", highlight=False)
    elif how == "table":
        table = Table(EVIL)
        table.add_row(f"[red]{escape(EVIL)}")
        console.print(table)
    else:
        with Progress("[red]{task.description}", console=console) as bar:
            bar.add_task(escape(EVIL))
    written = file.getvalue()
    assert "\x1b[31m" in written, "its own colour is there"
    for acts in ("\x1b]0", "\x07", "\x08", "\x9b", "\u202e", "\x1b[2Jcell"):
        assert acts not in written
    assert r"\x1b]0;title" in written

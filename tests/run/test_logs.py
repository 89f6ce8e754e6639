"""A cell's log: how long it gets, and its end as the reason of a failure."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate import Job
from ablate.run import logs
from ablate.run.logs import Log, log_tail
from ablate.testing.engine import Recorder

STARTED = "2026-01-02 03:04:05 on cuda:1, 2 threads\n"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LIMIT", 4000)
    monkeypatch.setattr(logs, "KEPT", 1000)


def test_a_log_ends_with_its_last_lines_on_one(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("one\n\n two\nthree\n" + "\n".join("abcde") + "\n\n")
    assert log_tail(tmp_path) == "a | b | c | d | e"
    assert log_tail(tmp_path, 1) == "e"


def test_there_may_be_no_log(tmp_path: Path) -> None:
    assert log_tail(tmp_path) == "no log (No such file or directory)"
    (tmp_path / "log.txt").write_bytes(b"\n\n")
    assert log_tail(tmp_path) == "nothing printed"


def test_the_end_of_a_log_is_that_of_its_last_process_without_what_underlines_a_traceback(tmp_path: Path) -> None:
    error = 'File "mine.py", line 3, in draw\n    x = a + b\n        ~~^~~\n    ^^^^^\nTypeError: no\n'
    (tmp_path / "log.txt").write_text(f"{STARTED}first words\n{STARTED}{error}")
    assert log_tail(tmp_path) == 'File "mine.py", line 3, in draw | x = a + b | TypeError: no'
    (tmp_path / "log.txt").write_text(f"{STARTED}first words\n{STARTED}")
    assert log_tail(tmp_path) == "nothing printed"


def test_of_a_log_of_any_length_only_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.txt"
    with path.open("wb") as file:
        file.truncate(2**40)  # a terabyte of zeros, which no disk holds
        file.seek(0, os.SEEK_END)
        file.write(b"\nthe last words\n")
    assert log_tail(tmp_path).endswith(" | the last words")
    assert len(log_tail(tmp_path)) < 3000


def test_what_a_terminal_acts_on_is_written_out_in_a_reason(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"\x1b]0;mine\x07 \x1b[31mred\xff\n")
    assert log_tail(tmp_path) == r"\x1b]0;mine\x07 \x1b[31mred" + "�"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_read(kind: str, tmp_path: Path) -> None:
    place(kind, tmp_path)
    assert log_tail(tmp_path).startswith("no log (")


def place(kind: str, folder: Path) -> None:
    path = folder / "log.txt"
    if kind == "link":
        (folder / "victim").write_text("secret")
        path.symlink_to(folder / "victim")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_log_takes_the_place_of_what_is_no_file(kind: str, tmp_path: Path) -> None:
    place(kind, tmp_path)
    Log(tmp_path / "log.txt").write(b"mine\n")
    assert (tmp_path / "log.txt").read_text() == "mine\n"
    if kind == "link":
        assert (tmp_path / "victim").read_text() == "secret"


def test_a_log_keeps_its_first_and_its_last_and_says_what_was_dropped(small: None, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    lines = [f"line {number:04}\n" for number in range(2000)]
    log = Log(path)
    for line in lines[:1000]:
        log.write(line.encode())
    log = Log(path)  # of a second attempt
    for line in lines[1000:]:
        log.write(line.encode())
    text = path.read_text()
    assert len(text) <= 4000 + 10
    assert text.startswith("".join(lines[:100]))
    assert text.endswith("".join(lines[-100:]))
    (dropped,) = re.findall(r"\n\[ablate: ([\d,]+) bytes were dropped here", text)
    note = re.search(r"\n\[ablate: [^]]+\]\n", text)
    assert note is not None
    kept = len(text) - len(note[0])
    assert kept + int(dropped.replace(",", "")) == sum(map(len, lines))


def test_what_the_disk_does_not_take_is_lost_without_an_error(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.txt")
    os.dup2(os.open(tmp_path / "log.txt", os.O_RDONLY), log.fileno())
    log.write(b"words")


# of cells

PRINTS = "os.write(1, b'x' * {size}); os.write(2, b'y' * {size})"


def test_a_cell_that_prints_without_end_has_a_log_with_an_end(
    workshop: Callable[..., list[Job]], run: Callable[..., Recorder]
) -> None:
    size = 2**20
    job, _ = workshop(f"print('first')\nfor _ in range(70): {PRINTS.format(size=size)}\nraise ValueError('last')")
    report = run(job)
    assert (job.folder / "log.txt").stat().st_size <= logs.LIMIT
    with (job.folder / "log.txt").open("rb") as file:
        assert b"first\n" in file.read(100)
        assert b"ValueError: last" in file.read()[-1000:]
    assert report.reasons[0].endswith("ValueError: last")
    assert len(report.reasons[0]) < 3000


@pytest.mark.parametrize("kind", ["ValueError", "InputError", "SystemExit"])
def test_a_long_error_is_a_short_reason_that_begins_as_the_error_does(
    kind: str, workshop: Callable[..., list[Job]], run: Callable[..., Recorder]
) -> None:
    job, _ = workshop(f"raise {kind}('how it begins ' + 5_000_000 * 'a' + chr(27) + '[2J and ends')")
    (reason,) = run(job).reasons
    assert len(reason) < 3000
    assert "how it begins aaa" in reason
    assert "characters left out" in reason
    assert r"a\x1b[2J and ends" in reason
    assert "\x1b" not in reason

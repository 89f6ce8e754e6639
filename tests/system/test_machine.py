"""A disk, a folder or a memory that fails is one line, and nothing of this program's own is hidden by that."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ablate.__main__ import main
from ablate.cli import commands
from ablate.system.machine import in_one_line


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EIO, errno.ESTALE, errno.EACCES])
def test_an_error_of_the_disk_is_one_line_with_the_file(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: int
) -> None:
    def fail(arguments: object) -> None:
        raise OSError(number, os.strerror(number), "/store/file")

    monkeypatch.setattr(commands, "dispatch", fail)
    assert main(["list"]) == 2
    assert capfd.readouterr().err == f"ablate: /store/file: {os.strerror(number)}\n"


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "No such file", "x"), ValueError("no"), KeyError(3)])
def test_an_error_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(arguments: object) -> None:
        raise error

    monkeypatch.setattr(commands, "dispatch", fail)
    with pytest.raises(type(error)):
        main(["list"])


def test_memory_that_runs_out_is_one_line() -> None:
    assert in_one_line(MemoryError()) == "there is not enough memory for this"


@pytest.mark.parametrize("command", [["list"], ["plan", "depth=8"], ["depth=8", "trainer.epochs=1"]])
def test_a_working_folder_that_is_removed_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str]
) -> None:
    before = Path.cwd()
    folder = tmp_path / "gone"
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()
    try:
        assert main(command) == 2
    finally:
        os.chdir(before)
    assert capfd.readouterr().err == "ablate: the working folder is gone; change into one that is there\n"

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablate import registry
from ablate.__main__ import main
from ablate.registry.discovery import discover
from ablate.system.processes import preloaded_context

# One thread a process: the tests run side by side, and more threads than cores only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def server() -> None:
    """Cells are forked from one server for all tests: it must not be a test with a plugin of its own that starts it.

    Nor may it be such a test that finds the built-in plugins: they would be forgotten with its own.
    """
    discover()
    preloaded_context()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, whose plugins are forgotten with it."""
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        yield tmp_path


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must end as wrong input; gives its one line."""

    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        return err.removeprefix("ablate: ").rstrip("\n")

    return run


@pytest.fixture(autouse=True)
def speeds(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for what `plan` keeps about this machine's speed."""
    folder = tmp_path_factory.mktemp("cache") / "speeds"
    monkeypatch.setattr("ablate.tuning.measured.cache_folder", lambda: folder)
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """A cache of the tests' own, shared by all their processes; and Ctrl-C as the tests need it.

    Who runs the tests in the background of a script has Ctrl-C ignored in all that they start.
    """
    if not hasattr(config, "workerinput"):  # workers inherit it from the process that starts them
        folder = tempfile.mkdtemp(prefix="ablate-test-cache-")
        os.environ["XDG_CACHE_HOME"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

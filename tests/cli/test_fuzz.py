"""Generated command lines, study files and plugins: each ends in a plan, or as wrong input in a line that names it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablate import registry
from ablate.__main__ import main
from ablate.plan.calibration import Speed
from ablate.system.text import printable
from tests.cli.generated import SMALL, command_lines, study_files, words
from tests.cli.generated_plugins import plugin_files

EXAMPLES = int(os.environ.get("ABLATE_FUZZ_EXAMPLES", "200"))
SAME = "ABLATE_FUZZ_EXAMPLES" not in os.environ  # in CI the same ones each time
MOST_LINES, MOST_LETTERS = 3, 2600
WORD = re.compile(r"\w+")
# Words of any message, which name nothing even where an arm or a key is called so.
PROSE = frozenset(
    words("a an and as at b be by can file in is it key list mapping must name no none not of set study to")
)
# What Python and the libraries below say of themselves, and not of what was typed.
INTERNAL = re.compile(
    r"Traceback|NoneType|DictConfig|ListConfig|AnyNode|object has no attribute|object is not|unhashable|<class"
    r"|dataclass|AssertionError|AttributeError|KeyError|IndexError|UnicodeEncodeError|RecursionError|0x[0-9a-f]{6,}"
)


@dataclass(frozen=True)
class Input:
    """What `plan` is given: words of the command line, and the files of the working directory."""

    words: list[str]
    study: bytes | None = None
    plugin: bytes | None = None

    @property
    def arguments(self) -> list[str]:
        # A study's file has its sizes: typed, they would stand against what its arms set.
        return ["plan", *(SMALL if self.study is None else ["+exp=mine"]), *self.words]

    @property
    def vocabulary(self) -> set[str]:
        """Names and values in it."""
        contents = [text.decode("utf-8", errors="replace") for text in (self.study, self.plugin) if text is not None]
        named = {"mine"} if self.study is not None or self.plugin is not None else set()
        return named | {word for text in (*SMALL, *self.words, *contents) for word in WORD.findall(text)}

    def write(self) -> None:
        for name, content in (("conf/exp/mine.yaml", self.study), ("plugins/mine.py", self.plugin)):
            if content is not None:
                Path(name).parent.mkdir(parents=True)
                Path(name).write_bytes(content)


def inputs() -> st.SearchStrategy[Input]:
    """Of the three kinds, equally many; some of them together."""
    few = st.lists(st.deferred(command_lines), max_size=1).map(lambda lines: [word for line in lines for word in line])
    return st.one_of(
        st.deferred(command_lines).map(Input),
        st.builds(lambda study, words: Input(words, study), st.deferred(study_files), few | st.just([])),
        plugin_files().map(lambda made: Input(made[1], None, made[0])),
    )


@pytest.fixture(scope="module")
def unmeasured() -> Iterator[None]:
    """Nothing is timed: every network takes as long."""
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as caches:
        patched.setenv("XDG_CACHE_HOME", caches)
        patched.setattr("ablate.plan.calibration.measure", lambda *given: Speed(0.01, 0.001, 0.01))
        patched.setattr("ablate.plan.times.others_busy", lambda *given: nullcontext())
        numerics = {"precision": "fp32", "channels_last": True, "compile": "none", "text": "as it was"}
        patched.setattr("ablate.tuning.settle._search", lambda *given: numerics)
        yield


@contextmanager
def folder_of_its_own() -> Iterator[Path]:
    """An empty working directory, whose plugins are forgotten with it."""
    before, modules = Path.cwd(), set(sys.modules)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, registry.isolated():
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)
            for module in {one for one in sys.modules if one.startswith("ablate_local_")} - modules:
                del sys.modules[module]


def outcome(given: Input, capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `plan`."""
    capfd.readouterr()
    code = main(given.arguments)
    captured = capfd.readouterr()
    return code, captured.out, captured.err


def is_named(given: Input, said: str) -> bool:
    """Whether a line has a name or a value of the input in it, or quotes a word of the command line as it is."""
    told = set(WORD.findall(said)) - PROSE
    for word in given.vocabulary:
        # A long one may be cut.
        if word in told or f"'{word}'" in said or f".{word}" in said or (len(word) > 40 and word[:40] in said):
            return True
    # What does not print is told by its number.
    return any(f"'{printable(word)}'" in said or "U+" in said for word in given.words)


def faults(given: Input, code: int, out: str, err: str) -> list[str]:
    """What is wrong with how `plan` ended."""
    found = []
    if code == 0:
        found += [] if "cells" in out else ["no plan"]
    elif code == 2:
        said = err.removeprefix("ablate: ")
        # What a plugin raises is told as it was raised.
        internal = None if given.plugin is not None else INTERNAL.search(said)
        found += [f"speaks of {internal[0]}"] if internal else []
        found += [] if 1 <= err.count("\n") <= MOST_LINES else [f"{err.count(chr(10))} lines"]
        found += [] if len(err) <= MOST_LETTERS else [f"{len(err)} letters"]
        found += [] if is_named(given, said) else ["names nothing of it"]
    else:
        found.append(f"exit code {code}")
    found += ["a traceback"] if "Traceback" in out + err else []
    found += ["a control character"] if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", out + err) else []
    return found


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=SAME)
@given(given=inputs())
@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_any_input_ends_in_a_plan_or_in_a_line_that_names_it(given: Input, capfd: pytest.CaptureFixture[str]) -> None:
    threads = set(threading.enumerate())
    with folder_of_its_own() as folder:
        given.write()
        before = sorted(folder.rglob("*"))
        code, out, err = outcome(given, capfd)
        assert not faults(given, code, out, err), (faults(given, code, out, err), out + err)
        left = {path for path in folder.rglob("*") if "__pycache__" not in path.parts} - set(before)
        assert not left, f"{left} written by a plan"
    assert set(threading.enumerate()) == threads

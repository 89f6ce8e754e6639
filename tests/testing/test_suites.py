"""The conformance suites themselves: each catches what is wrong with a plugin, and takes it at its word where told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ablate import registry, testing
from ablate.config.compose import prepare
from ablate.registry import KINDS

BROKEN = sorted(Path(__file__).with_name("broken").glob("*.py"))


class Outcomes:
    """Of a run of pytest: the classes of tests by name, and the names of the tests of each that failed."""

    def __init__(self) -> None:
        self.classes: dict[str, Any] = {}
        self.failed: dict[str, set[str]] = defaultdict(set)

    def pytest_itemcollected(self, item: pytest.Function) -> None:
        assert item.cls is not None
        self.classes[item.cls.__name__] = item.cls

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            _, holder, name = report.nodeid.split("::")
            self.failed[holder].add(name.partition("[")[0])


def outcomes_of(files: Sequence[Path], folder: Path) -> Outcomes:
    """Of the tests in some files, whose plugins are forgotten behind the run."""
    prepare()
    found = Outcomes()
    options = ["-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={folder / 'base'}"]
    with registry.isolated():
        pytest.main([*options, *map(str, files)], plugins=[found])
    return found


@pytest.mark.slow
def test_the_suite_of_every_kind_catches_faults_and_blames_nothing_else(tmp_path: Path) -> None:
    found = outcomes_of(BROKEN, tmp_path)
    assert {name: found.failed[name] for name in found.classes} == {
        name: suite.caught for name, suite in found.classes.items()
    }
    assert {suite.kind for suite in found.classes.values() if suite.caught} == set(KINDS)


def test_an_expected_failure_of_no_test_is_refused() -> None:
    with pytest.raises(TypeError, match=r"TestMistyped\.expected_failures names no test of its suite: test_it_flies"):

        class TestMistyped(testing.ActConformance):
            name = "relu"
            expected_failures: ClassVar = {"test_it_flies": "why"}


def test_every_suite_can_be_imported_from_one_place() -> None:
    assert set(testing.SUITES) == set(KINDS)
    assert {suite.__name__ for suite in testing.SUITES.values()} <= set(testing.__all__)

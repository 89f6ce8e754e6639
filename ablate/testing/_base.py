"""What the conformance suites of all kinds share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from ablate import registry
from ablate.config.compose import prepare
from ablate.errors import InputError


class Conformance:
    """What holds for every plugin; subclass the class of your plugin's kind instead.

    Attributes:
        kind: of the plugin; the suite of a kind sets it.
        name: of the plugin, as it is registered.
        options: to build it with, where its defaults do not fit.
        expected_failures: tests that the plugin cannot pass, by the test's name (with `[...]`, one case of it), and why
            (paper, section). Such a test must fail: one that passes is an error, so that the list stays true.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    expected_failures: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # A test that was renamed would else be expected to fail for ever, and nobody would see it.
        unknown = [name for name in cls.expected_failures if not hasattr(cls, name.partition("[")[0])]
        if unknown:
            raise TypeError(f"{cls.__name__}.expected_failures names no test of its suite: {', '.join(unknown)}")

    @pytest.fixture(autouse=True)
    def _plugins(self, request: pytest.FixtureRequest) -> None:
        prepare()
        failures, test = self.expected_failures, request.node
        if why := failures.get(test.name) or failures.get(test.originalname):
            test.add_marker(pytest.mark.xfail(reason=why, strict=True))

    @property
    def node(self) -> dict[str, Any]:
        """The plugin's config node."""
        return {"name": self.name, **self.options}

    def test_it_says_in_one_line_what_it_is(self) -> None:
        assert registry.lookup(self.kind, self.name).summary

    def test_every_option_is_documented(self) -> None:
        entry = registry.lookup(self.kind, self.name)
        text = _arguments(entry.factory)
        assert [option.name for option in entry.parameters if f"{option.name}:" not in text] == []


def refusal(call: Callable[[], object]) -> str:
    """What a call says against its input; empty where it accepts it."""
    try:
        call()
    except InputError as error:
        return str(error)
    return ""


def _arguments(factory: Callable[..., Any]) -> str:
    """What stands under `Args:`; an inherited option is documented by the class that it is inherited from."""
    holders = inspect.getmro(factory) if inspect.isclass(factory) else [factory]
    return "\n".join(inspect.cleandoc(one.__doc__ or "").partition("Args:")[2] for one in holders)

"""Plugins by kind and name: registration, the typed schema of each, and building from a config node."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import InputError, unknown
from ablate.registry.kinds import KINDS
from ablate.registry.signatures import Parameter, check_complete, check_signature, options_of

__all__ = ["KINDS", "Entry", "Parameter", "build", "check_node", "entries", "isolated", "lookup", "register"]

F = TypeVar("F", bound=Callable[..., Any])


# A name is typed on the command line and stands in the names of cells; Hydra would read `5` or `null` as a value.
NAME = re.compile(r"(?!(?:null|true|false|nan|inf)$)[A-Za-z][A-Za-z0-9_-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """A registered plugin; `file` is the one that registers it."""

    kind: str
    name: str
    factory: Callable[..., Any]
    file: str
    summary: str
    parameters: tuple[Parameter, ...]

    def schema(self) -> type:
        """The dataclass that Hydra checks this plugin's config node against."""
        fields: list[tuple[str, Any, Any]] = [("name", str, field(default=self.name))]
        fields += [(p.name, p.type, _field(p.default)) for p in self.parameters]
        return make_dataclass(f"{self.kind}_{self.name}", fields)


_entries: dict[tuple[str, str], Entry] = {}


def register(kind: str, name: str) -> Callable[[F], F]:
    """Make a class or function known as plugin `name` of `kind`.

    Positional parameters are what the framework passes (`PASSED`); keyword-only parameters are the options that a
    config may set, and need a type and a default (or none, then the option is mandatory).

    Raises:
        InputError: the kind is unknown, the name is taken or cannot be typed, the positional parameters are not what
            the framework passes, a class lacks a method of its base, or an option cannot stand in a config.
    """
    if kind not in KINDS:
        raise unknown("plugin kind", kind, KINDS)
    if not NAME.fullmatch(name):
        raise InputError(f"the name of {kind} '{name}' cannot be typed: a letter first, then letters, digits, '_', '-'")
    file = sys._getframe(1).f_code.co_filename  # the factory itself may come from elsewhere, as torch.nn.ReLU does

    def decorate(factory: F) -> F:
        entry = _describe(kind, name, factory, file)
        known = _entries.get((kind, name))
        # The same file seen again, reloaded or under a second module name, holds one plugin and not two.
        if known and (known.file, _qualname(known.factory)) != (file, _qualname(factory)):
            raise InputError(f"{kind} '{name}' is registered twice: in {known.file} and in {file}; rename one")
        _store(entry)
        _entries[kind, name] = entry
        return factory

    return decorate


def entries(kind: str | None = None) -> list[Entry]:
    """Registered plugins, sorted by kind and name.

    Raises:
        InputError: no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("plugin kind", kind, KINDS)
    found = [entry for entry in _entries.values() if kind in (None, entry.kind)]
    return sorted(found, key=lambda entry: (list(KINDS).index(entry.kind), entry.name))


def lookup(kind: str, name: str) -> Entry:
    """The plugin of this kind and name.

    Raises:
        InputError: it does not exist; says the nearest name.
    """
    if (kind, name) not in _entries:
        raise unknown(kind, name, (entry.name for entry in entries(kind)))
    return _entries[kind, name]


def build(kind: str, node: Mapping[str, Any], *args: Any) -> Any:
    """Build the plugin that a config node names, with the node's options.

    Args:
        kind: the plugin kind, such as `shortcut`.
        node: `name` and options, as `cfg.shortcut` holds them.
        args: what the framework passes by position.

    Raises:
        InputError: unknown name, unknown option, a mandatory option without a value, or a value outside its choices.
    """
    entry = check_node(kind, node)
    options = {}
    for parameter in entry.parameters:
        value = _value(node, parameter)
        if value == MISSING:
            raise InputError(f"{kind} '{entry.name}' needs a value: {kind}.{parameter.name}=...")
        # A frozen config holds a path as text.
        options[parameter.name] = Path(value) if parameter.is_path and isinstance(value, str) else value
    return entry.factory(*args, **options)


def check_node(kind: str, node: Mapping[str, Any]) -> Entry:
    """Hold a config node against the plugin it names; mandatory options may still lack a value.

    Raises:
        InputError: unknown name, unknown option, or a value outside its choices.
    """
    entry = lookup(kind, str(node.get("name")))
    options = [parameter.name for parameter in entry.parameters]
    for key in node:
        if key != "name" and key not in options:
            raise unknown(f"option of {kind} '{entry.name}'", str(key), options)
    for parameter in entry.parameters:
        value = _value(node, parameter)
        if parameter.choices and value not in (*parameter.choices, None, MISSING):
            raise unknown(f"value of {kind}.{parameter.name}", str(value), parameter.choices)
    return entry


@contextmanager
def isolated() -> Iterator[None]:
    """Forget, on leaving, the plugins registered inside (for tests)."""
    schemas = ConfigStore.instance().repo
    before, groups = dict(_entries), {kind: dict(schemas.get(kind, {})) for kind in KINDS}
    try:
        yield
    finally:
        _entries.clear()
        _entries.update(before)
        schemas.update(groups)


def _store(entry: Entry) -> None:
    try:
        ConfigStore.instance().store(group=entry.kind, name=entry.name, node=entry.schema(), provider=entry.file)
    except OmegaConfBaseException as error:
        option = f"option '{error.key}' of {entry.kind} '{entry.name}'"
        raise InputError(f"{option} cannot have its default: {str(error).splitlines()[0]}") from error


def _value(node: Mapping[str, Any], parameter: Parameter) -> Any:
    """What a config node says of an option, else the plugin's default; `MISSING` where there is neither."""
    value = node.get(parameter.name, MISSING)
    return parameter.default if value == MISSING else value


def _qualname(factory: Callable[..., Any]) -> str:
    return str(getattr(factory, "__qualname__", ""))


def _describe(kind: str, name: str, factory: Callable[..., Any], file: str) -> Entry:
    check_signature(kind, name, factory)
    check_complete(kind, name, factory)
    summary = inspect.cleandoc(factory.__doc__ or "").partition("\n")[0]
    return Entry(kind, name, factory, file, summary, tuple(options_of(kind, name, factory)))


def _field(default: Any) -> Any:
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default))
    return field(default=default)

"""Plugins by kind and name: registration, the typed schema of each, and building from a config node."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, make_dataclass
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import MISSING
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import InputError, unknown
from ablate.registry.kinds import KINDS, declared_inside
from ablate.registry.signatures import Parameter, asked_by, check_complete, options_of
from ablate.system.exits import PLUGINS, exit_in_words
from ablate.system.text import in_words

__all__ = ["KINDS", "Entry", "Parameter", "build", "check_node", "entries", "isolated", "lookup", "register"]

F = TypeVar("F", bound=Callable[..., Any])


# A name is typed on the command line and stands in the names of cells; Hydra would read `5` or `null` as a value.
# No longer than this: the name of a cell's lock holds four of them, and a file's name has 255 bytes.
NAME = re.compile(r"(?!(?:null|true|false|nan|inf)$)[A-Za-z][A-Za-z0-9_-]{0,47}", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """A registered plugin.

    Attributes:
        kind: of plugin.
        name: that it is chosen by.
        file: the one that registers it.
        module: the name by which that file is imported.
        qualname: of the class or function within its own module.
        summary: the first line of its docstring.
        parameters: its options.
        asks: what it takes of that which the framework passes to plugins of its kind.
        incidental: options that decide nothing, by the plugin's own word (its class attribute `incidental`).
        is_incidental: the plugin as a whole decides nothing, by its own word (`incidental = True`).
        before: by option, the value that it had before it existed: with that value a cell's ID does not name it
            (class attribute `before`).
        published: MD5 by file name of what it reads in its published form (class attribute `published`).
        says_what_it_reads: it has a class method `reads(**options)` that lists its files.
        charts: of the table that it writes, as plain values (class attribute `charts`, of `ablate.Chart`).
    """

    kind: str
    name: str
    file: str
    module: str
    qualname: str
    summary: str
    parameters: tuple[Parameter, ...]
    asks: tuple[str, ...] = ()
    incidental: frozenset[str] = frozenset()
    is_incidental: bool = False
    before: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, str] = field(default_factory=dict)
    says_what_it_reads: bool = False
    charts: tuple[Mapping[str, Any], ...] = ()
    made: Callable[..., Any] | None = field(default=None, compare=False, repr=False)

    @property
    def factory(self) -> Callable[..., Any]:
        """The class or function. A plugin that is known from an earlier command is imported when this is first asked.

        Raises:
            InputError: its file does not import any more.
        """
        if self.made is not None:
            return self.made
        if (self.kind, self.name, self.module) not in _made:
            try:
                importlib.import_module(self.module)
            except (Exception, SystemExit) as error:
                said = in_words(error)
                if isinstance(error, SystemExit):
                    said = f"it ends the process, by {exit_in_words(error)}"
                raise InputError(f"plugin {self.file} does not import: {said}") from error
        return _made[self.kind, self.name, self.module]

    def schema(self) -> type:
        """The dataclass that Hydra checks this plugin's config node against."""
        fields: list[tuple[str, Any, Any]] = [("name", str, field(default=self.name))]
        fields += [(p.name, p.type, _field(p.default)) for p in self.parameters]
        return make_dataclass(f"{self.kind}_{self.name}", fields)


_entries: dict[tuple[str, str], Entry] = {}
_unstored: dict[tuple[str, str], Entry] = {}
# What was registered by now, by kind, name and module: a module runs once, and its plugins may be asked for again.
_made: dict[tuple[str, str, str], Callable[..., Any]] = {}


def register(kind: str, name: str, *, before: Mapping[str, Any] | None = None) -> Callable[[F], F]:
    """Make a class or function known as plugin `name` of `kind`.

    Positional parameters are what the plugin asks for of that which the framework passes to its kind, by name
    (`Kind.passed`); keyword-only parameters are the options that a config may set, and need a type and a default (or
    none, then the option is mandatory).

    Args:
        kind: of plugin.
        name: that it is chosen by.
        before: as in `Entry`, for a function, which has no class attribute.

    Raises:
        InputError: the kind is unknown, the name is taken or cannot be typed, a positional parameter is none of those
            that the framework passes, a class lacks a method of its base, or an option cannot stand in a config.
    """
    if kind not in KINDS:
        raise unknown("plugin kind", kind, KINDS)
    if not NAME.fullmatch(name):
        raise InputError(
            f"the name of {kind} '{name}' cannot be typed: a letter first, then at most 47 letters, digits, '_', '-'"
        )
    frame = sys._getframe(1)  # the factory itself may come from elsewhere, as torch.nn.ReLU does
    file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__", ""))

    def decorate(factory: F) -> F:
        add(_describe(kind, name, factory, file, module, before or getattr(factory, "before", {})))
        store_schemas()
        _made[kind, name, module] = factory
        return factory

    return decorate


def add(entry: Entry) -> None:
    """Make a plugin known that was described before; Hydra knows it from `store_schemas` on.

    Raises:
        InputError: another one has its name.
    """
    known = _entries.get((entry.kind, entry.name))
    # The same file seen again, reloaded or under a second module name, holds one plugin and not two.
    if known and (known.file, known.qualname) != (entry.file, entry.qualname):
        files = f"in {known.file} and in {entry.file}"
        raise InputError(f"{entry.kind} '{entry.name}' is registered twice: {files}; rename one")
    PLUGINS.add(entry.module)
    _entries[entry.kind, entry.name] = entry
    _unstored[entry.kind, entry.name] = entry


def store_schemas() -> None:
    """Make known to Hydra what the options of all plugins are; a command that composes nothing needs none of it.

    Raises:
        InputError: an option cannot have its default.
    """
    while _unstored:
        place, entry = _unstored.popitem()
        try:
            _store(entry)
        except InputError:
            # Known and not composable, it would fail every later command in other words.
            _entries.pop(place, None)
            raise


def entries(kind: str | None = None) -> list[Entry]:
    """Registered plugins, sorted by kind and name.

    Raises:
        InputError: no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("plugin kind", kind, KINDS)
    found = [entry for entry in _entries.values() if kind in (None, entry.kind)]
    return sorted(found, key=lambda entry: (list(KINDS).index(entry.kind), entry.name))


def entries_digest() -> str:
    """A hash of what all registered plugins look like from outside, and of the kinds that there are."""
    # Sorted, since plugins are found in another order when some of them were imported before.
    described = sorted(repr(entry) for entry in _entries.values())
    return hashlib.sha256("\n".join([*described, *map(repr, KINDS.values())]).encode()).hexdigest()


def lookup(kind: str, name: str) -> Entry:
    """The plugin of this kind and name.

    Raises:
        InputError: it does not exist; says the nearest name.
    """
    if (kind, name) not in _entries:
        raise unknown(kind, name, (entry.name for entry in entries(kind)))
    return _entries[kind, name]


def entry_of(factory: Callable[..., Any]) -> Entry | None:
    """The plugin that a class or function was registered as by now."""
    known = ((entry, _made.get((entry.kind, entry.name, entry.module))) for entry in _entries.values())
    return next((entry for entry, made in known if made is factory), None)


def build(kind: str, node: Mapping[str, Any], *args: Any, **given: Any) -> Any:
    """Build the plugin that a config node names, with the node's options.

    Args:
        kind: the plugin kind, such as `shortcut`.
        node: `name` and options, as `cfg.shortcut` holds them.
        args: what the framework passes, in the order of `Kind.passed`.
        given: the same by name. The plugin gets what it asks for.

    Raises:
        InputError: unknown name, unknown option, a mandatory option without a value, or a value outside its choices.
    """
    entry = check_node(kind, node)
    options = {}
    for parameter in entry.parameters:
        value = _value(node, parameter)
        # Only here and not in `check_node`: a config may be looked at before all of it is given.
        if value == MISSING:
            raise InputError(f"{kind} '{entry.name}' needs a value: {_key(entry, parameter)}=...")
        # A frozen config holds a path as text.
        options[parameter.name] = Path(value) if parameter.is_path and isinstance(value, str) else value
    given |= dict(zip(KINDS[kind].passed, args, strict=False))
    return entry.factory(**{name: given[name] for name in entry.asks}, **options)


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
            raise unknown(f"value of {_key(entry, parameter)}", str(value), parameter.choices)
    return entry


def _key(entry: Entry, parameter: Parameter) -> str:
    """An option as it is typed: of a kind of several, such as `probes.response.looks`."""
    kind = KINDS[entry.kind]
    return f"{kind.group}.{entry.name}.{parameter.name}" if kind.several else f"{kind.group}.{parameter.name}"


@contextmanager
def isolated() -> Iterator[None]:
    """Forget, on leaving, the plugins registered and the kinds declared inside (for tests)."""
    from hydra.core.config_store import ConfigStore

    store_schemas()  # those that wait are known outside, too
    schemas = ConfigStore.instance().repo
    before, groups = dict(_entries), {kind.group: dict(schemas.get(kind.group, {})) for kind in KINDS.values()}
    try:
        with declared_inside():
            yield
    finally:
        _entries.clear()
        _entries.update(before)
        # Else Hydra would be told of them later on, outside.
        for place in [place for place, entry in _unstored.items() if before.get(place) is not entry]:
            del _unstored[place]
        schemas.update(groups)


def _store(entry: Entry) -> None:
    from hydra.core.config_store import ConfigStore  # what only looks at plugins need not wait for Hydra

    try:
        kind = KINDS[entry.kind]
        package = f"{kind.group}.{entry.name}" if kind.several else None
        ConfigStore.instance().store(
            group=kind.group, name=entry.name, node=entry.schema(), package=package, provider=entry.file
        )
    except OmegaConfBaseException as error:
        option = f"option '{error.key}' of {entry.kind} '{entry.name}'"
        raise InputError(f"{option} cannot have its default: {str(error).splitlines()[0]}") from error


def _value(node: Mapping[str, Any], parameter: Parameter) -> Any:
    """What a config node says of an option, else the plugin's default; `MISSING` where there is neither."""
    value = node.get(parameter.name, MISSING)
    return parameter.default if value == MISSING else value


def _qualname(factory: Callable[..., Any]) -> str:
    return str(getattr(factory, "__qualname__", ""))


def _describe(
    kind: str, name: str, factory: Callable[..., Any], file: str, module: str, before: Mapping[str, Any]
) -> Entry:
    asks = asked_by(kind, name, factory)
    check_complete(kind, name, factory)
    summary = inspect.cleandoc(factory.__doc__ or "").partition("\n")[0]
    said = getattr(factory, "incidental", ())
    return Entry(
        kind,
        name,
        file,
        module,
        _qualname(factory),
        summary,
        tuple(options_of(kind, name, factory)),
        asks,
        incidental=frozenset() if said is True else frozenset(said),
        is_incidental=said is True,
        before=dict(before),
        published=dict(getattr(factory, "published", {})),
        says_what_it_reads=callable(getattr(factory, "reads", None)),
        charts=_charts(kind, name, factory),
        made=factory,
    )


def _charts(kind: str, name: str, factory: Callable[..., Any]) -> tuple[dict[str, Any], ...]:
    try:
        return tuple(asdict(chart) for chart in getattr(factory, "charts", ()))
    except TypeError as error:
        raise InputError(f"charts of {kind} '{name}': must be a tuple of ablate.Chart") from error


def _field(default: Any) -> Any:
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default))
    return field(default=default)

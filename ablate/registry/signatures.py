"""What a plugin's signature says: what the framework is to pass, and the options that a config may set."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from omegaconf import MISSING

from ablate.errors import InputError
from ablate.registry.kinds import passed

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Parameter:
    """One option of a plugin: a keyword-only parameter of what was registered."""

    name: str
    type: Any
    default: Any
    choices: tuple[str, ...] = ()

    @property
    def is_path(self) -> bool:
        """Paths say where something lies, not what is computed: they stay out of a cell's identity."""
        return Path in (self.type, *get_args(self.type))


def asked_by(kind: str, name: str, factory: Callable[..., Any]) -> tuple[str, ...]:
    """What a plugin asks for of that which the framework passes: its positional parameters, which go by name.

    One that the framework does not know and that has a default keeps it, as `inplace` of `torch.nn.Mish`.

    Raises:
        InputError: a parameter without a default has a name that the framework does not pass.
    """
    positional = [one for one in inspect.signature(factory).parameters.values() if one.kind in POSITIONAL]
    unknown = [one for one in positional if one.name not in passed(kind) and one.default is inspect.Parameter.empty]
    if unknown or any(one.kind is inspect.Parameter.POSITIONAL_ONLY for one in positional):
        takes = ", ".join(one.name for one in positional)
        raise InputError(
            f"{kind} '{name}' takes ({takes}), and the framework passes ({', '.join(passed(kind))}), by name, those of "
            f"them that a plugin asks for; options stand behind a *"
        )
    return tuple(one.name for one in positional if one.name in passed(kind))


def check_complete(kind: str, name: str, factory: Callable[..., Any]) -> None:
    """Hold a class against its base.

    Raises:
        InputError: it lacks a method that its base only declares.
    """
    if not inspect.isclass(factory):
        return
    # Asked here, since Python itself says it only when the class is built: for many kinds not before a cell trains.
    lacking = [one for one in dir(factory) if getattr(getattr(factory, one, None), "__isabstractmethod__", False)]
    if lacking:
        raise InputError(f"{kind} '{name}' lacks {', '.join(f'{one}()' for one in lacking)}, which its base declares")


def options_of(kind: str, name: str, factory: Callable[..., Any]) -> Iterator[Parameter]:
    """The keyword-only parameters of a plugin.

    Raises:
        InputError: one of them cannot stand in a config.
    """
    function = factory.__init__ if inspect.isclass(factory) else factory
    for parameter in inspect.signature(factory).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        what = f"option '{parameter.name}' of {kind} '{name}'"
        if parameter.name == "name":
            raise InputError(f"{what}: 'name' is taken, it says which plugin is meant")
        if parameter.annotation is inspect.Parameter.empty:
            raise InputError(f"{what} has no type; write it as {_typed(parameter)}")
        type_, choices = _config_type(what, _resolved(parameter.annotation, function))
        default = MISSING if parameter.default is inspect.Parameter.empty else parameter.default
        if choices and default not in (*choices, MISSING, None):
            raise InputError(f"{what}: its default '{default}' is not among its choices, {', '.join(choices)}")
        yield Parameter(parameter.name, type_, default, choices)


def _typed(parameter: inspect.Parameter) -> str:
    """An option as its author should write it, with the type of its default."""
    default = parameter.default
    if default is inspect.Parameter.empty:
        return f"{parameter.name}: float, or whatever type it has"
    if default is None:
        return f"{parameter.name}: float | None = None, or whatever type it has beside None"
    if isinstance(default, tuple):
        default = list(default)  # which a config has in its place
    return f"{parameter.name}: {_type_text(default)} = {default!r}"


def _type_text(value: Any) -> str:
    """The type of a value as an annotation."""
    if isinstance(value, list):
        return f"list[{_common_type(value)}]"
    if isinstance(value, Mapping):
        return f"dict[str, {_common_type(list(value.values()))}]"
    if isinstance(value, Path):
        return "Path"
    return type(value).__name__ if isinstance(value, bool | int | float | str) else "str"


def _common_type(values: Sequence[Any]) -> str:
    types_ = {_type_text(value) for value in values}
    return types_.pop() if len(types_) == 1 else "float" if types_ == {"int", "float"} else "Any"


def _resolved(annotation: Any, function: Callable[..., Any]) -> Any:
    """The type behind an annotation, which is text under `from __future__ import annotations`.

    Only this one is looked up: those of positional parameters may be known to type checkers alone.
    """
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(holder, getattr(function, "__globals__", {}))["it"]


def _config_type(what: str, hint: Any) -> tuple[Any, tuple[str, ...]]:
    """The type that OmegaConf can check for `hint`, and the choices where it is a Literal of strings."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        if not all(isinstance(choice, str) for choice in arguments):
            raise InputError(f"{what}: a Literal in a config must be of strings")
        return str, arguments
    if origin in (typing.Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        if len(inner) != 1 or len(inner) == len(arguments):
            raise InputError(f"{what}: of unions only `X | None` can stand in a config, not {hint}")
        type_, choices = _config_type(what, inner[0])
        return type_ | None, choices
    if origin in (list, dict):
        plain = all(_config_type(what, argument) == (argument, ()) for argument in arguments)
    else:
        plain = hint in (int, float, str, bool, Path, Any)
    if plain:
        return hint, ()
    name = getattr(hint, "__name__", str(hint)) if origin is None else str(hint)
    raise InputError(
        f"{what} has type {name}, which cannot stand in a config; use int, float, str, bool, Path, a Literal of "
        f"strings, list[...] or dict[str, ...]"
    )

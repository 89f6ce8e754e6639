"""What a plugin's signature says: what the framework is to pass, and the options that a config may set."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator
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


def check_signature(kind: str, name: str, factory: Callable[..., Any]) -> None:
    """Hold a plugin against what the framework passes; a further positional parameter is one that nothing would set.

    Raises:
        InputError: it takes other positional parameters.
    """
    parameters = list(inspect.signature(factory).parameters.values())
    if any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
        return
    positional = [one for one in parameters if one.kind in POSITIONAL]
    if len(positional) != len(passed(kind)):
        takes = ", ".join(one.name for one in positional)
        raise InputError(
            f"{kind} '{name}' takes ({takes}), and the framework passes ({', '.join(passed(kind))}); "
            f"options stand behind a *"
        )


def check_complete(kind: str, name: str, factory: Callable[..., Any]) -> None:
    """Hold a class against its base.

    Raises:
        InputError: it lacks a method that its base only declares.
    """
    if not inspect.isclass(factory):
        return
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
            raise InputError(f"{what} has no type; write it as {parameter.name}: int = 3")
        type_, choices = _config_type(what, _resolved(parameter.annotation, function))
        default = MISSING if parameter.default is inspect.Parameter.empty else parameter.default
        if choices and default not in (*choices, MISSING, None):
            raise InputError(f"{what}: its default '{default}' is not among its choices, {', '.join(choices)}")
        yield Parameter(parameter.name, type_, default, choices)


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

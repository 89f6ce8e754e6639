"""What no config may hold, whatever the key: numbers that other programs cannot read, text that is none, secrets."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from omegaconf.base import Container
from omegaconf.basecontainer import BaseContainer

from ablate.errors import InputError
from ablate.registry.kinds import kind_of_key
from ablate.registry.registration import lookup

DECIDES_NUMBERS = False

# Beyond, readers of JSON that know one kind of number (browsers, and with them the report's charts) take another one.
MOST_WHOLE = 2**53 - 1
# Control characters but for tab and line ends, and halves of characters, as Python reads bytes that are no text.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
SECRET = re.compile(r"(?:^|_)(?:\w*KEY|SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$", re.IGNORECASE)
LEAST_SECRET = 12  # letters; a shorter value may stand in any text by chance
# Resolvers whose answers are of this machine or this sweep: what is stored is read elsewhere, and by others.
ENVIRONMENT = {"oc.env": "the environment", "hydra": "Hydra's own settings"}


def refuse_values(content: Mapping[str, Any], *, finite: bool = True) -> None:
    """Hold every value of a plain config against what none may be.

    Args:
        content: nested or with dotted keys.
        finite: also numbers; an option may be infinite where that is its default.

    Raises:
        InputError: a number that is not finite or larger than `MOST_WHOLE`, text with control characters, or the value
            of an environment variable that is named like a secret; names the key.
    """
    secrets = _secrets()
    for key, value in _leaves(content, ""):
        if isinstance(value, str):
            try:
                refuse_text(key, value, secrets)
            except InputError as error:
                raise InputError(str(error), key) from error
        elif isinstance(value, int) and abs(value) > MOST_WHOLE:
            raise InputError(f"{key}={_shown(value)}: whole numbers go up to 2**53 - 1 = {MOST_WHOLE:,}", key)
        elif finite and isinstance(value, float) and not math.isfinite(value) and not _is_default(content, key, value):
            raise InputError(f"{key}={value}: must be a finite number", key)


def refuse_text(what: str, text: str, secrets: Mapping[str, str] | None = None) -> None:
    """Refuse text that cannot be written to a file, changes a terminal, or holds a secret of the environment.

    Raises:
        InputError: it does; names what holds it, and never the secret.
    """
    if found := UNPRINTABLE.search(text):
        raise InputError(f"{what} holds {_character(found[0])} behind {text[: found.start()][-20:]!r}; take it out")
    for name, value in (_secrets() if secrets is None else secrets).items():
        if value in text:
            raise InputError(
                f"{what} holds the value of the environment variable {name}, which would be stored and shown; take it "
                "out: what needs it reads it from the environment by itself"
            )


@contextmanager
def environment_refused() -> Iterator[None]:
    """Inside, an interpolation that asks for the environment is an error, however it is written or nested."""
    known = dict(BaseContainer._resolvers)
    # Replaced where they are looked up, and not searched for in texts: a name may itself be an interpolation.
    BaseContainer._resolvers.update({name: _refusing(name) for name in ENVIRONMENT})
    try:
        yield
    finally:
        for name in ENVIRONMENT:
            BaseContainer._resolvers.pop(name, None)
            if name in known:
                BaseContainer._resolvers[name] = known[name]


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(config: Container, parent: Container, node: Any, args: Any, args_str: Any) -> NoReturn:
        # With what it asks for, and without the answer.
        asked = ",".join(map(str, args_str))
        raise InputError(
            f"${{{name}:{asked}}} asks for {ENVIRONMENT[name]}, and configs are stored for others to read; write the "
            "value itself, unless it is a secret: what needs one reads it from the environment"
        )

    return refuse


def _secrets() -> dict[str, str]:
    """The environment variables that are named like secrets, apart from those that hold paths."""
    return {
        name: value
        for name, value in os.environ.items()
        if SECRET.search(name) and len(value) >= LEAST_SECRET and not value.startswith(("/", "~", "."))
    }


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            place = f"{path}.{key}" if path else str(key)
            if isinstance(key, str):
                yield f"a key of {path or 'the config'}", key
            yield from _leaves(inner, place)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value


def _is_default(content: Mapping[str, Any], key: str, value: float) -> bool:
    """Whether a plugin's option has this value by itself: infinity, as a bound that is none."""
    group, _, option = key.partition(".")
    kind = kind_of_key(group)
    if kind is None or math.isnan(value):
        return False
    node = content.get(group)
    if kind.several and isinstance(node, Mapping):
        name, _, option = option.partition(".")
        node = node.get(name)
    if not isinstance(node, Mapping) or "name" not in node:
        return False
    return any(one.name == option and one.default == value for one in lookup(kind.name, str(node["name"])).parameters)


def _character(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code < 0xE000:
        return "a byte that is no text in UTF-8" if code >= 0xDC80 else f"half of a character (U+{code:04X})"
    return "a NUL character" if code == 0 else f"the control character U+{code:04X}"


def _shown(value: int) -> str:
    """A whole number, or how long it is where it would fill the line."""
    # Python itself writes no more than some thousand digits.
    digits = len(str(abs(value))) if value.bit_length() < 10_000 else int(value.bit_length() * math.log10(2)) + 1
    return str(value) if digits <= 40 else f"(a number of {digits:,} digits)"

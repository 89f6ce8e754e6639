"""What the user typed, read as Hydra overrides: which keys it names, and what becomes of them in a study."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, QuotedString, Sweep
from hydra.errors import HydraException

from ablate.config.home import quote_home
from ablate.config.messages import as_input_error
from ablate.config.values import UNPRINTABLE, refuse_text, refuse_values
from ablate.errors import InputError
from ablate.registry.kinds import FILE_GROUPS, kind_of_key

# What keys were called before, with what to know of the new name.
MOVED = {"engine.threads": "trainer.threads (the number of threads changes how sums round, so it is part of a cell)"}
MOST_DEPTH = 50  # of brackets in what is typed: Hydra's parser calls itself several times for each
ARM = re.compile(r"(\+{0,2}study\.(?:arms|leave_one_out|add_one_in)\.[^=]+=)\[(.*)\]", re.DOTALL)


@dataclass(frozen=True)
class Typed:
    """One override: its text, the key it names without `+` or `~`, and the value (None where it deletes)."""

    text: str
    key: str
    value: Any

    @property
    def deletes(self) -> bool:
        """Whether it takes its key away."""
        return self.text.startswith("~")

    @property
    def leaves(self) -> dict[str, Any]:
        """The keys that it sets, with their values: several where the value is a mapping, as in `image={size:8}`."""
        return leaves({self.key: self.value})


def parse(overrides: Sequence[str]) -> list[Typed]:
    """Read overrides with Hydra's grammar.

    Raises:
        InputError: one of them is not an override.
    """
    parser = OverridesParser.create()
    return [_parse(parser, quote_home(text)) for text in overrides]


def overruled(typed: Sequence[Typed]) -> list[str]:
    """A line for each override whose key is typed again: Hydra lets the last one win, and says nothing.

    To take a key away and add it anew is no repetition.
    """
    owners: dict[str, str] = {}
    lines: dict[str, str] = {}
    for override in typed:
        for key in {} if override.deletes else override.leaves:
            if key in owners and owners[key] != override.text:
                lines[owners[key]] = f"'{owners[key]}' is overruled by '{override.text}', which comes later"
            owners[key] = override.text
    return list(lines.values())


def leaves(content: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """A nested mapping as a flat one with dotted keys; an empty mapping is a value."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        is_nested = isinstance(value, Mapping) and value
        flat |= leaves(value, f"{path}{key}.") if is_nested else {f"{path}{key}": value}
    return flat


def quote_arms(text: str) -> str:
    """`study.arms.NAME=[order=pre]` as Hydra's grammar wants it, which knows no `=` inside a list unless quoted."""
    match = ARM.fullmatch(text)
    if not match:
        return text
    # Commas inside quotes, brackets or braces belong to an element.
    elements = re.findall(r"""(?:"[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|[^,])+""", match[2])
    return f"{match[1]}[{','.join(_quoted(element.strip()) for element in elements)}]"


def parsed_sweep(text: str) -> Override:
    """One override with Hydra's grammar, which may name several values for a multirun.

    Raises:
        InputError: it is none.
    """
    return _read(OverridesParser.create(), text)


def _read(parser: OverridesParser, text: str) -> Override:
    name = text.partition("=")[0]
    refuse_text(name if UNPRINTABLE.search(name) is None else "an override", text)
    if _depth(text) > MOST_DEPTH:
        raise InputError(f"{name} is nested more than {MOST_DEPTH} deep")
    try:
        return parser.parse_overrides([text])[0]
    except HydraException as error:
        raise as_input_error(error) from error
    except ValueError as error:  # Python's own, of a number with thousands of digits
        raise InputError(f"cannot read {name}: {str(error).partition(';')[0]}") from error


def _parse(parser: OverridesParser, text: str) -> Typed:
    override = _read(parser, text)
    key = str(override.key_or_group) + (f"@{override.package}" if override.package else "")
    if not key:
        raise InputError(f"cannot read '{text}': no key in front of '='")
    if key in MOVED:
        raise InputError(f"'{text}': {key} is called {MOVED[key]}")
    if override.is_sweep_override():
        raise InputError(f"'{text}' names several values: sweep over them with -m, or write a list as [a,b]")
    value = _value(override)
    if _has_sweep(value):
        raise InputError(f"'{text}' names several values inside of one: write a list as [a,b]")
    # What deletes a key has no value that could name a plugin.
    if not override.is_delete():
        _check_choice(text, key, value)
    refuse_values({key: value}, finite=False)
    return Typed(text, key, value)


def _check_choice(text: str, key: str, value: Any) -> None:
    kind = kind_of_key(key)
    is_named = isinstance(value, str) or ((kind or key == "trainer") and isinstance(value, dict))
    if kind and kind.several and isinstance(value, list):
        is_named = all(isinstance(one, str | QuotedString) for one in value)
    is_none = value is None and (key == "arch" or bool(kind and kind.several))
    if (kind or key in FILE_GROUPS) and not is_named and not is_none:
        raise InputError(f"'{text}': {key} is chosen by a name; python -m ablate list {key} shows them")


def _depth(text: str) -> int:
    """How deep brackets stand in each other; those in quotes count, too."""
    depth = deepest = 0
    for letter in text:
        depth += (letter in "[{(") - (letter in "]})")
        deepest = max(deepest, depth)
    return deepest


def _quoted(text: str) -> str:
    return text if text[:1] in ("'", '"') else '"' + text.replace('"', r"\"") + '"'


def _has_sweep(value: Any) -> bool:
    """Whether something in a list or a mapping is a sweep, such as `range(1,3)`."""
    if isinstance(value, list | dict):
        return any(map(_has_sweep, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Sweep | Glob)


def _value(override: Override) -> Any:
    value = override.value()
    return value.text if isinstance(value, QuotedString) else value

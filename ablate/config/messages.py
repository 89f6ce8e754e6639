"""Hydra's, OmegaConf's and YAML's errors as one line each, with the nearest name."""

from __future__ import annotations

import re
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, ListConfig, Node, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from ablate.errors import InputError, unknown, unknown_key
from ablate.registry.kinds import FILE_GROUPS, kind_of_key
from ablate.registry.registration import entries
from ablate.system.paths import conf_dir

# What OmegaConf says of a value of the wrong type, and what it means.
TYPES = {
    r"Key (.*) \(\w+\) is incompatible with \(str\)": r"a name that reads as a number needs quotes: '\1'",
    r"field '.*' is not Optional|Incompatible value 'None' for field of type '\w+'": "cannot be null",
    r".*not a ListConfig, list or tuple.*|.* with type hint 'typing.List.*": "must be a list, such as [a,b]",
    r"Merge error: ([a-z]+)_(\S+) is not a subclass of \1_(\S+)\. value: \{.*": r"\1 is chosen twice: \3 and \2",
    r".*not a subclass of .*value: \{.*": "can only be set in a study's file",
    r"Merge error: \w+ is not a subclass of ([a-z]+)_\S+ value: (.*)": (
        r"a file chooses \1 by `defaults: [override /\1: \2]`"
    ),
    r"Cannot merge DictConfig with ListConfig|Index '.*' \(str\) is not an int|invalid literal for int.*": (
        "a list and a mapping do not go together; take the key away with ~KEY, and add it anew with +KEY=..."
    ),
    r"Cannot assign \w+ to Dict.*": "has keys of its own; set one of those",
    r"Invalid type assigned: \w+ is not a subclass of Claim\. .*": (
        "a claim has an id, metric, contrast, expect and margin; write claims in a study's file"
    ),
    r".* is not a subclass of (\w+?)(?:Schema|Changes)?\b(?:[. ].*)?": r"\1 has keys of its own; set one of those",
    r"Config group override must be a string or a list\. Got .*": (
        "a group is chosen by a name; where it is not to be chosen (null), leave it out"
    ),
    r"Value '.*' of type '(?:ListConfig|DictConfig|list|dict)' could not be converted to (?:Integer|Float)": (
        "must be a number, and neither a list nor a mapping"
    ),
    r"Value '.*' is not a valid bool \(type (?:ListConfig|DictConfig|list|dict)\)": "must be true or false",
    r"Cannot convert '(?:ListConfig|DictConfig|list|dict)' to string: .*": (
        "must be text, and neither a list nor a mapping"
    ),
    r"Config group override deletion value must be a string : .*input_line='(.*)', config_loader.*": (
        r"'\1': a choice is taken away by its name"
    ),
    r"Incompatible key type 'NoneType'": "a key is null; give it a name, or write it in quotes",
    r"'DictConfig' is incompatible with type hint '<class 'str'>'": "must be a list of texts, such as [order=pre]",
}
# What Hydra says of an override that does not fit the config, and what to do.
OVERRIDES = {
    r"Could not override '[^']+'\.\s*No match in the defaults list\.\s*To append to your default list use (\S+)": (
        r"write it with a plus: \1"
    ),
    r"Could not override '([^']+)'\. No match in the defaults list\.": r"there is no config group '\1'",
    r"Could not append to config. An item is already at '([^']+)'.*": r"\1 exists already; set it without the plus",
    r"(\S+) appears more than once in the final defaults list|Multiple values for (\S+)\. .*": (
        r"\1\2 is chosen twice; leave out the plus in +\1\2=..."
    ),
    r"Could not delete from config. '([^']+)' does not exist.*": r"cannot delete '\1': it does not exist",
    r"Could not delete '([^']+)'\. No match in the defaults list": r"cannot delete '\1': none is chosen",
    r"Defaults List interpolation is not supported in options list items": "a list of choices holds names alone",
}
# What Hydra says of an override that it cannot read, and what to do.
UNREADABLE = {
    r"Error parsing override '.*' \w+ while evaluating '.*': Unknown function '(\w+)' .*": (
        r"there is no function \1(); text with brackets needs quotes"
    ),
    r"Error parsing override '.*' \w+ while evaluating '(.*)': (.*)": r"\1: \2",
    r"Error parsing override '.*?' (.*)": r"\1",
}


def as_input_error(error: Exception) -> InputError:
    """What an error of the composition says to the person who typed the override or wrote the file."""
    text = str(error)
    if isinstance(error, MarkedYAMLError):
        return broken_yaml(error)
    if type(error) is ValueError:  # OmegaConf's own, where a key leads into a list
        return InputError(_in_plain_words(text, TYPES))
    if isinstance(error, OverrideParseException):
        return InputError(f"cannot read '{error.override}': {_unreadable(error.override, text)}")
    if isinstance(error, MissingConfigException) and (match := re.search(r"Could not find '([^']+)'", text)):
        group, _, name = match[1].rpartition("/")
        return unknown(group or "config", name, _options(text))
    if isinstance(error, MissingConfigException) and (match := re.search(r"Could not load '([^']+)'", text)):
        group, _, name = match[1].rpartition("/")  # one of a list
        try:
            names = ConfigStore.instance().list(group)
        except OSError:  # a group of files
            return InputError(f"there is no {group} '{name}'")
        return unknown(group, name, (one.removesuffix(".yaml") for one in names))
    # `config` is the root that all overrides are merged into, on the schema: there the mistake was typed.
    file = re.match(r"In '([^']+)': ", text)
    # Nor does a plugin's schema have a file, which Hydra names in the same way.
    place = (
        f"conf/{file[1]}.yaml: " if file and file[1] not in ("config", "ablate_schema") and _is_file(file[1]) else ""
    )
    # Hydra puts OmegaConf's error behind one of its own, whose text speaks of merging and of nodes.
    detail = error if isinstance(error, OmegaConfBaseException) else error.__cause__ or error.__context__
    if isinstance(detail, OmegaConfBaseException):
        override = re.search(r"(?:Error merging override |To append to your config use \+)(.*)", text)
        return InputError(place + _complaint(detail, file[1] if file else "", override[1] if override else ""))
    return InputError(place + _in_plain_words(text[file.end() if file else 0 :], OVERRIDES))


def _is_file(name: str) -> bool:
    return any((folder / f"{name}.yaml").exists() for folder in (conf_dir(), Path("conf")))


def _unreadable(override: str, text: str) -> str:
    if "=" not in override:
        return "an override has the form key=value"
    quotes = "a value with other characters than letters, digits and /-+.$%*@?| needs quotes, such as key='\"a<b\"'"
    known = ("LexerNoViableAlt", "no viable alternative", "extraneous input", "mismatched input", "token recognition")
    return quotes if any(words in text for words in known) else _in_plain_words(text, UNREADABLE)


def broken_yaml(error: YAMLError, file: str = "") -> InputError:
    """An error of the parser as one line, with the file (by default the one that the parser knows) and the line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    name = file or (mark.name if mark else "a config file")
    where = f"{name} line {mark.line + 1}" if mark else name
    said = [getattr(error, name, None) for name in ("problem", "context", "reason")]
    reason = next(filter(None, said), " ".join(str(error).split()))
    return InputError(f"{where} is broken YAML: {reason}")


def _options(text: str) -> list[str]:
    listed = text.partition("Available options in")[2].partition("Config search path")[0]
    return [line.strip() for line in listed.splitlines()[1:] if line.strip()]


def _complaint(error: OmegaConfBaseException, file: str, override: str) -> str:
    """What OmegaConf refuses: a key that is not there, or a value that does not fit."""
    if isinstance(error, ConfigAttributeError | ConfigKeyError):
        known = [str(name) for name in error.parent_node if name != "hydra"] if error.parent_node else []
        return str(unknown_key(str(error.full_key or error.key), known, _how_to_add(error, file, override)))
    if "does not support deletion" in str(error):
        return f"{override}: can be set, and not deleted{_emptied(error)}"
    # What a resolver of ours says is a line already.
    ours = _behind(error)
    reason = str(ours) if ours else _in_plain_words(str(error).splitlines()[0], TYPES)
    culprit = override or error.full_key or error.key
    culprit = "" if culprit == "_dummy_" else culprit  # Hydra's, around a choice that is an interpolation
    return f"{culprit}: {reason}" if culprit else reason


def _emptied(error: OmegaConfBaseException) -> str:
    """What to type where a key was to be taken away; empty where nothing stands for nothing."""
    parent = error.parent_node
    node = parent._get_node(error.key) if isinstance(parent, DictConfig) else None
    if not isinstance(node, Node):
        return ""
    empty = "[]" if isinstance(node, ListConfig) else "{}" if isinstance(node, DictConfig) else "null"
    if empty == "null" and not node._is_optional():
        return ""
    return f"; empty it with {error.full_key}={empty}"


def _behind(error: BaseException | None) -> InputError | None:
    """The error of ours that led to one of OmegaConf's, if there is one."""
    # Under a debugger, coverage or OC_CAUSE=1 OmegaConf makes an error its own cause.
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if isinstance(error, InputError):
            return error
        seen.append(error)
        error = error.__cause__ or error.__context__
    return None


def _how_to_add(error: OmegaConfBaseException, file: str, override: str) -> str:
    """What lets a key that is not there stand all the same; empty where its parent has keys of its own only."""
    if error.key == file.split("/")[0]:
        return "the file needs '# @package _global_' as its first line"
    if error.key in FILE_GROUPS and file:  # what its file chooses stands in the wrong place, too
        return f"the file in conf/{error.key} needs '# @package _global_' as its first line"
    kind = kind_of_key(str(error.full_key).partition(".")[0])
    if kind and kind.several and str(error.full_key).count(".") == 1:
        if any(one.name == error.key for one in entries(kind.name)):
            return f"choose it first, as {kind.group}=[{error.key}]"
        return f"an option is set as {kind.group}.NAME.{error.key}=..."
    if override and OmegaConf.get_type(error.parent_node) is dict:
        value = override.partition("=")[2]
        return f"+{error.full_key}={'[...]' if '[' in value else '...'} adds one"
    return ""


def _in_plain_words(text: str, meanings: dict[str, str]) -> str:
    line = " ".join(text.split("\nSee ")[0].split())
    for pattern, meaning in meanings.items():
        if match := re.fullmatch(pattern, line):
            return match.expand(meaning)
    return line

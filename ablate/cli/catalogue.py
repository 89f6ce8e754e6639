"""What there is to choose from: plugins with their options, and the files of the config groups."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from omegaconf import MISSING

from ablate.config.compose import prepare
from ablate.config.files import config_names, read_config
from ablate.registry.kinds import KINDS
from ablate.registry.registration import Entry, Parameter, entries
from ablate.system.reading import read_text


def catalogue(kind: str) -> list[dict[str, str]]:
    """A row for each plugin of a kind, or each file of a config group: column -> text."""
    prepare()
    if kind in KINDS:
        return [_plugin(entry) for entry in entries(kind)]
    files = config_names(kind)
    if kind == "arch":
        return [{"name": name, **preset(_comments(file))} for name, file in files.items()]
    return [{"name": name, "what it is": _summary(file)} for name, file in files.items()]


def preset(comments: list[str]) -> dict[str, str]:
    """What a preset's comments say: the first line what it is and its parameters, the others where it comes from."""
    what, *source = comments or [""]
    count = re.search(r",? ([\d,]+) parameters\b", what)
    return {
        "parameters": count[1] if count else "",
        "what it is": what.replace(count[0], "", 1) if count else what,
        "source": " ".join(source),
    }


def _plugin(entry: Entry) -> dict[str, str]:
    options = " ".join(map(_option, entry.parameters))
    return {"name": entry.name, "what it is": entry.summary, "options": options}


def _summary(file: Path) -> str:
    """A study's question, or the first sentence of the comments behind the package line."""
    study = read_config(file).get("study")
    if isinstance(study, dict) and study.get("question"):
        return str(study["question"])
    text = " ".join(_comments(file))
    sentence = re.match(r".+?[.?!](?= [A-Z-]|$)", text)
    return sentence[0] if sentence else text


def _comments(file: Path) -> list[str]:
    """The comments at the head of a config file, behind its package line."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), read_text(file).splitlines())
    comments = [line.lstrip("# ").strip() for line in lines]
    return [comment for comment in comments if not comment.startswith("@package")]


def _option(parameter: Parameter) -> str:
    """An option as it is typed, with its default first: `bias=none|last|all`."""
    default = "null" if parameter.default is None else str(parameter.default)
    if isinstance(parameter.default, bool):
        default = default.lower()
    others = [choice for choice in parameter.choices if choice != parameter.default]
    return f"{parameter.name}={'|'.join(['...' if default == MISSING else default, *others])}"

"""Shell completion: what may follow on a command line, from what is known without composing or importing a plugin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from ablate.cli.folders import STORE, studies_in
from ablate.config.files import config_names
from ablate.config.schema import Settings
from ablate.errors import AblateError, InputError
from ablate.registry.discovery import discover
from ablate.registry.kinds import FILE_GROUPS, KINDS, Kind, kind_of_key
from ablate.registry.registration import Parameter, entries

FORMS = "install=SHELL, uninstall=SHELL or query=SHELL, with bash, zsh or fish"
GENERAL = ("-m", "--help", "--cfg", "--version")
OF_A_STUDY = ("report", "measure", "upload", "dashboard")  # verbs whose first argument is a stored study
OVERRIDES = ("", "plan", "describe")  # verbs, and none, that take overrides

BASH = """\
_ablate_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" current="${COMP_WORDS[COMP_CWORD]}" word helper
    if [[ "${COMP_WORDS[0]##*/}" == python* ]]; then
        if [[ "${COMP_WORDS[1]} ${COMP_WORDS[2]}" != "-m ablate" ]] || (( COMP_CWORD < 3 )); then
            compopt -o default; COMPREPLY=(); return
        fi
        helper=("${COMP_WORDS[0]}" -m ablate)
    else
        helper=("${COMP_WORDS[0]}")
    fi
    word="${line##* }"
    # Where '=' and ':' part words, readline replaces only what stands behind the last of them.
    [[ "$current" == [=:] ]] && current=""
    local before="${word%"$current"}" choice
    COMPREPLY=()
    while IFS= read -r choice; do
        COMPREPLY+=("${choice#"$before"}")
    done < <(COMP_LINE="$line" "${helper[@]}" -sc query=bash 2>/dev/null)
    [[ "${#COMPREPLY[@]}" == 1 && "${COMPREPLY[0]}" == *[=./] ]] && compopt -o nospace
}
complete -o nospace -o default -F _ablate_completion ablate python python3"""
ZSH = f"autoload -U +X bashcompinit && bashcompinit\n{BASH}"
FISH = """\
function _ablate_completion
    set -lx COMP_LINE (commandline -cp)
    set -l parts (commandline -cpo)
    if string match -q 'python*' -- (basename $parts[1])
        $parts[1] -m ablate -sc query=fish 2>/dev/null
    else
        $parts[1] -sc query=fish 2>/dev/null
    end
end
complete -c ablate -f -a '(_ablate_completion)'
complete -c python -c python3 -n 'string match -q "*-m ablate *" -- (commandline -cp)' -f -a '(_ablate_completion)'"""
INSTALL = {"bash": BASH, "zsh": ZSH, "fish": FISH}
UNINSTALL = {
    "bash": "complete -r ablate python python3; unset -f _ablate_completion",
    "zsh": "complete -r ablate python python3; unset -f _ablate_completion",
    "fish": "complete -e -c ablate -c python -c python3; functions -e _ablate_completion",
}


def shell_completion(arguments: Sequence[str], verbs: Sequence[str]) -> None:
    """Print what a shell asks for: the script that installs completion, or what completes its line (`COMP_LINE`).

    Raises:
        InputError: it asks for something else.
    """
    action, _, shell = (arguments[0] if len(arguments) == 1 else "").partition("=")
    if action not in ("install", "uninstall", "query") or shell not in INSTALL:
        raise InputError(f"-sc takes {FORMS}")
    if action != "query":
        print((INSTALL if action == "install" else UNINSTALL)[shell])
        return
    line = os.environ.get("COMP_LINE")
    if line is None:
        raise InputError("-sc query=... is for the shell, which says the line to complete in COMP_LINE")
    for choice in completions(line, verbs):
        print(choice)


def completions(line: str, verbs: Sequence[str]) -> list[str]:
    """What completes the last word of a line; nothing where something is broken, which the command itself will say.

    Args:
        line: up to the cursor, with the program: `ablate plan +exp=`, `python -m ablate ord`.
        verbs: of the command.
    """
    words = line.split(" ")
    program = next((place for place, word in enumerate(words) if word.rpartition("/")[2] == "ablate"), 0)
    *before, word = [one for one in words[program + 1 : -1] if one] + [words[-1]]
    try:
        discover()
        return sorted({choice for choice in _choices(before, word, verbs) if choice.startswith(word)})
    except (AblateError, OSError):
        return []


def _choices(before: Sequence[str], word: str, verbs: Sequence[str]) -> Iterator[str]:
    verb = before[0] if before and before[0] in verbs else ""
    if not before:
        yield from verbs
        yield from GENERAL
    if verb:
        yield "--help"
    if verb == "list":
        yield from (*KINDS, *FILE_GROUPS)
    elif verb in ("plan", "bench"):
        yield "--json"
    elif verb in OF_A_STUDY and len(before) == 1:
        yield from (f"{STORE}/{name}" for name in studies_in(STORE))
    elif verb == "measure":
        yield from (entry.name for entry in entries("measurement"))
    elif verb in ("upload", "dashboard"):
        found = _values(before, word) if "=" in word else _keys(before, word)
        yield from (one for one in found if one.startswith("tracker"))
    if verb == "dashboard":
        yield "--dry-run"
    if verb in OVERRIDES:
        yield from _values(before, word) if "=" in word else _keys(before, word)


def _values(before: Sequence[str], word: str) -> Iterator[str]:
    """What may stand behind the `=` of a word; in a list, behind its last comma."""
    key, _, value = word.partition("=")
    start = max(value.rfind("["), value.rfind(","))
    head = f"{key}={value[: start + 1]}"
    name = key.lstrip("+")
    kind = kind_of_key(name)
    if kind is not None or name in FILE_GROUPS:
        plugins = [entry.name for entry in entries(kind.name)] if kind else []
        none = ["none"] if kind and kind.several else []
        yield from (f"{head}{one}" for one in (*plugins, *config_names(name), *none))
        return
    for parameter in _options(name.rpartition(".")[0], before):
        if parameter.name == name.rpartition(".")[2]:
            values = ("true", "false") if parameter.type in (bool, bool | None) else parameter.choices
            yield from (f"{head}{value}" for value in values)


def _keys(before: Sequence[str], word: str) -> Iterator[str]:
    """Groups, keys, and behind a dot the keys below."""
    parent, dot, _ = word.rpartition(".")
    if dot:
        yield from (f"{parent}.{parameter.name}=" for parameter in _options(parent, before))
        yield from _of_section(parent)
        return
    yield from ("+exp=", "+study.arms.", "+study.grid.", "+study.zip.", "~study.arms.", "~study.grid.")
    for kind in KINDS.values():
        yield f"{kind.group}="
        if any(parameter for entry in entries(kind.name) for parameter in entry.parameters):
            yield f"{kind.group}."
    yield from (f"{group}=" for group in FILE_GROUPS if group != "exp")
    yield from _of_section("")


def _of_section(path: str) -> Iterator[str]:
    """The keys of the schema outside of plugins, below a dotted key."""
    section: type = Settings
    for part in path.split(".") if path else []:
        inner = next((one.default_factory for one in fields(section) if one.name == part), None)
        if not (isinstance(inner, type) and is_dataclass(inner)):
            return
        section = inner
    for one in fields(section):
        nested = isinstance(one.default_factory, type) and is_dataclass(one.default_factory)
        yield f"{path}{'.' if path else ''}{one.name}{'.' if nested else '='}"


def _options(parent: str, before: Sequence[str]) -> list[Parameter]:
    """The options below a dotted key: of the plugin that was chosen, or of all that could be."""
    group, _, name = parent.partition(".")
    kind = kind_of_key(group)
    if kind is None:
        return []
    chosen = name if kind.several else _chosen(kind, before)
    return [one for entry in entries(kind.name) if chosen in ("", entry.name) for one in entry.parameters]


def _chosen(kind: Kind, before: Sequence[str]) -> str:
    typed = [word.partition("=")[2] for word in before if word.startswith(f"{kind.group}=")]
    name = typed[-1] if typed else ""
    return name if name in {entry.name for entry in entries(kind.name)} else ""

"""The files of `conf/`, built in and of the working directory: which there are, and what one of them says.

All of them are read here, for Hydra, too: a file of the user's is looked at before a parser is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader
from omegaconf.errors import OmegaConfBaseException

from ablate import registry
from ablate.config.messages import as_input_error, broken_yaml
from ablate.errors import InputError
from ablate.registry.kinds import kind_of_key
from ablate.system.paths import conf_dir
from ablate.system.reading import parse_yaml, read_text
from ablate.system.text import bounded

MOST_BYTES = 2**20  # of one file: the largest that is built in has four thousand
MOST_VALUES = 10**4  # of one file, aliases written out: Hydra copies each of them several times
CHOICE = re.compile(r"(?:(?:override|optional) )*/?\w+(?![\w ])")  # how the name of a choice begins
SHOWN = 60  # characters of a content that is shown because it is none
HEADER = 512  # characters in which Hydra looks for the package line


class CheckedFiles(FileConfigSource):
    """Where Hydra finds config files, in place of its own source of this scheme: each is checked before it is read."""

    def load_config(self, config_path: str) -> ConfigResult:
        """The content of a file.

        Raises:
            InputError: it cannot be read, or is no YAML; names the file.
        """
        file = Path(self.path) / self._normalize_file_name(config_path)
        text = read_text(file, MOST_BYTES)
        try:
            header = ConfigSource._get_header_dict(text[:HEADER])
        except ValueError as error:
            raise InputError(f"{file}: {error}; the first line is '# @package _global_'") from error
        content = _mapping(file, _parsed(file, text))
        _read[file] = _placed(content, header.get("package"), config_path)
        try:
            config = OmegaConf.create(content)
        except OmegaConfBaseException as error:  # of a key that is none
            raise InputError(f"{file}: {as_input_error(error)}") from error
        return ConfigResult(self.provider, f"{self.scheme()}://{self.path}", config, header)

    def is_config(self, config_path: str) -> bool:
        """Whether something of that name is there, even if it is no file: reading it says what it is."""
        return os.path.lexists(Path(self.path) / self._normalize_file_name(config_path))


# A launcher's process is given Hydra's registry as it stands here, and then registers Hydra's own source of this
# scheme: by this name it is taken for the same one, and left out.
CheckedFiles.__name__ = FileConfigSource.__name__

# What files set that were read for Hydra by now: where each lies, and its content by its place in the whole config.
_read: dict[Path, Any] = {}


def named_with_file(error: InputError, typed: Iterable[str]) -> InputError:
    """The error with the file in which the wrong key stands, unless it was typed.

    Args:
        error: about a key (`InputError.key`), or about anything else.
        typed: the keys of what was typed.
    """
    key = error.key
    if not key or any(f"{one}.".startswith(f"{key}.") or f"{key}.".startswith(f"{one}.") for one in typed):
        return error
    # The last one read: the file that was asked for comes behind those that it builds on.
    own = [file for file, content in _read.items() if _has(content, key) and conf_dir() not in file.parents]
    file = own[-1] if own else None
    return error if file is None else InputError(f"{_shown(file)}: {error}", key)


def _placed(content: Any, package: str | None, config_path: str) -> Any:
    """What a file sets at its place in the whole config: its group's, or that of its package line."""
    group = config_path.rpartition("/")[0].replace("/", ".")
    place = group if package is None else "" if package == "_global_" else package
    for part in reversed(place.split(".") if place else []):
        content = {part: content}
    return content


def _has(content: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(content, dict) or part not in content:
            return False
        content = content[part]
    return True


def _shown(file: Path) -> str:
    return str(file.relative_to(Path.cwd())) if Path.cwd() in file.parents else str(file)


def read_config(file: Path) -> dict[str, Any]:
    """The content of a config file, as it stands there.

    Raises:
        InputError: it cannot be read, is broken YAML (names the line), holds no keys, or is larger or deeper than any
            config.
    """
    # By YAML alone, without composing: what is asked is what this one file sets.
    return _mapping(file, _parsed(file, read_text(file, MOST_BYTES)))


def _mapping(file: Path, content: Any) -> dict[Any, Any]:
    """The content of a file, which has keys; none at all where it is empty.

    Raises:
        InputError: it is something else, or its `defaults` are no list of names and choices.
    """
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{file} holds {bounded(repr(content), SHOWN)}, and no keys with values (key: value)")
    defaults = content.get("defaults", [])
    for one in defaults if isinstance(defaults, list) else [defaults]:
        name = next(iter(one)) if isinstance(one, dict) and len(one) == 1 else one
        if not isinstance(defaults, list) or not (isinstance(name, str) and CHOICE.match(name)):
            said = bounded(repr(one), SHOWN)
            raise InputError(f"{file}: defaults holds {said}; it is a list of names and choices, such as [/order: pre]")
    return content


def _parsed(file: Path, text: str) -> Any:
    try:
        return parse_yaml(text, MOST_VALUES, get_yaml_loader())
    except InputError as error:
        raise InputError(f"{file} {error}") from error
    except yaml.YAMLError as error:
        raise broken_yaml(error, str(file)) from error
    except ValueError as error:  # a number that is none
        raise InputError(f"{file} is broken YAML: {str(error).partition(';')[0]}") from error


def local_conf_dir() -> Path | None:
    """`conf/` of the working directory, where it exists and is not the built-in one."""
    local = Path.cwd() / "conf"
    return local if local.is_dir() and local.resolve() != conf_dir().resolve() else None


def config_names(group: str) -> dict[str, Path]:
    """The files of a config group, built in and local: name -> file."""
    folders = [folder / group for folder in (conf_dir(), local_conf_dir()) if folder]
    files = [(file.relative_to(folder), file) for folder in folders for file in sorted(folder.rglob("*.yaml"))]
    return {relative.with_suffix("").as_posix(): file for relative, file in files}


def refuse_shadowing() -> None:
    """A local file of a built-in name would change what every study of that name means, in silence.

    Raises:
        InputError: there is one.
    """
    local = local_conf_dir()
    if local is None:
        return
    for file in sorted(local.rglob("*.yaml")):
        relative = file.relative_to(local)
        if (conf_dir() / relative).exists():
            raise InputError(f"{file} has the name of the built-in config {relative}; rename it")
        kind = kind_of_key(relative.parent.as_posix())
        if kind and file.stem in {entry.name for entry in registry.entries(kind.name)}:
            raise InputError(f"{file} has the name of the plugin {kind.group}={file.stem}; rename it")

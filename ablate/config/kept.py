"""A cache of composed configs: to compose one takes Hydra a tenth of a second, and mostly gives what it gave before.

What is kept is keyed by all that decides it: the files of `conf/`, built in and local, the plugins with their schemas,
the code here that composes, and the overrides. What a resolver may answer otherwise next time is never kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs

from ablate import registry
from ablate.config.code import led_to
from ablate.config.files import MOST_BYTES, local_conf_dir
from ablate.errors import InputError
from ablate.system.paths import PACKAGE, conf_dir, plugin_dir
from ablate.system.reading import read_bytes

DECIDES_NUMBERS = False

VERSION = 1  # of what is kept
# Packages whose code decides what is composed.
COMPOSING = ("config", "registry", "study", "network", "interfaces", "measure")
RESOLVER = re.compile(r"\$\{\s*[\w.]+\s*:")  # such as ${now:%Y} or ${oc.env:HOME}


def kept(what: str, asked: Any, make: Callable[[], Any]) -> Any:
    """What `make` gives, of plain values and paths; from an earlier command where all that decides it is the same.

    Args:
        what: names the form of what is kept.
        asked: what decides it besides files and code, as plain values.
        make: makes it anew.
    """
    inputs, has_resolvers = _inputs(Path.cwd(), registry.entries_digest(), _local_files())
    text = json.dumps([VERSION, what, asked], sort_keys=True, default=str)
    # The time, an environment variable: the same files and overrides may compose to something else next time.
    if has_resolvers or RESOLVER.search(text):
        return make()
    path = _folder() / f"{hashlib.sha256(f'{inputs}{text}'.encode()).hexdigest()[:24]}.json"
    try:
        return _from_plain(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError):
        made = make()
    _write(path, made)
    return made


def _local_files() -> tuple[tuple[str, int, int], ...]:
    """The user's own files with what changes when they are written: a notebook lives on while they are edited."""
    local = local_conf_dir()
    files = [(str(file), file.stat()) for file in (_yaml(local) if local else [])]
    return tuple((name, status.st_mtime_ns, status.st_size) for name, status in files)


@cache
def _inputs(cwd: Path, plugins: str, local_files: tuple[tuple[str, int, int], ...]) -> tuple[str, bool]:
    """A hash of the files and the code that decide what is composed here; and whether a file asks a resolver."""
    folders = [conf_dir(), *([local] if (local := local_conf_dir()) else [])]
    files = [file for folder in folders for file in _yaml(folder)]
    texts = {file: _text(file) for file in files}
    # Of other versions the same file may compose otherwise, or not at all.
    digest = hashlib.sha256(f"{plugins}{version('hydra-core')}{version('omegaconf')}".encode())
    for file, text in texts.items():
        digest.update(f"\n{file}:{hashlib.sha256(text.encode()).hexdigest()}".encode())
    # The code of plugins too: what a matched arm was given rests on what their networks cost.
    # What is built in lies together and is read faster than its imports are followed.
    code = [file for package in COMPOSING for file in (PACKAGE / package).glob("*.py")]
    code += plugin_dir().rglob("*.py")
    plugins_of_others = {Path(entry.file) for entry in registry.entries()} - set(code)
    for file in sorted({*code, *led_to(plugins_of_others)}):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    own = [text for file, text in texts.items() if file.name != "config.yaml"]
    return digest.hexdigest(), any(RESOLVER.search(text) for text in own)


def _yaml(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*.yaml") if file.is_file())


def _text(file: Path) -> str:
    """What a file says, or why it cannot be read: who names it is told, and others need not care."""
    try:
        return read_bytes(file, MOST_BYTES).decode("utf-8", errors="replace")
    except InputError as error:
        return str(error)


def _folder() -> Path:
    return platformdirs.user_cache_path("ablate") / "composed"


def _write(path: Path, made: Any) -> None:
    """Keep it, where it has a plain form and can be written; else it is made anew each time."""
    try:
        text = json.dumps(_plain(made))
        # JSON makes tuples lists and keys text: what would not come back as it is must not be kept.
        if _from_plain(json.loads(text)) != made:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".composed-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except (OSError, TypeError, ValueError):
        return


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return {"__path__": str(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _from_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return Path(value["__path__"]) if "__path__" in value else {key: _from_plain(one) for key, one in value.items()}
    return [_from_plain(item) for item in value] if isinstance(value, list) else value

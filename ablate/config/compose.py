"""From overrides to a checked config: Hydra's composition, with the plugins' schemas and one-line errors."""

from __future__ import annotations

import copy
import errno
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, Node, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate import registry
from ablate.config.files import (
    CheckedFiles,
    config_names,
    local_conf_dir,
    named_with_file,
    read_config,
    refuse_shadowing,
)
from ablate.config.fitting import Files, fitted_scale
from ablate.config.home import find_home, quote_home
from ablate.config.messages import as_input_error
from ablate.config.overrides import leaves, parse
from ablate.config.presets import replaced_parts, store_none, store_without
from ablate.config.schema import Settings, bounds, root_defaults, root_schema
from ablate.config.values import environment_refused, refuse_values
from ablate.errors import InputError, unknown, unknown_key
from ablate.registry.discovery import discover
from ablate.registry.kinds import Kind, kind_of_key
from ablate.system.paths import conf_dir
from ablate.system.text import bounded

HYDRA_VERSION_BASE = "1.3"
RERUN = ("none", "stale")
BOUNDS = bounds()
SHOWN = 60  # characters of a name that is too long
NONE = "none"  # the choice of no plugin, for kinds of several


class WorkingDirectoryConf(SearchPathPlugin):
    """Adds `conf/` of the working directory behind the built-in configs."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra while it sets up."""
        local = local_conf_dir()
        if local is not None:
            search_path.append("working directory", f"file://{local}")


def prepare() -> None:
    """Import the plugins and make schemas and search path known to Hydra; repeated calls cost little.

    Raises:
        InputError: a plugin does not import, or a local config has the name of a built-in one.
    """
    discover()
    _store_schema()
    Plugins.instance().register(WorkingDirectoryConf)
    SourcesRegistry.instance().types[CheckedFiles.scheme()] = CheckedFiles
    refuse_shadowing()


def _store_schema() -> None:
    """Make the schema known to Hydra, with the default choice of each kind: kinds may have been added since."""
    schema = make_dataclass(
        "AblateSchema", [("defaults", list[Any], field(default_factory=root_defaults))], bases=(root_schema(),)
    )
    ConfigStore.instance().store(name="ablate_schema", node=schema, provider="ablate")
    for kind in registry.KINDS.values():
        if kind.several:  # `tracker=none`, as one would type it: a choice that adds nothing
            ConfigStore.instance().store(group=kind.group, name=NONE, node={}, package="_global_", provider="ablate")


def compose(overrides: Sequence[str] = ()) -> DictConfig:
    """Compose and check the config that these Hydra overrides describe.

    Args:
        overrides: as on the command line, such as `["arch=resnet50", "data.batch_size=64"]`.

    Raises:
        InputError: an override names what does not exist, or a value of the wrong type.
    """
    prepare()
    parse(overrides)
    with hydra_context():
        return compose_in_context(overrides)


def compose_in_context(overrides: Sequence[str]) -> DictConfig:
    """`compose` for many configs in a row, inside one `hydra_context()` after `prepare()`."""
    _set_up()
    try:
        with environment_refused():  # not before: Hydra makes its own resolver known when it is set up
            config = hydra.compose("config", overrides=fitted(overrides))
            _check(config)
            _refuse_values(config)
            find_home(config)
    except InputError as error:
        raise named_with_file(error, [override.key for override in parse(overrides)]) from error
    except (HydraException, OmegaConfBaseException, yaml.MarkedYAMLError, ValueError) as error:
        chosen = _chosen_by_interpolation(overrides) if "nterpolation" in str(error) else ""
        raise InputError(f"{chosen}{as_input_error(error)}") from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        name = Path(str(error.filename)).stem  # Hydra looks for a file of each key and of each choice
        raise InputError(f"{bounded(name, SHOWN)} is too long: no file can have that name") from error
    return config


def _chosen_by_interpolation(overrides: Sequence[str]) -> str:
    """The choices that were typed as interpolations, to stand before an error about one, where Hydra names no key."""
    chosen = [text for text in overrides if "${" in text and is_group(text.partition("=")[0].lstrip("+"))]
    return f"{', '.join(chosen)}: " if chosen else ""


def with_values(config: DictConfig, values: Mapping[str, Any]) -> DictConfig:
    """A copy of a composed config with other values in it, which is much faster than to compose again.

    Raises:
        InputError: no such key, or a value of the wrong type.
    """
    config = copy.deepcopy(config)
    try:
        for key, value in values.items():
            # Without `merge` a mapping replaces the one that was there, as an override on the command line does.
            OmegaConf.update(config, key, value, merge=False)
        _check(config)
        find_home(config)
    except OmegaConfBaseException as error:
        raise as_input_error(error) from error
    return config


def node_at(config: DictConfig, key: str) -> Node:
    """The node that a dotted key of a composed config names.

    Raises:
        InputError: there is none; says which part of the key is unknown.
    """
    node: Any = config
    parts = key.split(".")
    for place, part in enumerate(parts, start=1):
        if not isinstance(node, DictConfig) or part not in node:
            raise unknown_key(".".join(parts[:place]), map(str, node) if isinstance(node, DictConfig) else [])
        node = node._get_node(part)
    assert isinstance(node, Node)
    return node


def is_group(key: str) -> bool:
    """Whether an override of this key chooses a plugin or a file, rather than setting a value."""
    return kind_of_key(key) is not None or bool(config_names(key))


def settings_of(group: str, name: str, above: Sequence[str] = ()) -> dict[str, Any]:
    """What a file of a config group sets, by itself or through the files it builds on: key or group -> value.

    Args:
        group: of the file.
        name: of the file.
        above: files of the group that build on this one.

    Raises:
        InputError: there is no such file, it is broken YAML, or it builds on itself; names the file that asks for it.
    """
    files = config_names(group)
    if name not in files:
        error = unknown(group, name, files)
        raise InputError(f"{files[above[-1]]}: {error}") if above else error
    if name in above:
        raise InputError(f"{files[name]} builds on itself: {' -> '.join([*above, name])}; look at its defaults")
    content = read_config(files[name])
    settings: dict[str, Any] = {}
    for default in content.pop("defaults", []):
        if isinstance(default, Mapping):
            settings |= {str(key).removeprefix("override ").lstrip("/"): value for key, value in default.items()}
        elif "${" in default:
            continue  # Hydra finds what it stands for
        elif default.startswith("/"):
            other, _, chosen = default.strip("/").rpartition("/")
            settings[other] = chosen
        elif default != "_self_":
            settings |= settings_of(group, default.partition("@")[0], [*above, name])
    return settings | leaves(content)


@contextmanager
def hydra_context() -> Iterator[None]:
    """A Hydra of our own, also inside a job that Hydra itself started; it is set up when something is composed."""
    # Hydra keeps one instance for the process: inside a job of the user's own Hydra it is put aside and given back.
    outer = Singleton._instances.pop(GlobalHydra, None)
    try:
        with ExitStack() as waiting:
            _waiting.append(waiting)
            yield
    finally:
        _waiting.pop()
        Singleton._instances.pop(GlobalHydra, None)
        if outer is not None:
            Singleton._instances[GlobalHydra] = outer


_waiting: list[ExitStack] = []  # for each `hydra_context` that is entered, what is to be undone on leaving


def _set_up() -> None:
    """Set up the Hydra of the innermost `hydra_context`, once."""
    if _waiting and not GlobalHydra.instance().is_initialized():
        registry.store_schemas()
        _waiting[-1].enter_context(
            hydra.initialize_config_dir(str(conf_dir()), version_base=HYDRA_VERSION_BASE, job_name="ablate")
        )


def fitted(overrides: Sequence[str]) -> list[str]:
    """The overrides with a preset that gives its options to the parts that it chooses, and to no others."""
    overrides = [quote_home(text) for text in overrides]
    fits = list(overrides)
    for place, text in enumerate(overrides):
        name = text.removeprefix("arch=")
        if text == "arch=null":
            fits[place] = f"arch={store_none()}"
        elif text.endswith("=null") and (kind := kind_of_key(text.removesuffix("=null"))) and kind.several:
            fits[place] = f"{kind.group}={NONE}"
        elif name != text and name in config_names("arch"):
            settings = settings_of("arch", name)
            # The preset's options belong to the part that it chooses; another part would refuse them as unknown.
            if replaced := replaced_parts(overrides, settings):
                fits[place] = f"arch={store_without('arch', name, settings, replaced)}"
    return [*fits, *fitted_scale(overrides, Files(config_names, settings_of, read_config))]


def _check(config: DictConfig) -> None:
    """Hold a composed config against what Hydra does not check."""
    _check_keys(config, root_schema())
    for kind in registry.KINDS.values():
        nodes = config[kind.group]
        for node in nodes.values() if kind.several and isinstance(nodes, DictConfig) else [nodes]:
            _check_plugin(kind, node)
    if config.rerun not in RERUN:
        raise unknown("value of rerun", config.rerun, RERUN, key="rerun")
    if not config.runs.strip():
        raise InputError("runs is empty: it names the folder of the store, such as runs=runs", "runs")
    for key, most in BOUNDS.items():
        value = OmegaConf.select(config, key)
        if value is not None and value > most:
            raise InputError(f"{key}={value}: at most {most:,}", key)
    if config.seed < 0:
        raise InputError(f"seed={config.seed}: must be at least 0", "seed")
    if not 0 < config.width < math.inf:
        raise InputError(f"width={config.width:g}: a factor on channel counts, so it must be a number above 0", "width")


def _refuse_values(config: DictConfig) -> None:
    """Values as they were written: what an interpolation gives is looked at where it is resolved."""
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    refuse_values({str(key): value for key, value in plain.items()})


def _check_keys(node: DictConfig, schema: type, path: str = "") -> None:
    """Hydra lets `+key=value` add anything, which nothing would read, and `~key` take away what is needed."""
    known = {one.name: one for one in fields(schema)}
    for key in node:
        if key not in known:
            raise unknown_key(path + str(key), known)
    for name, one in known.items():
        if name not in node:
            raise InputError(f"{path}{name} has no value; it can be set, and not deleted{_instead(path + name)}")
        if isinstance(one.default_factory, type) and is_dataclass(one.default_factory):
            _check_keys(node[name], one.default_factory, f"{path}{name}.")


def _instead(key: str) -> str:
    """What to type where a key was to be taken away; empty where nothing stands for nothing."""
    kind = kind_of_key(key)
    if kind and (kind.several or NONE in {entry.name for entry in registry.entries(kind.name)}):
        return f"; to have none type {key}={NONE}"
    default = next((one for one in fields(Settings) if one.name == key), None)
    return f"; to have none type {key}=null" if default is not None and "None" in str(default.type) else ""


def _check_plugin(of: Kind, node: Any) -> None:
    """A node must come from choosing a plugin, which brings its schema: with it, types and defaults are right."""
    kind = of.group
    if not isinstance(node, DictConfig):
        raise InputError(f"{kind} is {node}; a file chooses it by `defaults: [override /{kind}: NAME]`", kind)
    schema = OmegaConf.get_type(node)
    if not is_dataclass(schema):
        raise InputError(f"a config of {kind} builds on a plugin: begin its file with `defaults: [NAME, _self_]`")
    (chosen,) = (one.default for one in fields(schema) if one.name == "name")
    if node.name != chosen:
        in_file = f"in a file by `defaults: [override /{kind}: {node.name}]`"
        raise InputError(
            f"{kind}.name={node.name}: choose it as {kind}={node.name}, {in_file}, to have its options", f"{kind}.name"
        )
    try:
        registry.check_node(of.name, node)
    except InputError as error:
        # By the kind alone: which of its options is wrong is said in words.
        option = next((name for name in map(str, node) if f"{of.name}.{name} " in str(error)), "")
        raise InputError(str(error), f"{kind}.{option}" if option else kind) from error

"""The kinds of plugins, each declared once, and the groups of files beside them.

All that the program must know of a kind stands in its declaration: what the framework passes to its plugins, what it
belongs to, whether it decides numbers, what is chosen where nothing is said. Schema, defaults, `list`, `--help`,
certificates, matching, and the identity of cells follow from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from ablate.registry.roles import Role


@dataclass(frozen=True)
class Kind:
    """A kind of plugin.

    Attributes:
        name: as in `@register(name, ...)`.
        what: one line for people.
        role: what it belongs to.
        default: the plugin that is chosen where nothing is said; None for a kind of several, where that is none.
        passed: what the framework passes, by name, to the plugins that ask for it.
        base: where the abstract base or protocol of its plugins is, as "module:name"; empty where it has none.
        key: the config key and group; empty for the name itself.
        several: the key holds any number of plugins, by name.
        decides_numbers: it is part of a cell's identity, and its code of the cell's fingerprint.
        before: the plugin that every cell had before this kind existed: with that choice a cell's ID does not name the
            kind at all. None for kinds that were there from the start.
        gives_shape: beside the kinds of the network: it decides the shape of the images, and so of the network.
        sets_pace: what of it decides how fast a cell trains and how much memory that takes: nothing, which plugin
            ("name"), or its options too.
        comparable: arms and grids may set it.
        attributes: what its plugins have as an option or, where it is fixed, as a plain attribute. Scales set such an
            option; a plugin that has none keeps its own value.
        scaled: options that a scale sets for whatever plugin is chosen, where that has them: how much is trained on,
            and how training begins. Any other goes with the plugin that the scale chose it for.
    """

    name: str
    what: str
    role: Role
    default: str | None = None
    passed: tuple[str, ...] = ()
    base: str = ""
    key: str = ""
    several: bool = False
    decides_numbers: bool = True
    before: str | None = None
    gives_shape: bool = False
    sets_pace: Literal["nothing", "name", "options"] = "nothing"
    comparable: bool = True
    attributes: tuple[str, ...] = ()
    scaled: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The config key and group."""
        return self.key or self.name

    @property
    def makes_network(self) -> bool:
        """Whether it is a part of the network itself."""
        return self.role is Role.NETWORK


KINDS: dict[str, Kind] = {}


def declare(kind: Kind) -> Kind:
    """Make a kind known. A config composed from here on has its key, with its default.

    Raises:
        ValueError: there is one of that name or key.
    """
    taken = {one.name for one in KINDS.values()} | {one.group for one in KINDS.values()}
    if {kind.name, kind.group} & taken:
        raise ValueError(f"a kind '{kind.name}' with the key '{kind.group}' is declared already")
    KINDS[kind.name] = kind
    return kind


@contextmanager
def declared_inside() -> Iterator[None]:
    """Forget, on leaving, the kinds declared inside (for tests)."""
    before = dict(KINDS)
    try:
        yield
    finally:
        KINDS.clear()
        KINDS.update(before)


def kind_of_key(key: str) -> Kind | None:
    """The kind whose config key this is."""
    return next((kind for kind in KINDS.values() if kind.group == key), None)


def passed(kind: str) -> tuple[str, ...]:
    """What the framework passes to plugins of a kind."""
    return KINDS[kind].passed


def _declare_built_in() -> None:
    network: dict[str, Any] = {"role": Role.NETWORK}
    parts, run = "ablate.interfaces.parts", "ablate.interfaces.engine"
    backbone, data, training = "ablate.interfaces.backbone", "ablate.interfaces.data", "ablate.interfaces.training"
    for kind in (
        Kind("backbone", "the family of networks: how stages are laid out", **network, default="resnet",
             passed=("parts",), base=f"{backbone}:Backbone"),
        Kind("block", "the weight layers of a residual branch", **network, default="basic",
             passed=("parts",), base=f"{parts}:Block"),
        Kind("order", "where norm and activation stand around a unit's weight layers", **network, default="post",
             passed=("parts",), base=f"{parts}:Order"),
        Kind("shortcut", "the path beside a residual branch, and how the two join", **network, default="identity",
             passed=("parts", "shape"), base=f"{parts}:Shortcut"),
        Kind("stem", "the layers before the first stage", **network, default="cifar",
             passed=("parts", "out_channels", "order"), base=f"{parts}:Stem"),
        Kind("head", "the classifier after the last stage", **network, default="gap",
             passed=("parts", "in_channels"), base=f"{parts}:Head"),
        Kind("aux", "auxiliary classifiers behind stages, trained beside the main one", **network, default="none",
             passed=("parts",), base=f"{backbone}:Aux"),
        Kind("norm", "normalisation of feature maps", **network, default="batch",
             passed=("parts", "channels"), base=f"{parts}:Norm"),
        Kind("act", "the non-linearity", **network, default="relu",
             passed=("parts",), base=f"{parts}:Act"),
        Kind("init", "initial values of the parameters", Role.TRAINING, default="he", base=f"{parts}:Init"),
        Kind("data", "a data set and its split", Role.TRAINING, default="digits", base=f"{data}:DataSet",
             gives_shape=True, sets_pace="options", attributes=("batch_size",), scaled=("batch_size", "train", "test")),
        Kind("augment", "random changes to training images", Role.TRAINING, default="shift", base=f"{data}:Augment",
             sets_pace="options"),
        Kind("evaluation", "what of an image the network is shown when it is measured", Role.MEASURING,
             default="center_crop", base=f"{data}:Evaluation", sets_pace="options"),
        Kind("optim", "the optimiser", Role.TRAINING, default="sgd", base=f"{training}:Optim", sets_pace="name"),
        Kind("schedule", "the learning rate over the steps of training", Role.TRAINING, default="step",
             base=f"{training}:Schedule", scaled=("warmup_epochs", "warmup_factor", "warmup_linear")),
        Kind("callback", "code of the user's own that Lightning calls while a cell trains", Role.TRAINING,
             key="callbacks", several=True),
        Kind("probe", "what is looked at while a cell trains", Role.MEASURING, key="probes", several=True,
             base="ablate.interfaces.probe:Probe", decides_numbers=False),
        Kind("measurement", "what is measured on a trained network", Role.MEASURING, key="measurements", several=True,
             base="ablate.interfaces.measurement:Measurement", decides_numbers=False),
        Kind("engine", "where cells run", Role.SURROUNDINGS, default="local", base=f"{run}:Engine",
             decides_numbers=False, comparable=False),
        Kind("tracker", "who is told how a study goes", Role.SURROUNDINGS, several=True,
             base="ablate.interfaces.tracker:Tracker", decides_numbers=False, comparable=False),
    ):  # fmt: skip
        declare(kind)


_declare_built_in()

# Groups that are chosen by a name, too, and are files in place of plugins.
FILE_GROUPS = ("arch", "exp", "scale", "trainer")

"""The typed schema of a config, outside what plugins add. No torch here: analysis and report read it too.

Each key is declared once, with its role (`ablate.config.roles` reads it): what it belongs to, and whether it decides
numbers. The keys of plugins come from the declarations of their kinds.
"""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields, is_dataclass, make_dataclass
from typing import Any, get_type_hints

from omegaconf import MISSING

from ablate.registry.kinds import KINDS
from ablate.registry.roles import Role

EXPECTATIONS = ("positive", "negative", "zero")
SCALES = ("difference", "ratio")


@dataclass
class Paper:
    """What the source reports for a claim, as text for people."""

    value: str = ""
    where: str = ""


@dataclass
class Gate:
    """What must hold of cells before a claim may be judged: of the mean over the seeds of each of them."""

    cells: str = MISSING  # a selector, as in a contrast
    metric: str = MISSING  # any that these cells record, of probes and measurements too
    below: float | None = None  # in the metric's unit; a gate has one of the two
    above: float | None = None
    because: str = ""  # the reason for this bound


@dataclass
class Claim:
    """A contrast over cells, the sign that a source says it has, and the margin below which it does not matter."""

    id: str = MISSING
    says: str = ""
    metric: str = "test/error"
    contrast: dict[str, float] = field(default_factory=dict)  # "arm@factor=value,factor=value" -> weight
    expect: str = MISSING  # one of EXPECTATIONS
    margin: float = MISSING  # in the metric's unit; for a ratio a part of one, so that 0.1 is 10 %
    scale: str = "difference"  # one of SCALES; ratio: contrast of logarithms, told as a relative change
    trend: str = ""  # a factor: the contrast's rise over its values, from the first to the last, by a fitted line
    threshold: float | None = None  # what the weighted cells are held against, in the metric's unit
    margin_because: str = ""  # the reason for this margin, chosen before there were results
    requires: list[Gate] = field(default_factory=list)  # without all of them the claim is not tested
    paper: Paper = field(default_factory=Paper)


@dataclass
class ScaleChanges:
    """What a study changes at a scale."""

    grid: dict[str, list[Any]] | None = None  # takes the place of the whole grid
    zip: dict[str, list[Any]] | None = None  # likewise
    exclude: list[dict[str, Any]] | None = None  # likewise
    seeds: Any = None
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)  # fields of claims, by the claim's id
    overrides: list[str] = field(default_factory=list)


@dataclass
class StudySchema:
    """A study: arms x grid x seeds, and the claims they test.

    What makes arms can be written short or long, which no type of OmegaConf says; `ablate.study` checks it.
    """

    name: str = "single"
    question: str = ""
    source: str = ""
    arms: dict[str, Any] = field(default_factory=dict)  # [overrides], or {overrides, baseline, match, knob, changes}
    baseline: str | None = None  # the arm that others are compared with; null: the first
    leave_one_out: dict[str, Any] = field(default_factory=dict)  # part: [overrides], or {with: [...], without: [...]}
    add_one_in: dict[str, Any] = field(default_factory=dict)  # likewise
    grid: dict[str, list[Any]] = field(default_factory=dict)
    zip: dict[str, list[Any]] = field(default_factory=dict)  # factors that vary together: lists of one length
    exclude: list[dict[str, Any]] = field(default_factory=list)  # cells to leave out: {arm: NAME, factor: value}
    seeds: Any = None  # a number of seeds, or a list of them; null: default_seeds
    default_seeds: int = 1  # set by the scale
    claims: list[Claim] = field(default_factory=list)
    scales: dict[str, ScaleChanges] = field(default_factory=dict)
    keep: Any = None  # weights, or a list of what stays of each cell besides its results
    strict: bool = False
    # what Hydra's sweepers are told of a job: the mean over its cells of a metric, or of {metric: ..., cells: SELECTOR}
    objective: Any = "test/error"


@dataclass(frozen=True)
class Key:
    """What the program knows of a config key.

    Attributes:
        role: what it belongs to.
        decides_numbers: it is part of a cell's identity.
        before: the value that every cell had before this key existed, by which a cell's ID does not name it at all;
            MISSING for keys that were there from the start.
        builds: beside the parts of the network: it decides how the network is built.
        sets_pace: it decides how fast a cell trains, or how much memory that takes.
        comparable: arms and grids may set it.
        most: the largest value; beyond, nothing can be built, or would ever end.
    """

    role: Role
    decides_numbers: bool = True
    before: Any = MISSING
    builds: bool = False
    sets_pace: bool = False
    comparable: bool = True
    most: float = math.inf


def key(default: Any, role: Role, **about: Any) -> Any:
    """A field of a schema with its default, and what the program knows of the key (fields of `Key`)."""
    metadata = {"key": Key(role, **about)}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def about(one: Field[Any]) -> Key | None:
    """What is declared of a field; None for those inside a section that is declared as a whole."""
    found: Key | None = one.metadata.get("key")
    return found


@dataclass
class ImageShape:
    """The images that a network is built for where no data set says so; null: as the data set has them."""

    channels: int | None = field(default=None, metadata={"most": 2**14})
    size: int | None = field(default=None, metadata={"most": 2**15})  # height and width in pixels
    classes: int | None = field(default=None, metadata={"most": 2**24})


@dataclass
class TrainerSchema:
    """How long a cell trains, when it is measured, and how its steps are computed."""

    epochs: int = key(10, Role.TRAINING, most=10**6)
    # epochs between two rows of metrics; the last epoch is always measured
    eval_every: int = key(1, Role.MEASURING, most=10**6)
    # thresholds such as "train/loss<0.5"
    epochs_to: list[str] = key([], Role.MEASURING)
    # activations computed again in the backward pass: less memory, the same numbers
    checkpoint_blocks: bool = key(False, Role.SURROUNDINGS, decides_numbers=False, builds=True, sets_pace=True)
    # keep the data set whole on the device; null: where it fits. The same numbers
    resident: bool | None = key(None, Role.SURROUNDINGS, decides_numbers=False)
    # processes that read a data set that is not kept there; null: the cell's share of the cores
    workers: int | None = key(None, Role.SURROUNDINGS, decides_numbers=False, most=4096)
    # CPU threads of a cell: sums over threads round otherwise, so their number is part of what a cell is
    threads: int = key(1, Role.SURROUNDINGS, before=1, sets_pace=True, most=4096)
    # true | false | auto: memory format of images and weights
    channels_last: Any = key(True, Role.SURROUNDINGS, sets_pace=True)
    # fp32 | bf16 | auto: of the forward pass; parameters, norms and loss stay fp32
    precision: str = key("fp32", Role.TRAINING, before="fp32", sets_pace=True)
    # none | inductor | cudagraphs | auto; none: eager, operation by operation
    compile: str = key("none", Role.SURROUNDINGS, before="none", sets_pace=True)


@dataclass
class Settings:
    """The keys at the top of a config beside those of plugins."""

    trainer: TrainerSchema = field(default_factory=TrainerSchema)
    # the data set decides the shape while it trains; this one is for networks that are only built
    image: ImageShape = key(ImageShape, Role.NETWORK, decides_numbers=False)
    # the deepest that were ever trained have so many layers (Xiao et al. 2018, arXiv 1806.05393)
    depth: int | None = key(None, Role.NETWORK, most=10_000)
    width: float = key(1.0, Role.NETWORK, most=10**9)
    # a safetensors file whose tensors parameters and buffers of the same name and shape start with; null: `init` alone.
    # An arm's `starts_from` puts `cell:ID` here, a cell of the same study that is trained before
    start: str | None = key(None, Role.TRAINING, before=None)
    seed: int = key(0, Role.TRAINING, comparable=False)
    scale: str = key(MISSING, Role.SURROUNDINGS, decides_numbers=False, comparable=False)
    study: StudySchema = key(StudySchema, Role.SURROUNDINGS, decides_numbers=False, comparable=False)
    # the store: a folder of studies
    runs: str = key("runs", Role.SURROUNDINGS, decides_numbers=False, comparable=False)
    # "stale": train again what older code trained
    rerun: str = key("none", Role.SURROUNDINGS, decides_numbers=False, comparable=False)


def bounds(schema: type = Settings, path: str = "") -> dict[str, float]:
    """The largest value of each key that has one, by its dotted name."""
    found: dict[str, float] = {}
    for one in fields(schema):
        declared, inner = about(one), one.default_factory
        most = declared.most if declared else one.metadata.get("most", math.inf)
        if most < math.inf:
            found[path + one.name] = most
        if isinstance(inner, type) and is_dataclass(inner):
            found |= bounds(inner, f"{path}{one.name}.")
    return found


def root_schema() -> type:
    """The config at its top level: a key for each kind of plugins, and `Settings`.

    The key of a kind holds `name` and that plugin's options; that of a kind of several holds such nodes by name.
    """
    of_kinds = [
        (kind.group, Any, field(default_factory=dict) if kind.several else field(default=MISSING))
        for kind in KINDS.values()
    ]
    types = get_type_hints(Settings)  # as types: a class that is made has no module to look names up in
    return make_dataclass("RootSchema", [*of_kinds, *((one.name, types[one.name], one) for one in fields(Settings))])


def root_defaults() -> list[Any]:
    """Hydra's defaults list: the plugin of each kind that is chosen where nothing is said."""
    return ["_self_", *({kind.group: [] if kind.default is None else kind.default} for kind in KINDS.values())]

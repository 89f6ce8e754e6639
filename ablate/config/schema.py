"""The typed schema of a config, outside what plugins add. No torch here: analysis and report read it too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

EXPECTATIONS = ("positive", "negative", "zero")
SCALES = ("difference", "ratio")


@dataclass
class Paper:
    """What the source reports for a claim, as text for people."""

    value: str = ""
    where: str = ""


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
    strict: bool = False


@dataclass
class ImageShape:
    """The images that a network is built for where no data set says so; null: as the data set has them."""

    channels: int | None = None
    size: int | None = None  # height and width in pixels
    classes: int | None = None


@dataclass
class TrainerSchema:
    """How long a cell trains, when it is measured, and how its steps are computed."""

    epochs: int = 10
    eval_every: int = 1  # epochs between two rows of metrics; the last epoch is always measured
    epochs_to: list[str] = field(default_factory=list)  # thresholds such as "train/loss<0.5"
    checkpoint_blocks: bool = False  # activations computed again in the backward pass: less memory, the same numbers
    resident: bool | None = None  # keep the data set whole on the device; null: where it fits. The same numbers
    workers: int | None = None  # processes that read a data set that does not; null: the cell's share of the cores
    channels_last: Any = True  # true | false | auto: memory format of images and weights
    precision: str = "fp32"  # fp32 | bf16 | auto: of the forward pass; parameters, norms and loss stay fp32
    compile: str = "none"  # none | inductor | cudagraphs | auto; none: eager, operation by operation


@dataclass
class RootSchema:
    """The config at its top level. Groups of plugins hold `name` and that plugin's options."""

    backbone: Any = MISSING
    block: Any = MISSING
    order: Any = MISSING
    shortcut: Any = MISSING
    stem: Any = MISSING
    head: Any = MISSING
    aux: Any = MISSING
    norm: Any = MISSING
    act: Any = MISSING
    init: Any = MISSING
    data: Any = MISSING
    augment: Any = MISSING
    evaluation: Any = MISSING
    optim: Any = MISSING
    schedule: Any = MISSING
    engine: Any = MISSING
    trainer: TrainerSchema = field(default_factory=TrainerSchema)
    image: ImageShape = field(default_factory=ImageShape)
    depth: int | None = None
    width: float = 1.0
    seed: int = 0
    scale: str = MISSING
    study: StudySchema = field(default_factory=StudySchema)
    runs: str = "runs"  # the store: a folder of studies
    rerun: str = "none"  # "stale": train again what older code trained

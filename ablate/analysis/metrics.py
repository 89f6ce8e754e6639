"""What a cell records, and how people read it: each metric is declared here, and nowhere else.

Columns that nobody declared (`test/top5_error`, `PROBE/column`, `MEASUREMENT/column`) are read by their name: the last
word of the last part says what they are. One that ends in `error` is taken for a rate of errors, so what is no fraction
should be called otherwise (`mse`, `deviation`). One of the form `steps_to/loss<0.5` says how long a cell took to get
there, and is empty where it never did.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

EPOCHS_TO = "epochs_to/"  # what `trainer.epochs_to` records, each with its threshold: `epochs_to/train/loss<0.5`
HIGHER_IS_BETTER = frozenset({"accuracy", "acc", "auc", "f1", "precision", "recall"})
WAITS = re.compile(r"(epochs|[a-z]+(?=_to/.+<))_to/(.+)")  # the first of `trainer.epochs_to`, others of probes
_WORDS = {"train": "training"}  # parts of a name that people call otherwise


@dataclass(frozen=True)
class Metric:
    """A column of results.

    Attributes:
        name: of the column.
        words: what people call it.
        unit: of a value as it is shown; empty for a plain number.
        is_error: a rate of errors: a fraction in files, in per cent for people, its differences in percentage points.
        is_loss: never negative, and told by its order of magnitude.
        is_cost: what a cell takes, not how well it does.
        is_wait: how long a cell took to a threshold; without a value it never got there.
        is_static: of the network itself: known without training, the same for every seed.
        higher_is_better: as of an accuracy. Losses, errors, epochs and times are better when lower.
    """

    name: str
    words: str
    unit: str = ""
    is_error: bool = False
    is_loss: bool = False
    is_cost: bool = False
    is_wait: bool = False
    is_static: bool = False
    higher_is_better: bool = False

    @property
    def factor(self) -> float:
        """What a stored value is multiplied by before it is shown."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def has_a_better(self) -> bool:
        """Whether it is known which of two values is the better one."""
        return self.is_error or self.is_loss or self.is_cost or self.is_wait or self.higher_is_better

    @property
    def difference_unit(self) -> str:
        """The unit of a difference between two values; empty for a plain number."""
        return "percentage points" if self.is_error else self.unit


DECLARED = (
    Metric("train/loss", "training loss", is_loss=True),
    Metric("train/error", "training error", "%", is_error=True),
    Metric("test/loss", "test loss", is_loss=True),
    Metric("test/error", "test error", "%", is_error=True),
    Metric("params", "parameters", is_cost=True, is_static=True),
    Metric("flops", "FLOPs per image", "multiply-adds", is_cost=True, is_static=True),
    Metric("seconds", "training time", "s", is_cost=True),
)
# What the plan of a study says of a network, and no result repeats.
PLANNED = (Metric("receptive_field", "receptive field", "pixels", is_static=True),)
# Stands in for a metric where effects are parts of the value that they change.
RELATIVE = Metric("relative change", "relative change", "%")

STANDARD = tuple(one.name for one in DECLARED if not one.is_cost)
COSTS = tuple(one.name for one in DECLARED if one.is_cost)
STATIC = tuple(one.name for one in (*DECLARED, *PLANNED) if one.is_static)
SIZES = tuple(one.name for one in DECLARED if one.is_static)  # by which arms can be matched

_KNOWN = {one.name: one for one in (*DECLARED, *PLANNED, RELATIVE)}


@functools.cache
def metric_of(name: str) -> Metric:
    """The metric of this name: as it is declared, or else as its name says."""
    return _KNOWN.get(name) or (_wait(name) if WAITS.fullmatch(name) else _by_name(name))


def recorded_metrics(epochs_to: Iterable[str] = ()) -> list[str]:
    """The metrics of a cell, where these are its thresholds (`trainer.epochs_to`, such as `train/loss<0.5`)."""
    return [*(one.name for one in (*DECLARED, *PLANNED)), *(f"{EPOCHS_TO}{text}" for text in epochs_to)]


def worst_value(metric: str) -> float:
    """Where a diverged cell ranks on a metric: minus infinity where higher is better, else plus infinity."""
    return -math.inf if metric_of(metric).higher_is_better else math.inf


def ranks_worst(metric: str, status: str, value: float) -> bool:
    """Whether a cell has no finite value because it diverged, or never reached a threshold: nothing is worse.

    Parameters and FLOPs belong to the network, so divergence changes nothing of them.
    """
    if metric in STATIC:
        return False
    never_reached = metric_of(metric).is_wait and math.isnan(value)
    return status == "diverged" or (status == "done" and (math.isinf(value) or never_reached))


def _by_name(name: str) -> Metric:
    """`test/top5_error` is a rate of errors; of `test/top5_accuracy` higher is better."""
    last = name.rsplit("/", 1)[-1].lower().split("_")
    is_error = last[-1] == "error"
    return Metric(
        name, _words(name), "%" if is_error else "", is_error=is_error, is_loss=last[-1] == "loss",
        higher_is_better=bool(HIGHER_IS_BETTER & set(last)),
    )  # fmt: skip


def _wait(name: str) -> Metric:
    """A number of epochs, not what they lead to: `epochs_to/test/error<0.1` is "epochs to test error below 10 %"."""
    wait = WAITS.fullmatch(name)
    assert wait is not None, "it is asked for such names alone"
    what, text = wait.groups()
    found = re.fullmatch(r"(.+)<(\d*\.?\d+(?:[eE][+-]?\d+)?)", text)
    if not found:
        return Metric(name, f"{what} to {_words(text)}", is_wait=True)
    metric = metric_of(found[1])
    unit = f" {metric.unit}" if metric.unit else ""
    words = f"{what} to {metric.words} below {metric.factor * float(found[2]):g}{unit}"
    return Metric(name, words, is_wait=True)


def _words(name: str) -> str:
    """The parts of a name without its punctuation."""
    return " ".join(_WORDS.get(part, part.replace("_", " ")) for part in name.split("/"))

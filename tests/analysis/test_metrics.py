"""Metrics: declared once, and read by one rule where nobody declared them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ablate.analysis import COSTS, STANDARD, STATIC, judge, metric_of, recorded_metrics, worst_value
from ablate.analysis.metrics import DECLARED, RELATIVE, SIZES, ranks_worst
from ablate.report import format as fmt
from ablate.training.history import METRICS

from .tables import claim, paired


def test_what_training_records_is_what_is_declared() -> None:
    assert METRICS == STANDARD == ("train/loss", "train/error", "test/loss", "test/error")


def test_the_lists_follow_from_the_declaration() -> None:
    assert (COSTS, STATIC) == (("params", "flops", "seconds"), ("params", "flops", "receptive_field"))
    assert SIZES == ("params", "flops"), "a knob changes what a network costs, not what it sees"
    assert set(recorded_metrics(["train/loss<0.5"])) == {*STANDARD, *COSTS, *STATIC, "epochs_to/train/loss<0.5"}
    assert len({one.name for one in DECLARED}) == len(DECLARED)


@pytest.mark.parametrize("name", STANDARD)
def test_the_standard_metrics_are_declared_as_their_names_say(name: str) -> None:
    same = metric_of(f"probe/{name}")
    assert metric_of(name) == replace(same, name=name, words=same.words.removeprefix("probe "))


NAMED = [
    # name, words, unit, of a difference, worst
    ("train/loss", "training loss", "", "", math.inf),
    ("test/error", "test error", "%", "percentage points", math.inf),
    ("test/top5_error", "test top5 error", "%", "percentage points", math.inf),
    ("test/top5_accuracy", "test top5 accuracy", "", "", -math.inf),
    ("validation/AUC", "validation AUC", "", "", -math.inf),
    ("lesion/train/error", "lesion training error", "%", "percentage points", math.inf),
    ("gradients/first_norm", "gradients first norm", "", "", math.inf),
    ("gradients/error_norm", "gradients error norm", "", "", math.inf),
    ("error/rank", "error rank", "", "", math.inf),
    ("probe/mirror", "probe mirror", "", "", math.inf),
    ("accuracy_probe/loss", "accuracy probe loss", "", "", math.inf),
    ("params", "parameters", "", "", math.inf),
    ("flops", "FLOPs per image", "multiply-adds", "multiply-adds", math.inf),
    ("seconds", "training time", "s", "s", math.inf),
    ("epochs_to/train/loss<0.5", "epochs to training loss below 0.5", "", "", math.inf),
    ("epochs_to/test/error<0.05", "epochs to test error below 5 %", "", "", math.inf),
    ("epochs_to/test/error<1e-3", "epochs to test error below 0.1 %", "", "", math.inf),
    ("epochs_to/test/error", "epochs to test error", "", "", math.inf),
    ("epochs_to/0.1", "epochs to 0.1", "", "", math.inf),
    ("steps_to/loss<0.5", "steps to loss below 0.5", "", "", math.inf),
    ("close_to/mean", "close to mean", "", "", math.inf),
]


@pytest.mark.parametrize(("name", "words", "unit", "difference", "worst"), NAMED, ids=str)
def test_a_metric_is_read_by_one_rule(name: str, words: str, unit: str, difference: str, worst: float) -> None:
    metric = metric_of(name)
    assert (metric.words, metric.unit, metric.difference_unit, worst_value(name)) == (words, unit, difference, worst)
    assert metric.is_error == (difference == "percentage points")
    assert metric.factor == (100 if unit == "%" else 1)


def test_a_loss_is_what_ends_in_loss() -> None:
    found = {name for name, *_ in NAMED if metric_of(name).is_loss}
    assert found == {"train/loss", "accuracy_probe/loss"}


def test_how_long_it_took_to_a_threshold_says_so_and_ranks_worst_where_it_was_never_reached() -> None:
    waits = {name for name, *_ in NAMED if metric_of(name).is_wait}
    assert waits == {name for name, *_ in NAMED if name.startswith(("epochs_to/", "steps_to/"))}
    for name, *_ in NAMED:
        assert ranks_worst(name, "done", math.nan) == (name in waits)


def test_a_relative_change_is_counted_in_per_cent() -> None:
    assert (RELATIVE.factor, RELATIVE.unit, RELATIVE.difference_unit, RELATIVE.is_error) == (100, "%", "%", False)


@pytest.mark.parametrize(
    ("metric", "value", "shown", "differs"),
    [
        ("test/top5_error", 0.0312, "3.12 %", "+3.12 pp"),
        ("test/top5_accuracy", 0.0312, "0.0312", "+0.0312"),
        ("seconds", 12.34, "12.3 s", "+12.3 s"),
        ("flops", 1200, "1,200 multiply-adds", "+1,200 multiply-adds"),
        ("epochs_to/train/loss<0.5", 12, "12.0", "+12.0"),
        ("mine/top5_error", 0.25, "25.0 %", "+25.0 pp"),
    ],
)
def test_reports_show_a_metric_in_its_unit(metric: str, value: float, shown: str, differs: str) -> None:
    assert fmt.value(metric, value) == shown
    assert fmt.effect(metric, value, None, None, unit=True) == differs


@pytest.mark.parametrize(
    ("metric", "margin", "what", "size", "matters"),
    [
        ("test/top5_error", 0.005, "test top5 error", "+30.02 percentage points", "0.5 percentage points that matter."),
        ("test/error", 0.01, "test error", "+30.02 percentage points", "1 percentage point that matters."),
        ("test/top5_accuracy", 0.005, "test top5 accuracy", "+0.3002", "0.005 that matters."),
        ("seconds", 0.1, "training time", "+0.3002 s", "0.1 s that matter."),
        ("epochs_to/train/loss<0.5", 0.1, "epochs to training loss below 0.5", "+0.3002", "0.1 that matters."),
    ],
)
def test_sentences_say_a_metric_as_reports_do(metric: str, margin: float, what: str, size: str, matters: str) -> None:
    noise: list[Any] = [0.3 + x for x in (0.001, -0.002, 0.0015, -0.0005, 0.0, 0.001)]
    (verdict,) = judge(paired(noise, metric), [claim(metric=metric, margin=margin)])
    assert f"at depth 110 post minus pre {what} is {size} (" in verdict.sentence
    assert what == fmt.metric_name(metric)
    assert verdict.sentence.endswith(f"at least the {matters}")

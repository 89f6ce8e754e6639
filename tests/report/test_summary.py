"""Means over seeds, on tables whose answers are known by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from ablate.report import summary


def test_interval_by_hand() -> None:
    found = summary.interval([1.0, 2.0, 3.0, 4.0, float("nan")])
    half = 3.182446 * math.sqrt(5 / 3) / 2  # t(3, 0.975) * sd / sqrt(n)
    assert found.n == 4
    assert (found.mean, found.low, found.high) == pytest.approx((2.5, 2.5 - half, 2.5 + half), rel=1e-6)


def test_one_value_has_no_interval_and_none_has_no_mean() -> None:
    assert summary.interval([2.0])[0] == 2.0
    assert math.isnan(summary.interval([2.0]).low)
    assert summary.interval([]).n == 0


def test_means_leave_out_cells_without_a_result(fake: Any) -> None:
    means = summary.means(fake.gathered(), "train/loss").set_index(["arm", "point"])
    cells = fake.frame.query("arm == 'post' and depth == 110 and status == 'done'")
    assert means.loc[("post", "depth 110"), "n"] == 5
    assert means.loc[("post", "depth 110"), "mean"] == pytest.approx(cells["train/loss"].mean())
    assert means.loc[("pre", "depth 110"), "n"] == 4


def test_bands_span_the_finished_seeds_only(fake: Any) -> None:
    bands = summary.curve_bands(fake.gathered(), "train/loss").set_index(["arm", "point", "epoch"])
    epoch = fake.history.query("arm == 'post' and depth == 110 and epoch == 2 and seed != 3")["train/loss"]
    row = bands.loc[("post", "depth 110", 2)]
    assert row["n"] == 5
    assert (row["low"], row["mean"], row["high"]) == pytest.approx((epoch.min(), epoch.mean(), epoch.max()))


def test_diverged_cells_keep_the_epochs_that_they_reached(fake: Any) -> None:
    fake.history.loc[fake.history["cell"] == fake.frame.loc[15, "cell"], "train/loss"] = [1.5, 1.2, math.inf]
    assert summary.diverged_curves(fake.gathered(), "train/loss")["value"].tolist() == [1.5, 1.2]


def test_order_is_the_study_s_and_not_the_alphabet_s(make: Callable[..., Any]) -> None:
    fake = make(arms=("zeta", "alpha"), grid={"depth": [110, 20], "norm": ["none", "batch"]}, seeds=1, claims=[])
    fake.frame = fake.frame.sample(frac=1, random_state=0)
    inputs = fake.gathered()
    assert inputs.arms == ["zeta", "alpha"]
    assert inputs.points == [
        "depth 110, norm none",
        "depth 20, norm none",
        "depth 110, norm batch",
        "depth 20, norm batch",
    ]


def test_the_pareto_front_has_what_nothing_beats_at_its_cost() -> None:
    places = [(1.0, 9.0), (2.0, 5.0), (2.0, 6.0), (3.0, 5.0), (4.0, 1.0), (4.0, 1.0)]
    assert summary.pareto_front(places) == [True, True, False, False, True, True]
    assert summary.pareto_front(places, higher_is_better=True) == [True, False, False, False, False, False]

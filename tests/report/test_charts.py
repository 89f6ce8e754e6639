"""Charts hold the right numbers and are valid Vega-Lite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ablate.report import charts, content, figures, summary


def values(chart: Any, kind: str) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    return [row for row in spec["datasets"][spec["data"]["name"]] if row["kind"] == kind]


def forest(fake: Any, layer: int) -> list[list[dict[str, Any]]]:
    """The data of a layer in each frame of the forest plot: 0 the claims, 2 the single seeds."""
    spec = charts.effects(fake.gathered()).to_dict()
    return [spec["datasets"][frame["layer"][layer]["data"]["name"]] for frame in spec["vconcat"]]


def layers_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    if "hconcat" in spec:
        return [layer for panel in spec["hconcat"] for layer in panel["layer"]]
    return spec["spec"]["layer"] if "spec" in spec else spec["layer"]


def test_forest_plot_has_a_frame_for_each_metric_and_each_claim_s_figures(finished: Any) -> None:
    rows = forest(finished, 0)
    assert [len(found) for found in rows] == [2, 1]  # two claims on the training loss, one on the test error
    verdict = finished.verdicts[0]
    first = rows[0][0]
    assert (first["effect"], first["low"], first["high"]) == pytest.approx(
        (verdict["effect"], verdict["low"], verdict["high"])
    )
    assert (first["below"], first["above"]) == (-0.05, 0.05)
    assert rows[1][0]["above"] == pytest.approx(1.0)  # errors in percentage points
    assert rows[1][0]["effect"] == pytest.approx(100 * finished.verdicts[2]["effect"])


def test_forest_plot_shows_every_seed(finished: Any) -> None:
    dots = forest(finished, 2)[1]
    expected = [100 * value for value in finished.verdicts[2]["values"].values()]
    assert [dot["value"] for dot in dots] == pytest.approx(expected)


def test_claim_with_infinite_effect_keeps_its_row(make: Callable[..., Any]) -> None:
    fake = make()
    fake.verdicts[0] |= {
        "effect": None,
        "low": None,
        "high": None,
        "test": "signed rank",
        "values": {"0": 0.1, "1": None},
    }
    assert forest(fake, 0)[0][0]["word"].endswith(fake.verdicts[0]["verdict"])
    assert len([dot for dot in forest(fake, 2)[0] if dot["claim"].startswith("1 ")]) == 1


def test_learning_curves_have_a_panel_for_each_depth_and_a_line_for_each_arm(fake: Any) -> None:
    rows = values(charts.learning_curves(fake.gathered(), "train/loss"), "mean")
    assert {(row["point"], row["arm"]) for row in rows} == {
        (f"depth {depth}", arm) for depth in (20, 56, 110) for arm in ("post", "pre")
    }
    assert len(rows) == 6 * 10


def test_learning_curves_draw_each_diverged_cell_and_mark_its_end(fake: Any) -> None:
    chart = charts.learning_curves(fake.gathered(), "train/loss")
    assert [row["epoch"] for row in values(chart, "diverged")] == [1, 2, 3]
    assert [(row["seed"], row["epoch"]) for row in values(chart, "end")] == [(3, 3)]


def test_losses_get_a_log_scale_and_errors_do_not(finished: Any) -> None:
    def scale(metric: str) -> Any:
        spec = charts.learning_curves(finished.gathered(), metric).to_dict()
        return layers_of(spec)[1]["encoding"]["y"]["scale"].get("type")

    assert scale("train/loss") == "log"
    assert scale("test/error") is None


def test_errors_are_drawn_in_per_cent(finished: Any) -> None:
    rows = values(charts.learning_curves(finished.gathered(), "test/error"), "mean")
    at = [row for row in rows if (row["arm"], row["point"], row["epoch"]) == ("pre", "depth 56", 10)]
    cells = finished.history.query("arm == 'pre' and depth == 56 and epoch == 10")
    assert at[0]["mean"] == pytest.approx(100 * cells["test/error"].mean())


def test_metric_by_depth_has_means_intervals_seeds_and_diverged_cells(fake: Any) -> None:
    inputs = fake.gathered()
    chart = charts.metric_by_factor(inputs, "train/loss")
    means = summary.means(inputs, "train/loss")
    assert [row["value"] for row in values(chart, "mean")] == pytest.approx(means["mean"].tolist())
    assert [row["low"] for row in values(chart, "mean")] == pytest.approx(means["low"].tolist())
    assert len(values(chart, "seed")) == 33
    assert [(row["arm"], row["at"], row["word"]) for row in values(chart, "diverged")] == [("post", "110", "1 ✕")]


def test_categorical_factor_keeps_the_order_of_the_study(make: Callable[..., Any]) -> None:
    fake = make(grid={"shortcut": ["projection", "identity", "none"]}, claims=[], seeds=2)
    spec = charts.metric_by_factor(fake.gathered(), "test/error").to_dict()
    assert layers_of(spec)[0]["encoding"]["x"]["sort"] == ["projection", "identity", "none"]


def test_second_factor_makes_panels(make: Callable[..., Any]) -> None:
    fake = make(grid={"depth": [20, 56], "width": [0.5, 1]}, claims=[], seeds=2)
    chart = charts.metric_by_factor(fake.gathered(), "test/error")
    assert {row["panel"] for row in values(chart, "mean")} == {"width 0.5", "width 1"}
    assert chart.to_dict()["facet"]["field"] == "panel"


def test_without_a_grid_the_arms_stand_on_the_axis(make: Callable[..., Any]) -> None:
    fake = make(arms=("a", "b", "c"), grid={}, claims=[], seeds=2)
    chart = charts.metric_by_factor(fake.gathered(), "test/error")
    assert [row["at"] for row in values(chart, "mean")] == ["a", "b", "c"]
    assert "facet" not in chart.to_dict()


def test_interval_that_reaches_zero_is_cut_on_a_log_scale(make: Callable[..., Any]) -> None:
    fake = make(grid={"depth": [20, 110]}, seeds=2, claims=[])
    fake.frame.loc[0, "train/loss"] = 30.0
    rows = values(charts.metric_by_factor(fake.gathered(), "train/loss"), "mean")
    assert min(row["low"] for row in rows) > 0


def cost_panels(fake: Any, metric: str) -> list[dict[str, Any]]:
    """The encoding of the points in each panel."""
    chart = charts.metric_by_cost(fake.gathered(), metric).to_dict()
    return [panel["layer"][-1]["encoding"] for panel in chart["hconcat"]]


def test_metric_stands_against_parameters_flops_and_time(fake: Any) -> None:
    chart = charts.metric_by_cost(fake.gathered(), "test/error").to_dict()
    points = chart["datasets"][chart["data"]["name"]]
    cells = fake.frame.query("arm == 'post' and depth == 110 and status == 'done'")
    at = next(row for row in points if (row["arm"], row["point"]) == ("post", "depth 110"))
    assert len(points) == 6
    assert at["value"] == pytest.approx(100 * cells["test/error"].mean())
    assert (at["params"], at["flops"]) == (cells["params"].mean(), cells["flops"].mean())
    assert at["seconds"] == pytest.approx(cells["seconds"].mean())
    panels = cost_panels(fake, "test/error")
    assert [panel["x"]["field"] for panel in panels] == ["params", "flops", "seconds"]
    assert all(panel["shape"]["field"] == panel["color"]["field"] == "arm" for panel in panels)


def test_costs_over_a_factor_of_ten_get_a_log_scale(make: Callable[..., Any]) -> None:
    def kinds(grid: list[int]) -> set[str]:
        panels = cost_panels(make(grid={"depth": grid}, seeds=2, claims=[]), "test/error")
        return {panel["x"]["scale"]["type"] for panel in panels}

    assert kinds([20, 110]) == {"linear"}
    assert kinds([20, 1001]) == {"log"}


def test_cost_in_which_the_points_do_not_differ_has_no_panel(make: Callable[..., Any]) -> None:
    fake = make(grid={}, seeds=2, claims=[])  # 40 parameters more in the second arm, and the same time
    assert figures.cost_figures(fake.gathered(), "test/error") == []
    fake.frame["seconds"] *= 1 + (fake.frame["arm"] == "pre")
    assert [panel["x"]["field"] for panel in cost_panels(fake, "test/error")] == ["seconds"]


def test_arms_have_the_same_colours_in_every_chart(finished: Any) -> None:
    inputs = finished.gathered()
    drawn = [charts.learning_curves(inputs, "train/loss"), charts.metric_by_factor(inputs, "test/error")]
    scales = [layers_of(chart.to_dict())[0]["encoding"]["color"]["scale"] for chart in drawn]
    assert scales[0] == scales[1]
    assert scales[0]["domain"] == ["post", "pre"]


def test_names_of_users_reach_no_expression(make: Callable[..., Any]) -> None:
    fake = make(arms=("a'b", 'c"d\\'), grid={"it's": [1, 2]}, claims=[], seeds=2)
    for part in content.sections(fake.gathered()):
        for figure in part.figures:
            filters = [step["filter"] for layer in layers_of(figure.spec) for step in layer.get("transform", [])]
            assert not [text for text in filters if "a'b" in text or "it's" in text]


def test_a_few_epochs_have_one_tick_each(make: Callable[..., Any]) -> None:
    spec = charts.learning_curves(make(seeds=2, epochs=2).gathered(), "train/loss").to_dict()
    axes = [layer["encoding"]["x"]["axis"] for layer in layers_of(spec) if "axis" in layer["encoding"].get("x", {})]
    assert axes
    assert all(axis["values"] == [1, 2] for axis in axes)


def test_the_pareto_front_of_error_against_cost_is_marked(make: Callable[..., Any]) -> None:
    fake = make(arms=("a", "b", "c"), grid={}, seeds=1, claims=[])
    fake.frame["params"], fake.frame["flops"], fake.frame["seconds"] = [10, 20, 30], 1, [3.0, 2.0, 1.0]
    fake.frame["test/error"] = [0.3, 0.1, 0.2]
    chart = charts.metric_by_cost(fake.gathered(), "test/error").to_dict()
    points = chart["datasets"][chart["data"]["name"]]
    assert [row["front_params"] for row in points] == [True, True, False]
    assert [row["front_seconds"] for row in points] == [False, True, True]
    fake.frame["of_mine/height"] = [0.3, 0.1, 0.2]
    unknown = charts.metric_by_cost(fake.gathered(), "of_mine/height").to_dict()
    assert "front_params" not in unknown["datasets"][unknown["data"]["name"]][0], "nobody knows which is better"


def test_the_bound_of_a_gate_is_a_line_in_each_panel_and_its_metric_has_a_chart(make: Callable[..., Any]) -> None:
    fake = make(grid={"depth": [20, 56], "width": [0.5, 1]}, claims=[], seeds=2)
    claim = {"id": "one", "metric": "test/error", "contrast": {"post": 1}, "expect": "positive", "margin": 0.1}
    gates = [
        {"cells": "*", "metric": "train/error", "below": 0.1},
        {"cells": "post", "metric": "train/error", "below": 0.1},
    ]
    fake.verdicts = [{**claim, "verdict": "not tested", "gates": gates}]
    inputs = fake.gathered()
    rows = values(charts.metric_by_factor(inputs, "train/error"), "gate")
    assert [(row["panel"], row["word"]) for row in rows] == [
        ("width 0.5", "gate: below 10 %"), ("width 1", "gate: below 10 %"),
    ]  # fmt: skip
    assert [row["value"] for row in rows] == pytest.approx([10, 10])
    names = [figure.name for part in content.sections(inputs) for figure in part.figures]
    assert "train_error_by_depth" in names
    assert values(charts.metric_by_factor(inputs, "test/error"), "gate") == []


def test_the_line_of_the_baseline_is_whole_in_every_chart(make: Callable[..., Any]) -> None:
    fake = make(claims=[], seeds=2)
    fake.study["baselines"] = {"post": "pre", "pre": None}
    spec = charts.learning_curves(fake.gathered(), "train/loss").to_dict()
    (dash,) = (layer["encoding"]["strokeDash"] for layer in layers_of(spec) if "strokeDash" in layer["encoding"])
    assert dash["scale"]["domain"] == ["post", "pre"]
    assert dash["scale"]["range"][1] == [1, 0] != dash["scale"]["range"][0]

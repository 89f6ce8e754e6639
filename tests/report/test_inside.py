"""Charts of the tables that probes and measurements leave behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablate import Chart
from ablate.interfaces.chart import ChartedTable
from ablate.report import charts, content, figures, inside
from ablate.report.inputs import Inputs, gather
from ablate.report.page import page

STD = Chart("std", title="Response by layer", looks="last", ranked=True, caption="As in Figure 7.")


def table(fake: Any, chart: Chart, rows: list[dict[str, Any]], name: str = "probes/response") -> ChartedTable:
    """Rows name their cell by its number in the study."""
    cells = fake.frame["cell"].tolist()
    return ChartedTable(name, [chart], pd.DataFrame([{**row, "cell": cells[row["cell"]]} for row in rows]))


def inputs_with(fake: Any, *tables: ChartedTable) -> Inputs:
    return gather(fake.study, fake.frame, fake.history, fake.verdicts, tables)


@pytest.fixture
def two(make: Callable[..., Any]) -> Any:
    """Two arms of two seeds each, without a grid: cells 0 and 1 of `plain`, 2 and 3 of `residual`."""
    made = make(arms=("plain", "residual"), grid={}, seeds=2, epochs=1, claims=[])
    made.study["baseline"] = "residual"
    made.study["baselines"] = {"plain": "residual", "residual": None}
    return made


def by_layer(stds: dict[int, list[float]], step: float = 10.0) -> list[dict[str, Any]]:
    return [
        {"cell": cell, "step": step, "place": float(place), "std": std}
        for cell, row in stds.items()
        for place, std in enumerate(row, 1)
    ]


def points(found: pd.DataFrame, **where: Any) -> list[tuple[float, ...]]:
    for name, value in where.items():
        found = found[found[name] == value]
    return [tuple(row) for row in found[["x", "mean", "low", "high", "n"]].to_numpy().tolist()]


def test_a_value_by_place_is_meaned_over_the_seeds_of_an_arm(two: Any) -> None:
    given = table(two, Chart("std"), by_layer({0: [1.0, 4.0], 1: [3.0, 2.0], 2: [5.0, 5.0], 3: [5.0, 6.0]}))
    found = inside.series(inputs_with(two, given), given, Chart("std"))
    assert points(found, arm="plain") == [(1, 2, 1, 3, 2), (2, 3, 2, 4, 2)]
    assert points(found, arm="residual") == [(1, 5, 5, 5, 2), (2, 5.5, 5, 6, 2)]


def test_layers_sorted_by_size_keep_their_intervals(two: Any) -> None:
    given = table(two, STD, by_layer({0: [1.0, 9.0, 4.0], 1: [1.0, 7.0, 6.0]}))
    found = inside.series(inputs_with(two, given), given, STD)
    assert points(found, part="in order") == [(1, 1, 1, 1, 2), (2, 8, 7, 9, 2), (3, 5, 4, 6, 2)]
    assert points(found, part="sorted by size") == [(1, 8, 7, 9, 2), (2, 5, 4, 6, 2), (3, 1, 1, 1, 2)]


def test_first_and_last_look_of_each_cell_stand_apart(two: Any) -> None:
    rows = [*by_layer({0: [1.0], 1: [3.0]}, 0.0), *by_layer({0: [8.0]}, 20.0), *by_layer({1: [10.0]}, 30.0)]
    given = table(two, Chart("std"), rows)
    found = inside.series(inputs_with(two, given), given, Chart("std"))
    assert points(found, part="first look") == [(1, 2, 1, 3, 2)]
    assert points(found, part="last look") == [(1, 9, 8, 10, 2)]
    last = inside.series(inputs_with(two, given), given, Chart("std", looks="last"))
    assert points(last, part="") == [(1, 9, 8, 10, 2)]


def test_a_single_look_has_one_panel(two: Any) -> None:
    given = table(two, Chart("std"), by_layer({0: [1.0, 2.0]}, 0.0))
    found = inside.series(inputs_with(two, given), given, Chart("std"))
    assert set(found["part"]) == {"first look"}
    assert "facet" not in drawn(two, given)[0].spec


def test_errors_of_a_table_are_in_per_cent_and_draws_count_within_their_cell(two: Any) -> None:
    chart = Chart("error", over="k", where={"kind": "random"}, reference={"kind": "intact"})
    rows = [
        {"cell": 0, "kind": "intact", "k": float("nan"), "error": 0.1},
        {"cell": 1, "kind": "intact", "k": float("nan"), "error": 0.3},
        *({"cell": 0, "kind": "random", "k": 2.0, "error": error} for error in (0.2, 0.4, 0.6)),
        {"cell": 1, "kind": "random", "k": 2.0, "error": 0.8},
    ]
    given = table(two, chart, rows, "measurements/lesion")
    found = inside.series(inputs_with(two, given), given, chart)
    assert points(found) == [pytest.approx((2, 60, 20, 80, 2))], "mean of the means 40 and 80, range of all four"
    (rule,) = inside.references(inputs_with(two, given), given, chart).to_dict("records")
    assert (rule["arm"], rule["mean"]) == ("plain", pytest.approx(20))


def test_steps_are_thinned_to_means_of_neighbours(two: Any) -> None:
    chart = Chart("mean", over="step")
    rows = [{"cell": 0, "step": float(step), "mean": float(step)} for step in range(1000)]
    given = table(two, chart, rows, "probes/steps_to")
    found = points(inside.series(inputs_with(two, given), given, chart))
    assert len(found) == 200
    assert found[:2] == [(0, 2, 2, 2, 1), (5, 7, 7, 7, 1)]


def test_cells_that_did_not_finish_and_numbers_that_are_none_are_left_out(two: Any) -> None:
    two.end(1, "diverged")
    rows = by_layer({0: [1.0, float("inf"), float("nan")], 1: [50.0, 50.0, 50.0]})
    given = table(two, Chart("std"), rows)
    found = inside.series(inputs_with(two, given), given, Chart("std"))
    assert points(found) == [(1, 1, 1, 1, 1)]


@pytest.mark.parametrize(
    "rows",
    [[], [{"cell": 0, "place": 1.0, "other": 2.0}], [{"cell": 0, "step": 1.0, "place": 1.0, "std": float("nan")}]],
    ids=["no rows", "no such column", "no number"],
)
def test_nothing_is_drawn_where_there_is_nothing(two: Any, rows: list[dict[str, Any]]) -> None:
    given = inputs_with(two, table(two, STD, rows))
    assert figures.table_figures(given) == []
    assert "Inside the networks" not in [part.title for part in content.sections(given)]


def drawn(fake: Any, *tables: ChartedTable) -> list[figures.Figure]:
    return figures.table_figures(inputs_with(fake, *tables))


def test_the_section_stands_before_what_is_folded_with_a_caption_for_each_figure(two: Any, tmp_path: Path) -> None:
    given = inputs_with(two, table(two, STD, by_layer({0: [1.0, 2.0], 2: [2.0, 3.0]})))
    sections = content.sections(given)
    titles = [part.title for part in sections]
    assert titles.index("Learning curves") < titles.index("Inside the networks") < titles.index("More learning curves")
    text = page(given, sections, "key")
    assert 'Response by layer</h3><p class="caption">As in Figure 7.</p>' in text
    two.write(tmp_path, tables=given.tables)
    assert "**Response by layer.** As in Figure 7." in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "figures" / "probes_response_std_by_place.svg").exists()


def test_other_tables_are_drawn_anew(two: Any, tmp_path: Path) -> None:
    picture = tmp_path / "figures" / "probes_response_std_by_place.svg"
    pictures = []
    for last in (2.0, 3.0):
        two.write(tmp_path, tables=[table(two, STD, by_layer({0: [1.0, last]}))])
        pictures.append(picture.read_bytes())
    assert pictures[0] != pictures[1]
    two.write(tmp_path)
    assert not picture.exists()


def test_lines_of_arms_differ_without_colour_and_the_baseline_s_is_whole(two: Any) -> None:
    (figure,) = drawn(two, table(two, Chart("std"), by_layer({0: [1.0, 2.0], 2: [2.0, 3.0]})))
    assert "stroke-dasharray" in figure.svg
    (dash,) = scales(figure.spec, "strokeDash")
    assert dict(zip(dash["domain"], dash["range"], strict=True))["residual"] == [1, 0]
    assert dash["range"][0] != dash["range"][1]
    (shape,) = scales(figure.spec, "shape")
    assert len(set(shape["range"])) == 2


def scales(spec: dict[str, Any], channel: str) -> list[dict[str, Any]]:
    layers = spec["spec"]["layer"] if "spec" in spec else spec["layer"]
    return [layer["encoding"][channel]["scale"] for layer in layers if channel in layer["encoding"]]


BARS = Chart(
    "error", form="bars", where={"kind": "each"}, panel="statistics", hollow="changes",
    reference={"kind": "intact"},
)  # fmt: skip


def lesioned(cell: int, statistics: str = "kept") -> list[dict[str, Any]]:
    place = {"cell": cell, "statistics": statistics}
    return [
        {**place, "kind": "intact", "place": float("nan"), "changes": float("nan"), "error": 0.1},
        {**place, "kind": "each", "place": 1.0, "changes": 0.0, "error": 0.12},
        {**place, "kind": "each", "place": 2.0, "changes": 1.0, "error": 0.6},
    ]


def test_bars_have_a_panel_for_each_arm_and_are_hollow_where_the_shape_changes(two: Any) -> None:
    given = table(two, BARS, [*lesioned(0), *lesioned(2), *lesioned(2, "estimated")], "measurements/lesion")
    (figure,) = drawn(two, given)
    assert figure.name == "measurements_lesion_each_error_by_place"
    rows = [row for row in figure.spec["datasets"][figure.spec["data"]["name"]] if row["kind"] == "value"]
    panels = ["plain, statistics kept", "residual, statistics kept", "residual, statistics estimated"]
    assert list(dict.fromkeys(row["panel"] for row in rows)) == panels
    assert [(row["x"], row["hollow"]) for row in rows][:2] == [(1, 0), (2, 1)]
    layers = figure.spec["spec"]["layer"]
    bars = [layer for layer in layers if layer["mark"]["type"] == "bar"]
    assert [layer["mark"].get("fillOpacity") for layer in bars] == [None, 0]
    (rule,) = (layer for layer in layers if layer["mark"].get("strokeDash"))
    assert "x" not in rule["encoding"], "from side to side"
    assert [
        row["mean"] for row in figure.spec["datasets"][figure.spec["data"]["name"]] if row["kind"] == "reference"
    ] == [pytest.approx(10)] * 3


@pytest.mark.parametrize("chart", [STD, Chart("std", log=True), Chart("std", form="bars")], ids=repr)
def test_charts_are_valid_whatever_arms_are_called(make: Callable[..., Any], chart: Chart) -> None:
    fake = make(arms=("it's", 'a"b]'), grid={"depth": [20, 56]}, seeds=1, epochs=1, claims=[])
    given = table(fake, chart, by_layer({cell: [1.0, 2.0] for cell in range(4)}))
    inputs = inputs_with(fake, given)
    panels = inside.panelled(inputs, given, chart)
    assert panels is not None
    charts.themed(charts.table_chart(inputs, chart, panels)).to_dict(validate=True)
    (figure,) = figures.table_figures(inputs)
    assert figure.svg.endswith("</svg>")


def test_a_wide_study_stays_a_small_page(make: Callable[..., Any]) -> None:
    fake = make(grid={"depth": [20, 56, 110]}, seeds=50, epochs=1, claims=[])
    given = table(fake, STD, by_layer({cell: [1.0] * 110 for cell in range(len(fake.frame))}))
    (figure,) = drawn(fake, given)
    rows = figure.spec["datasets"][figure.spec["data"]["name"]]
    assert len(rows) == 2 * 2 * 3 * 110, "arms, parts, depths, layers: seeds are meaned"


def test_of_very_many_panels_the_first_are_drawn_and_the_caption_says_so(make: Callable[..., Any]) -> None:
    fake = make(arms=tuple(f"arm{number}" for number in range(30)), grid={}, seeds=1, epochs=1, claims=[])
    chart = Chart("std", form="bars", looks="last", caption="Bars.")
    (figure,) = drawn(fake, table(fake, chart, by_layer({cell: [1.0] for cell in range(30)})))
    rows = figure.spec["datasets"][figure.spec["data"]["name"]]
    assert [row["panel"] for row in rows] == [f"arm{number}" for number in range(24)]
    assert figure.caption == "Bars. The first 24 of 30 panels."


def test_panels_stand_in_the_order_of_the_grid(make: Callable[..., Any]) -> None:
    fake = make(grid={"depth": [20, 110]}, seeds=1, epochs=1, claims=[])
    rows = [*by_layer({cell: [1.0] for cell in range(4)}, 0.0), *by_layer({cell: [2.0] for cell in range(4)}, 9.0)]
    looks = inside.panelled(
        inputs_with(fake, table(fake, Chart("std"), rows)), table(fake, Chart("std"), rows), Chart("std")
    )
    assert looks is not None
    assert looks.names == [
        "depth 20, first look",
        "depth 20, last look",
        "depth 110, first look",
        "depth 110, last look",
    ]
    ranked = inside.panelled(inputs_with(fake, table(fake, STD, rows)), table(fake, STD, rows), STD)
    assert ranked is not None
    assert ranked.names == [
        "depth 20, in order", "depth 110, in order", "depth 20, sorted by size", "depth 110, sorted by size",
    ]  # fmt: skip
    assert (looks.across, ranked.across) == (2, 2)


def test_what_is_zero_has_no_place_on_a_log_axis_and_the_rest_is_drawn_there(two: Any) -> None:
    chart = Chart("std", log=True)
    (figure,) = drawn(two, table(two, chart, by_layer({0: [0.0, 0.0, 4.0], 1: [0.0, 1e-9, 4.0]})))
    rows = figure.spec["datasets"][figure.spec["data"]["name"]]
    assert [(row["x"], row["mean"], row["low"]) for row in rows] == [(2, 5e-10, 5e-10), (3, 4, 4)]
    assert {scale.get("type") for scale in scales(figure.spec, "y")} == {"log"}


def test_negative_values_are_never_on_a_log_axis(two: Any) -> None:
    chart = Chart("std", log=True)
    (figure,) = drawn(two, table(two, chart, by_layer({0: [-1.0, 4.0]})))
    assert {scale.get("type") for scale in scales(figure.spec, "y")} == {None}


@pytest.mark.parametrize(("places", "between"), [([0.0, 0.5, 1.0], True), ([1.0, 2.0, 3.0], False)])
def test_an_axis_of_whole_numbers_has_no_others(two: Any, places: list[float], between: bool) -> None:
    chart = Chart("error", over="alpha")
    rows = [{"cell": 0, "alpha": place, "error": 0.5} for place in places]
    (figure,) = drawn(two, table(two, chart, rows, "measurements/line"))
    labels = re.findall(r">(\d\.\d)<", figure.svg.partition("error")[0])
    assert bool(labels) == between

"""The figures of a report: which there are, and how a chart becomes SVG or part of a page.

Altair and vl-convert are imported only when a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ablate.interfaces.chart import Chart, ChartedTable
from ablate.report import format as fmt
from ablate.report import inside, summary
from ablate.report.inputs import Inputs
from ablate.report.script import vega_lite_version


@dataclass(frozen=True)
class Figure:
    """A chart with its file name (without suffix) and title; drawn when its `spec` is first asked for."""

    name: str
    title: str
    draw: Callable[[], Any]
    caption: str = ""  # what stands below the title, of this figure alone

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The Vega-Lite definition as plain values."""
        from altair.utils.schemapi import debug_mode

        from ablate.report.charts import themed

        with debug_mode(False):  # the tests hold the charts against the schema; here it would only cost time
            spec: dict[str, Any] = themed(self.draw()).to_dict(validate=False)
        return spec

    @cached_property
    def svg(self) -> str:
        """The chart as an SVG document."""
        import vl_convert

        svg: str = vl_convert.vegalite_to_svg(self.spec, vl_version=vega_lite_version())
        return svg

    @property
    def path(self) -> str:
        """Where the SVG lies, from the folder of the study."""
        return f"figures/{self.name}.svg"


def effect_figures(inputs: Inputs) -> list[Figure]:
    """The forest plot of the claims, if one has an effect."""
    if not any(verdict.is_measured for verdict in inputs.verdicts):
        return []
    return [Figure("effects", "Effects and their intervals", lambda: _charts().effects(inputs))]


def outcome_figures(inputs: Inputs, metric: str) -> list[Figure]:
    """A metric after the last epoch, against the first grid factor that varies; nothing for a single value."""
    if metric not in inputs.measured or inputs.frame[metric].count() < 2:
        return []
    axis = inputs.axis or "arm"
    title = f"{_capital(fmt.metric_name(metric))} by {axis}"
    name = f"{_file_name(metric)}_by_{_file_name(axis)}"
    return [Figure(name, title, lambda: _charts().metric_by_factor(inputs, metric))]


def cost_figures(inputs: Inputs, metric: str) -> list[Figure]:
    """A metric after the last epoch against parameters, FLOPs and time, if its points differ in one of these."""
    if metric not in inputs.measured or not summary.varying_costs(inputs, metric):
        return []
    title = f"{_capital(fmt.metric_name(metric))} by size and cost"
    return [Figure(f"{_file_name(metric)}_by_cost", title, lambda: _charts().metric_by_cost(inputs, metric))]


def curve_figures(inputs: Inputs, metric: str) -> list[Figure]:
    """A metric over the epochs, if one was recorded for a finished or diverged cell."""
    if summary.curve_bands(inputs, metric).empty and summary.diverged_curves(inputs, metric).empty:
        return []
    title = f"{_capital(fmt.metric_name(metric))} over the epochs"
    name = f"{_file_name(metric)}_curves"
    return [Figure(name, title, lambda: _charts().learning_curves(inputs, metric))]


def table_figures(inputs: Inputs) -> list[Figure]:
    """What probes and measurements found, as far as finished cells have tables with a chart."""
    found: dict[str, Figure] = {}
    for table in inputs.tables:
        for chart in table.charts:
            drawn = inside.panelled(inputs, table, chart)
            if drawn is not None:
                figure = _table_figure(inputs, table, chart, drawn)
                found.setdefault(figure.name, figure)
    return list(found.values())


def _table_figure(inputs: Inputs, table: ChartedTable, chart: Chart, drawn: inside.Panels) -> Figure:
    title = chart.title or f"{table.name.partition('/')[2]}: {chart.value} by {chart.over}".replace("_", " ")
    chosen = "_".join(map(str, chart.where.values()))
    name = _file_name("_".join(filter(None, [table.name, chosen, chart.value, "by", chart.over])))
    rest = f"The first {len(drawn.names)} of {len(drawn.names) + drawn.left_out} panels." if drawn.left_out else ""
    caption = " ".join(filter(None, [chart.caption, rest]))
    return Figure(name, _capital(title), lambda: _charts().table_chart(inputs, chart, drawn), caption)


def _charts() -> Any:
    from ablate.report import charts

    return charts


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

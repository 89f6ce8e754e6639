"""What built-in probes and measurements say of the charts of their tables."""

from __future__ import annotations

from collections import Counter

import pytest

from ablate import Chart, Measurement, Probe
from ablate.registry import entries, lookup
from ablate.registry.discovery import discover

from .measured import Given, measured, residual, signs

discover()
DECLARED = [
    (entry.name, Chart(**chart))
    for kind in ("probe", "measurement")
    for entry in entries(kind)
    for chart in entry.charts
    if Chart(**chart) not in (*Probe.charts, *Measurement.charts)
]


@pytest.mark.parametrize(("name", "chart"), DECLARED, ids=[f"{name}-{chart.value}" for name, chart in DECLARED])
def test_a_chart_says_what_it_shows(name: str, chart: Chart) -> None:
    assert chart.title
    assert chart.caption.endswith(".")


def test_no_two_charts_of_a_report_have_one_title() -> None:
    assert [title for title, count in Counter(chart.title for _, chart in DECLARED).items() if count > 1] == []


def test_the_charts_of_lesions_find_their_rows() -> None:
    _, rows = measured("lesion", Given(residual(-3.0, 1.0, -3.0), signs(1.0, -1.0)), k=[1], swaps=[1], draws=1)
    for chart in (Chart(**chart) for chart in lookup("measurement", "lesion").charts):
        for where in filter(None, (chart.where, chart.reference)):
            chosen = [row for row in rows if all(row[name] == value for name, value in where.items())]
            assert [row[chart.value] for row in chosen if row[chart.value] != ""], f"{where} chooses no row"

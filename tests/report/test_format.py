"""Numbers as people read them."""

from __future__ import annotations

import pytest

from ablate.report import format as fmt


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (850, "850"),
        (17_100, "17.1 k"),
        (999_960, "1.00 M"),
        (1_730_000, "1.73 M"),
        (4.08e7, "40.8 M"),
        (3.86e9, "3.86 G"),
    ],
)
def test_counts_have_three_digits_and_a_power(n: float, text: str) -> None:
    assert fmt.count(n) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.34, "12.3 s"), (59.96, "1 m 00 s"), (245, "4 m 05 s"), (3599.7, "1 h 00 m"), (7500, "2 h 05 m")],
)
def test_durations(seconds: float, text: str) -> None:
    assert fmt.duration(seconds) == text


def test_errors_are_shown_in_per_cent_and_losses_as_they_are() -> None:
    assert fmt.value("test/error", 0.1234) == "12.3 %"
    assert fmt.value("test/error", 0.0312) == "3.12 %"
    assert fmt.value("train/loss", 0.09876) == "0.0988"


def test_a_mean_has_the_decimals_that_its_interval_warrants() -> None:
    assert fmt.mean_interval("test/error", 0.05941, 0.05181, 0.06701) == "5.94 ± 0.76 %"
    assert fmt.mean_interval("train/loss", 0.2114, 0.1831, 0.2397) == "0.211 ± 0.028"
    assert fmt.mean_interval("train/loss", 0.2114, None, None) == "0.211"


def test_effects_carry_a_true_sign_and_their_unit() -> None:
    assert fmt.effect("train/loss", 0.0674, 0.0320, 0.1028) == "+0.067"
    assert fmt.effect_interval("train/loss", 0.0674, 0.0320, 0.1028) == "[+0.032, +0.103]"
    assert fmt.effect("test/error", -0.0014, -0.0050, 0.0022, unit=True) == "\u22120.14 pp"
    assert fmt.margin("test/error", 0.01) == "±1 percentage points"


def test_p_values_are_never_zero() -> None:
    assert [fmt.p_value(p) for p in (1e-9, 0.0312, 0.36, None)] == ["< 0.001", "0.031", "0.36", fmt.ABSENT]


def test_nothing_is_shown_as_minus_zero() -> None:
    assert fmt.number(-0.0001, 2, sign=True) == "+0.00"


@pytest.mark.parametrize(
    ("value", "text"),
    [(20, "20"), (20.0, "20"), (0.25, "0.25"), (True, "true"), (None, "null"), ("identity", "identity")],
)
def test_grid_values_as_text(value: object, text: str) -> None:
    assert fmt.label(value) == text


def test_metric_names() -> None:
    assert fmt.metric_axis("train/error") == "training error (%)"
    assert fmt.metric_name("epochs_to/0.1") == "epochs to 0.1"

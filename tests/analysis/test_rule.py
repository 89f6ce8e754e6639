"""The rule from figures to verdicts, as a table written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ablate.analysis import Criterion, decide

SMALL, LARGE = 0.001, 0.5

# p of an effect outside the margin, p of no effect; then the effect in the expected direction, and the verdict
SIGN_EXPECTED = [
    (SMALL, LARGE, 0.01, "equivalent"),
    (SMALL, SMALL, 0.01, "equivalent"),  # a difference that is there and does not matter
    (SMALL, SMALL, -0.01, "equivalent"),
    (SMALL, SMALL, 0.10, "equivalent"),
    (LARGE, SMALL, 0.10, "supported"),
    (LARGE, SMALL, 0.05, "supported"),  # exactly the margin
    (LARGE, SMALL, 0.04, "inconclusive"),  # of the expected sign, and short of the margin
    (LARGE, SMALL, 0.00, "inconclusive"),
    (LARGE, SMALL, -0.01, "contradicted"),  # at any size
    (LARGE, SMALL, -0.10, "contradicted"),
    (LARGE, SMALL, math.inf, "supported"),
    (LARGE, SMALL, -math.inf, "contradicted"),
    (LARGE, LARGE, 0.10, "inconclusive"),
    (LARGE, LARGE, -0.10, "inconclusive"),
    (math.nan, math.nan, 0.10, "inconclusive"),
    (math.nan, SMALL, 0.10, "supported"),
    (SMALL, math.nan, 0.10, "equivalent"),
]
ZERO_EXPECTED = [
    (SMALL, LARGE, "supported"),
    (LARGE, SMALL, "contradicted"),
    (LARGE, LARGE, "inconclusive"),
    (math.nan, SMALL, "contradicted"),
    (SMALL, math.nan, "supported"),
    (math.nan, math.nan, "inconclusive"),
]


@pytest.mark.parametrize(("outside", "none", "effect", "verdict"), SIGN_EXPECTED)
def test_where_a_sign_is_expected(outside: float, none: float, effect: float, verdict: str) -> None:
    assert str(decide(Criterion("positive", 0.05), effect, none, outside)) == verdict
    assert str(decide(Criterion("negative", 0.05), -effect, none, outside)) == verdict


@pytest.mark.parametrize(("outside", "within", "verdict"), ZERO_EXPECTED)
@pytest.mark.parametrize("effect", [-0.1, 0.0, 0.1, math.inf])
def test_where_none_is_expected_only_the_p_values_decide(
    effect: float, outside: float, within: float, verdict: str
) -> None:
    assert str(decide(Criterion("zero", 0.05), effect, within, outside)) == verdict


def test_without_a_margin_an_effect_of_zero_has_no_sign() -> None:
    for expect in ("positive", "negative"):
        assert str(decide(Criterion(expect, 0.0), 0.0, SMALL, LARGE)) == "inconclusive"
        effects = np.array([0.001, -0.001])
        found = decide(Criterion(expect, 0.0), effects, SMALL, LARGE).tolist()
        assert found == (["supported", "contradicted"] if expect == "positive" else ["contradicted", "supported"])


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_a_p_at_the_level_is_not_below_it(alpha: float) -> None:
    """As an interval whose end is exactly the bound neither excludes it nor lies inside."""
    below = np.nextafter([alpha, alpha / 2], 0)
    for expect, excluded, inside in (("positive", "supported", "equivalent"), ("zero", "contradicted", "supported")):
        criterion = Criterion(expect, 0.05, alpha)
        assert str(decide(criterion, 1.0, alpha, LARGE)) == "inconclusive"
        assert str(decide(criterion, 1.0, below[0], LARGE)) == excluded
        assert str(decide(criterion, 1.0, LARGE, alpha / 2)) == "inconclusive"
        assert str(decide(criterion, 1.0, LARGE, below[1])) == inside


@pytest.mark.parametrize("effect", [0.2, -0.2, math.nan, 0.0])
def test_a_verdict_of_ranks_needs_their_direction(effect: float) -> None:
    """The effect alone names no verdict, nor does a direction that the effect is opposed to."""
    for direction, verdict in ((1, "supported"), (-1, "contradicted"), (0, "inconclusive")):
        agrees = {1: effect > 0, -1: not effect > 0, 0: True}[direction]
        found = str(decide(Criterion("positive", 0.05), effect, SMALL, LARGE, direction))
        assert found == (verdict if agrees else "inconclusive")
        mirrored = str(decide(Criterion("negative", 0.05), -effect, SMALL, LARGE, -direction))
        assert mirrored == found


def test_many_studies_are_decided_as_each_is() -> None:
    outside, none, effects, verdicts = zip(*SIGN_EXPECTED, strict=True)
    assert decide(Criterion("positive", 0.05), effects, none, outside).tolist() == list(verdicts)


def test_a_criterion_is_one_claim_without_a_margin_at_five_per_cent_unless_said_otherwise() -> None:
    assert Criterion("positive") == Criterion("positive", margin=0.0, alpha=0.05, tests=1)


def test_the_hypothesis_of_no_difference_is_as_wide_as_the_margin_only_where_none_is_expected() -> None:
    assert [Criterion(expect, 0.05).tested_margin for expect in ("positive", "negative", "zero")] == [0, 0, 0.05]

"""What a number of seeds can see."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ablate.analysis import (
    Criterion,
    decide,
    decision_power,
    difference_p,
    equivalence_p,
    margin_for_zero,
    paired_t,
    power,
    seeds_to_decide,
    smallest_detectable_effect,
    supported_power,
)
from ablate.analysis.power_analysis import MOST_SEEDS


@pytest.mark.parametrize("n", [3, 6, 10])
@pytest.mark.parametrize("d", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_power_is_the_tail_of_the_noncentral_t(n, d, alpha):
    edge, shift = stats.t.ppf(1 - alpha / 2, n - 1), d * math.sqrt(n)
    expected = stats.nct.sf(edge, n - 1, shift) + stats.nct.cdf(-edge, n - 1, shift)
    assert power(n, d, alpha=alpha) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(("n", "d"), [(3, 3.26), (6, 1.435), (10, 0.996), (34, 0.4955)])
def test_the_smallest_detectable_effect_is_seen_with_80_per_cent(n, d):
    """n = 34 for d = 0.5 at 80 % is Cohen's (1988) figure for one sample."""
    assert smallest_detectable_effect(n) == pytest.approx(d, abs=0.005)
    assert power(n, smallest_detectable_effect(n)) == pytest.approx(0.8, abs=1e-6)
    assert smallest_detectable_effect(n, sd=0.1) == pytest.approx(0.1 * smallest_detectable_effect(n))


def test_more_claims_ask_for_a_larger_effect_and_one_seed_sees_none():
    assert smallest_detectable_effect(6, alpha=0.01) > smallest_detectable_effect(6)
    assert smallest_detectable_effect(1) == smallest_detectable_effect(0) == math.inf
    assert power(1, 5.0) == 0


@pytest.mark.parametrize("expect", ["positive", "negative", "zero"])
@pytest.mark.parametrize("effect", [-0.1, 0.0, 0.05, 0.12])
@pytest.mark.parametrize("n", [6, 20])
def test_decision_power_is_what_simulated_studies_show(expect, effect, n):
    """20,000 studies: a standard error of at most 0.0036."""
    criterion = Criterion(expect, margin=0.1)
    t = paired_t(np.random.default_rng(7).normal(effect, 0.1, (20_000, n)))
    p = difference_p(t.effect, t.sd, n, criterion.tested_margin)
    verdicts = decide(criterion, t.effect, p, equivalence_p(t.effect, t.sd, n, 0.1))
    assert decision_power(n, effect, 0.1, criterion) == pytest.approx(np.mean(verdicts != "inconclusive"), abs=0.015)


@pytest.mark.parametrize(
    ("effect", "criterion"),
    [
        (0.2, Criterion("positive", 0.05)),
        (-0.2, Criterion("positive", 0.05)),
        (0.01, Criterion("positive", 0.05)),
        (0.01, Criterion("zero", 0.05)),
        (0.2, Criterion("zero", 0.05, tests=5)),
    ],
)
def test_the_seeds_named_are_the_fewest_with_80_per_cent(effect, criterion):
    needed = seeds_to_decide(3, effect, 0.3, criterion)
    assert needed is not None
    assert decision_power(needed, effect, 0.3, criterion) >= 0.8 > decision_power(needed - 1, effect, 0.3, criterion)


def test_the_chance_of_the_expected_verdict():
    """A true zero at a margin of one standard deviation is seen to be none in 22 % of studies of six seeds."""
    assert supported_power(6, 0.0, 1.0, Criterion("zero", 1.0)) == pytest.approx(0.221, abs=0.001)
    assert margin_for_zero(6) == pytest.approx(1.659, abs=0.001)
    assert supported_power(6, 0.0, 1.0, Criterion("zero", margin_for_zero(6))) == pytest.approx(0.8)
    assert supported_power(6, 1.0, 1.0, Criterion("positive", 1.0)) == pytest.approx(0.396, abs=0.001)
    assert supported_power(40, 1.0, 1.0, Criterion("negative", 1.0)) < 1e-9
    assert supported_power(400, -1.0, 1.0, Criterion("negative", 1.0)) == pytest.approx(0.5)
    assert supported_power(1, 1.0, 1.0, Criterion("positive")) == 0
    assert margin_for_zero(1) == math.inf


def test_seeds_are_capped_and_left_open_where_nothing_can_be_estimated():
    assert seeds_to_decide(6, 0.05, 0.3, Criterion("positive", 0.05)) == MOST_SEEDS  # exactly at the margin
    assert seeds_to_decide(MOST_SEEDS, 0.1, 0.3, Criterion("positive", 0.05)) == MOST_SEEDS
    assert seeds_to_decide(1, 0.1, math.nan, Criterion("positive", 0.05)) is None
    assert seeds_to_decide(6, math.inf, 0.1, Criterion("positive", 0.05)) is None


def test_without_spread_the_sign_flip_says_how_many():
    assert seeds_to_decide(3, 0.3, 0.0, Criterion("positive", 0.05)) == 6
    assert seeds_to_decide(3, 0.3, 0.0, Criterion("positive", 0.05, tests=5)) == 8
    assert seeds_to_decide(3, 0.0, 0.0, Criterion("positive", 0.05, tests=5)) == 6
    assert seeds_to_decide(3, 0.0, 0.0, Criterion("zero", 0.05, tests=5)) == 8
    assert seeds_to_decide(3, 0.0, 0.0, Criterion("positive", 0.0)) is None
    assert seeds_to_decide(3, 0.05, 0.0, Criterion("zero", 0.05)) is None

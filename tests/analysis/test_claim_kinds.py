"""Trends, ratios, thresholds, static metrics, and selectors over several arms and values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ablate.analysis import contrast_values, judge, paired_t
from ablate.analysis.contrast import trend_weights
from ablate.errors import InputError

from .tables import claim, paired, results, with_status

DEPTHS = [20, 32, 56, 110]
NOISE = [0.011, -0.019, 0.015, -0.012, -0.005, 0.010]


def rising(slope: float):
    """plain's error rises by `slope` a step of depth, residual's stays."""
    cells = {("plain", depth): [0.1 + slope * k + x for x in NOISE] for k, depth in enumerate(DEPTHS)}
    cells |= {("residual", depth): [0.1 + 0.5 * x for x in NOISE] for depth in DEPTHS}
    return results(cells, "train/error")


def trend(**changes):
    return claim(**{"metric": "train/error", "contrast": {"plain": 1}, "trend": "depth", "margin": 0.01, **changes})


def test_a_trend_is_the_rise_of_the_least_squares_line():
    values = np.random.default_rng(0).normal(size=5)
    slope = np.polyfit(np.arange(5), values, 1)[0]
    assert np.dot(trend_weights(5), values) == pytest.approx(4 * slope)


def test_a_trend_goes_over_all_values_of_its_factor_by_size():
    shuffled = rising(0.05).sample(frac=1, random_state=0)
    assert list(contrast_values(shuffled, trend()).values.values()) == pytest.approx([0.15] * 6)
    (verdict,) = judge(rising(0.05), [trend()])
    assert (verdict.verdict, verdict.trend) == ("supported", "depth")
    assert verdict.sentence.startswith(
        "Supported: the rise of plain training error from the first to the last depth is +15"
    )


def test_two_trends_can_be_compared():
    (verdict,) = judge(rising(0.05), [trend(contrast={"plain": 1, "residual": -1})])
    assert verdict.effect == pytest.approx(0.15)
    assert verdict.sentence.startswith(
        "Supported: the rise of training error of plain minus residual from the first to the last depth is +15"
    )


def test_a_trend_over_a_pinned_factor_is_not_tested():
    frame = rising(0.05)
    (verdict,) = judge(frame[frame["depth"] == 20], [trend()])
    assert verdict.verdict == "not tested"
    assert verdict.sentence == "Not tested: this run has no cells of two values of depth."


def test_a_ratio_is_tested_on_the_log_scale_and_told_as_relative_change():
    rng = np.random.default_rng(0)
    pre = rng.lognormal(0, 0.3, 8)
    post = pre * rng.lognormal(math.log(1.5), 0.1, 8)
    frame = results({("post", 110): post, ("pre", 110): pre}, "seconds")
    (verdict,) = judge(frame, [claim(metric="seconds", scale="ratio", margin=0.1)])
    t = paired_t(np.log(post / pre))
    assert verdict.effect == pytest.approx(math.exp(t.effect) - 1)
    assert verdict.low == pytest.approx(math.exp(t.low) - 1)
    assert verdict.p == pytest.approx(float(t.p))
    assert verdict.values[3] == pytest.approx(post[3] / pre[3] - 1)
    assert verdict.verdict == "supported"
    assert "at depth 110 post over pre training time is +" in verdict.sentence
    assert verdict.sentence.endswith("at least the 10 % that matters.")


def test_the_margin_of_a_ratio_is_as_wide_downwards_as_upwards():
    """A tenth more is as far as a tenth more the other way round: 1 / 1.1."""
    inside, outside = 1 / 1.09, 1 / 1.11
    for factor, expected in ((inside, "equivalent"), (outside, "contradicted")):
        pre = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        jitter = np.exp(0.0005 * np.array([1, -1, 1, -1, 1, -1]))
        frame = results({("post", 110): pre * factor * jitter, ("pre", 110): pre}, "seconds")
        assert judge(frame, [claim(metric="seconds", scale="ratio", margin=0.1)])[0].verdict == expected


def test_a_value_without_a_logarithm_is_missing_with_the_reason():
    frame = results({("post", 110): [0.2, -0.5, 0.1], ("pre", 110): [0.1, 0.1, 0.1]}, "PROBE/shift")
    found = contrast_values(frame, claim(metric="PROBE/shift", scale="ratio"))
    assert list(found.values) == [0, 2]
    assert found.missing == ["post@depth=110 seed 1: PROBE/shift -0.5 has no logarithm"]
    bare = results({("post", 110): [0], ("pre", 110): [10]}, "params")
    assert contrast_values(bare, claim(metric="params", scale="ratio")).missing == [
        "post@depth=110 seed 0: params 0 has no logarithm"
    ]


def test_no_errors_at_all_rank_below_any_ratio():
    frame = results({("post", 110): [0.2, 0.0, 0.1, 0.0], ("pre", 110): [0.1, 0.1, 0.0, 0.0]}, "train/error")
    found = contrast_values(frame, claim(metric="train/error", scale="ratio"))
    assert found.values == {0: pytest.approx(math.log(2)), 1: -math.inf, 2: math.inf, 3: 0.0}
    assert (found.missing, found.diverged) == ([], [])
    assert found.perfect == [
        "post@depth=110 seed 1", "pre@depth=110 seed 2", "post@depth=110 seed 3", "pre@depth=110 seed 3",
    ]  # fmt: skip


def test_an_arm_that_is_perfect_in_half_of_the_seeds_is_not_called_worse():
    """Where it errs it has two errors, and the other arm always one: by the ratios alone it would be twice as bad."""
    post = [0.0, 2 / 360] * 6
    (verdict,) = judge(
        results({("post", 110): post, ("pre", 110): [1 / 360] * 12}, "test/error"),
        [claim(metric="test/error", scale="ratio", margin=0.1)],
    )
    assert (verdict.verdict, verdict.test, verdict.n) == ("inconclusive", "signed rank", 12)
    assert (verdict.above, verdict.below, len(verdict.perfect)) == (6, 6, 6)
    assert verdict.effect is not None
    assert verdict.effect <= 0
    assert "6 cells of value 0 ranked lowest" in verdict.sentence
    assert "no difference" not in verdict.sentence
    assert any("ranked below all others" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("change", "expect", "verdict"),
    [
        (-0.095, "negative", "supported"),
        (-0.0900, "negative", "equivalent"),
        (0.105, "positive", "supported"),
        (0.095, "positive", "equivalent"),
    ],
)
def test_a_ratio_reaches_the_margin_that_it_is_held_against(change, expect, verdict):
    """A margin of 10 % is 9.09 % downwards, in the verdict and in its words."""
    jitter = np.exp(0.0001 * np.array([1, -1, 1, -1, 1, -1]))
    frame = results({("post", 110): (1 + change) * jitter, ("pre", 110): [1.0] * 6}, "seconds")
    (found,) = judge(frame, [claim(metric="seconds", scale="ratio", margin=0.1, expect=expect)])
    assert found.verdict == verdict
    assert found.bounds == pytest.approx((-1 / 11, 0.1))
    if verdict == "equivalent":
        assert "smaller than the 10 % that matters (9.09 % downwards)" in found.sentence
    else:
        assert f"at least the {'9.09' if change < 0 else '10'} % that matters" in found.sentence


def test_a_threshold_is_subtracted():
    frame = results({("post", 110): [0.64, 0.66, 0.7, 0.65, 0.68, 0.72]}, "train/error")
    one = claim(metric="train/error", contrast={"post@depth=110": 1}, threshold=0.6, margin=0.01)
    (verdict,) = judge(frame, [one])
    assert verdict.effect == pytest.approx(0.075)
    assert verdict.verdict == "supported"
    assert verdict.sentence.startswith("Supported: training error of post at depth 110 minus 60 % is +7.5")


@pytest.mark.parametrize(
    ("expect", "margin", "verdict"),
    [
        ("positive", 100, "supported"),
        ("positive", 400, "equivalent"),
        ("negative", 100, "contradicted"),
        ("negative", 400, "equivalent"),
        ("zero", 100, "contradicted"),
        ("zero", 300, "supported"),
        ("zero", 0, "contradicted"),
    ],
)
def test_a_static_metric_is_compared_without_seeds(expect, margin, verdict):
    frame = results({("post", 110): [1300], ("pre", 110): [1000]}, "params")
    (found,) = judge(frame, [claim(metric="params", expect=expect, margin=margin)])
    assert (found.verdict, found.effect, found.n, found.test) == (verdict, 300, 1, "exact")
    assert found.p_holm is None
    assert found.notes == []
    assert "says nothing of how they train" in found.not_shown


def test_equal_networks_are_equal_exactly():
    frame = results({("post", 110): [1000], ("pre", 110): [1000]}, "params")
    assert judge(frame, [claim(metric="params", expect="zero", margin=0)])[0].verdict == "supported"
    assert judge(frame, [claim(metric="params", margin=0)])[0].verdict == "inconclusive"


def test_a_static_metric_needs_no_training_and_takes_no_part_in_holm():
    frame = paired([0.3 + x for x in NOISE]).assign(params=1000)
    frame["params"] += 500 * (frame["arm"] == "post")
    pending = with_status(frame, "pre", [0, 1, 2, 3, 4, 5], "pending")
    ratio = claim(id="size", metric="params", scale="ratio", margin=0.1)
    size, gap = judge(pending, [ratio, claim()])
    assert (size.verdict, size.effect) == ("supported", pytest.approx(0.5))
    assert gap.n == 0
    size, gap = judge(frame, [ratio, claim()])
    assert gap.p_holm == gap.p


def test_selectors_over_several_arms_and_values_take_the_mean():
    frame = results({(arm, depth): [k] for k, (arm, depth) in enumerate((a, d) for a in "abc" for d in (20, 56, 110))})
    every = claim(contrast={"*@depth=110": 1, "*@depth=20": -1})
    assert contrast_values(frame, every).values == {0: pytest.approx(2.0)}
    some = claim(contrast={"a|b@depth=20|56": 1, "c@depth=110": -1})
    assert contrast_values(frame, some).values == {0: pytest.approx((0 + 1 + 3 + 4) / 4 - 8)}
    assert contrast_values(frame, claim(contrast={"a|d@depth=20": 1, "c": -1})).absent == ["a|d@depth=20"]
    (verdict,) = judge(frame, [every])
    assert "all arms at depth 110 minus all arms at depth 20" in verdict.sentence


def test_a_ratio_of_diverged_cells_ranks_them_as_worst():
    frame = with_status(paired([0.3 + x for x in NOISE]), "post", [0, 1], "diverged")
    (verdict,) = judge(frame, [claim(scale="ratio", margin=0.1)])
    assert (verdict.test, verdict.values[0], verdict.effect) == ("signed rank", math.inf, math.inf)


def test_every_verdict_says_what_it_does_not_show():
    for effect, margin in ((0.3, 0.05), (0.05, 0.03), (-0.3, 0.05), (0.01, 0.2), (0.005, 0.001)):
        (verdict,) = judge(paired([effect + 5 * x for x in NOISE]), [claim(margin=margin)])
        assert verdict.not_shown.startswith("Not shown")
    (untested,) = judge(paired([0.1]), [claim(contrast={"a": 1, "b": -1})])
    assert untested.not_shown == ""


@pytest.mark.parametrize("contrast", [{"post|": 1, "pre": -1}, {"post@depth=20|": 1, "pre": -1}])
def test_an_empty_alternative_is_refused(contrast):
    with pytest.raises(InputError, match="cannot be read"):
        contrast_values(paired([0.1]), claim(contrast=contrast))

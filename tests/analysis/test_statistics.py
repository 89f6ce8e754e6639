"""Against figures worked out by hand, and against scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from ablate.analysis import difference_p, equivalence_p, holm, paired_t, sign_flip_p, signed_rank_p
from ablate.analysis.ranks import pseudomedian, signed_rank
from ablate.analysis.statistics import least_seeds

SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]  # Student 1908: hours gained, second drug over first


def test_students_own_example():
    t = paired_t(SLEEP)
    assert (float(t.effect), float(t.sd)) == pytest.approx((1.58, 1.2299955), abs=1e-6)
    assert (float(t.low), float(t.high)) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)
    assert float(t.p) == pytest.approx(0.00283289, abs=1e-8)


@pytest.mark.parametrize("n", [2, 3, 6, 10, 24])
def test_paired_t_agrees_with_scipy(n):
    post, pre = np.random.default_rng(n).normal([[0.6], [0.5]], 0.1, (2, n))
    ours, theirs = paired_t(post - pre), stats.ttest_rel(post, pre)
    interval = theirs.confidence_interval(0.95)
    assert float(ours.p) == pytest.approx(theirs.pvalue, abs=1e-8)
    assert (float(ours.low), float(ours.high)) == pytest.approx((interval.low, interval.high), abs=1e-8)


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.2])
def test_margin_tests_agree_with_one_sided_tests_of_scipy(margin):
    for seed in range(20):
        values = np.random.default_rng(seed).normal(0.1, 0.1, 6)
        t = paired_t(values)
        above = stats.ttest_1samp(values, margin, alternative="greater").pvalue
        below = stats.ttest_1samp(values, -margin, alternative="less").pvalue
        assert float(difference_p(t.effect, t.sd, 6, margin)) == pytest.approx(min(1, 2 * min(above, below)), abs=1e-8)
        assert float(equivalence_p(t.effect, t.sd, 6, margin)) == pytest.approx(1 - min(above, below), abs=1e-8)


def test_intervals_and_margin_tests_say_the_same():
    values = np.random.default_rng(0).normal(0.03, 0.05, (2000, 6))
    t = paired_t(values)
    inside, outside = (t.low > -0.06) & (t.high < 0.06), (t.low > 0.06) | (t.high < -0.06)
    assert 0 < inside.mean() < 1
    np.testing.assert_array_equal(equivalence_p(t.effect, t.sd, 6, 0.06) < 0.025, inside)
    np.testing.assert_array_equal(difference_p(t.effect, t.sd, 6, 0.06) < 0.05, outside)


@pytest.mark.parametrize("values", [[], [0.3]])
def test_fewer_than_two_values_have_no_interval_and_no_p(values):
    t = paired_t(values)
    assert np.isnan([t.sd, t.low, t.high, t.p]).all()
    assert float(t.effect) == 0.3 if values else np.isnan(t.effect)


def test_equal_values_have_an_interval_of_no_width_and_the_p_of_the_sign_flip():
    t = paired_t([0.3] * 6)
    assert [float(x) for x in (t.sd, t.low, t.high)] == pytest.approx([0, 0.3, 0.3])
    assert float(t.p) == pytest.approx(float(sign_flip_p([0.3] * 6))) == pytest.approx(2 / 64)
    assert float(equivalence_p(t.effect, t.sd, 6, 0.5)) == pytest.approx(1 / 64)
    assert float(equivalence_p(t.effect, t.sd, 6, 0.2)) == 1


def test_equal_values_up_to_rounding_count_as_equal():
    assert float(paired_t([2.3 - 2.2, 1.3 - 1.2, 0.3 - 0.2]).sd) == 0


def test_zeros_show_no_difference():
    t = paired_t([0.0] * 6)
    assert [float(x) for x in (t.effect, t.sd, t.low, t.high, t.p)] == [0, 0, 0, 0, 1]
    assert float(equivalence_p(t.effect, t.sd, 6, 0.1)) == pytest.approx(1 / 64)
    assert float(sign_flip_p([0.0] * 6)) == 1
    assert signed_rank_p([0.0] * 6) == 1


def test_sign_flip_by_hand():
    assert float(sign_flip_p([1, 2, 3])) == 2 / 8  # only +++ and --- reach 6
    assert float(sign_flip_p([3, -1, 1])) == 6 / 8  # |sum| of at least 3: all but 3-1-1 and its mirror
    assert float(sign_flip_p([1, 1, 0])) == 4 / 8  # a zero's flip changes nothing
    assert float(sign_flip_p([0.1, 0.2, -0.3])) == 1  # a sum of rounding alone
    assert float(sign_flip_p([5])) == 1


@pytest.mark.parametrize("n", [2, 3, 6, 9, 12])
@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_sign_flip_agrees_with_scipy(n, decimals):
    values = np.round(np.random.default_rng(n).normal(0.7, 1.0, n), decimals)  # few decimals: ties and zeros
    zeros = np.zeros(n)
    theirs = stats.permutation_test(
        (values, zeros), lambda a, b, axis: np.mean(a - b, axis), permutation_type="samples", n_resamples=5000,
        vectorized=True, axis=-1,
    )  # fmt: skip
    assert float(sign_flip_p(values)) == pytest.approx(theirs.pvalue, abs=1e-8)


def test_six_seeds_are_the_least_at_which_the_sign_flip_reaches_a_twentieth():
    assert [float(sign_flip_p(np.arange(1, n + 1))) < 0.05 for n in range(1, 9)] == [False] * 5 + [True] * 3


def test_sign_flip_takes_many_studies_at_once_and_refuses_what_it_cannot_enumerate():
    many = np.random.default_rng(1).normal(size=(4, 3, 6))
    each = [[float(sign_flip_p(values)) for values in study] for study in many]
    np.testing.assert_allclose(sign_flip_p(many), each)
    assert np.isnan(sign_flip_p([]))
    with pytest.raises(ValueError, match="at most 12"):
        sign_flip_p(np.ones(13))


@pytest.mark.parametrize("n", [2, 6, 10, 30])
def test_signed_rank_agrees_with_scipy_where_there_are_no_ties(n):
    values = np.random.default_rng(n).normal(0.4, 1.0, n)
    assert signed_rank_p(values) == pytest.approx(stats.wilcoxon(values, method="exact").pvalue, abs=1e-8)


@pytest.mark.parametrize(
    "values", [[np.inf, np.inf, 0.3, -0.1, 0.2, 0.0], [-np.inf, 2, 2, 1, np.inf, 5], [1, 1, 1, -1]]
)
def test_signed_rank_is_exact_with_ties_zeros_and_infinities(values):
    moved = np.array([value for value in values if value != 0])
    ranks = stats.rankdata(np.abs(moved)) * np.sign(moved)
    flips = [abs(np.dot(signs, np.abs(ranks))) for signs in itertools.product([1, -1], repeat=len(ranks))]
    assert signed_rank_p(values) == pytest.approx(np.mean(np.array(flips) >= abs(ranks.sum()) - 1e-9), abs=1e-12)


def test_signed_rank_against_a_margin_counts_from_its_near_end():
    assert signed_rank_p([0.3, 0.4, 0.5, 0.6, 0.7, np.inf], margin=0.1) == pytest.approx(2 / 64)
    assert signed_rank_p([-0.3, -0.4, -0.5, -0.6, -0.7, -np.inf], margin=0.1) == pytest.approx(2 / 64)
    assert signed_rank_p([0.3, 0.4, 0.5, 0.6, 0.7, 0.8], margin=1.0) == 1
    assert np.isnan(signed_rank_p([]))


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([[0.5, 0.9], [0.04, 0.03]]), [[1, 1], [0.06, 0.06]])
    np.testing.assert_allclose(holm([0.02]), [0.02])
    assert holm([]).size == 0


@pytest.mark.parametrize("claims", [1, 2, 5, 12])
def test_holm_agrees_with_statsmodels(claims):
    p = np.random.default_rng(claims).uniform(size=claims) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n", [3, 6, 10, 20])
def test_equivalence_agrees_with_the_two_one_sided_tests_of_statsmodels(n):
    rng = np.random.default_rng(n)
    post, pre = rng.normal(0.5, 0.3, n), rng.normal(0.45, 0.2, n)
    t = paired_t(post - pre)
    theirs = ttost_paired(post, pre, -0.4, 0.4)[0]
    np.testing.assert_allclose(equivalence_p(t.effect, t.sd, t.n, 0.4), theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n", [3, 6, 10])
def test_sign_flip_agrees_with_scipys_permutation_test(n):
    values = np.random.default_rng(n).normal(0.4, 1.0, n)
    theirs = stats.permutation_test(
        (values, np.zeros(n)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert sign_flip_p(values) == pytest.approx(theirs.pvalue, abs=1e-8)


@pytest.mark.parametrize("alpha", [0.5, 0.3, 0.25, 0.2, 0.1, 0.05, 0.03125, 0.01, 0.005, 0.001])
def test_the_least_seeds_are_those_whose_all_equal_signs_are_rare_enough(alpha):
    assert least_seeds(alpha) == next(n for n in range(1, 50) if 2 / 2**n < alpha)


def test_holm_over_five_claims_asks_for_eight_seeds():
    assert [least_seeds(0.05, tests) for tests in (1, 2, 3, 5, 10)] == [6, 7, 7, 8, 9]


def test_ranks_say_on_which_side_they_lie():
    assert signed_rank([0.01] * 14 + [-np.inf] * 13).direction == -1
    assert signed_rank([1, 2, -3]).direction == 0
    assert signed_rank([]).direction == 0
    assert signed_rank([0.3, 0.4], margin=1.0).direction == 0
    assert pseudomedian([1.0, 2.0, 6.0]) == 2.75  # of 1, 1.5, 2, 3.5, 4, 6
    assert pseudomedian([]) is None


def test_differences_of_whole_images_are_tied():
    b = np.array([20, 17, 5, 3, 26, 23, 25])
    gaps = (b + np.array([0, 2, 1, 1, 2, -1, 1])) / 360 - b / 360
    assert len(set(np.abs(gaps))) > 3  # by rounding
    assert signed_rank_p([np.inf, *gaps[1:]]) == pytest.approx(0.078125)


def test_values_of_any_number_type_are_tested_as_they_are():
    """Sums of single precision are rounded, and unsigned integers have no negative."""
    single = np.array([0.1, 0.2, 0.3], dtype=np.float32)
    assert float(sign_flip_p(single)) == 2 / 8
    assert signed_rank_p(single) == 2 / 8
    whole = np.array([1, 2, 3], dtype=np.uint8)
    assert float(sign_flip_p(whole)) == signed_rank_p(whole) == 2 / 8
    assert signed_rank_p(whole, margin=5) == 1
    assert float(paired_t(whole).effect) == 2


def test_sign_flips_of_many_studies_do_not_depend_on_each_other():
    np.testing.assert_array_equal(sign_flip_p([[1e13, 1e13, 1e13], [1.0, 2.0, -3.5]]), [2 / 8, 1.0])
    np.testing.assert_array_equal(sign_flip_p([[1e15, 1e15, 1e15], [1.0, 2.0, 3.0]]), [2 / 8, 2 / 8])
    assert np.isnan(sign_flip_p(np.empty((4, 0)))).tolist() == [True] * 4


@pytest.mark.parametrize("seed", range(12))
def test_signed_rank_is_exact_with_many_ties(seed):
    """Against all sign patterns: ties share halves of ranks."""
    values = np.random.default_rng(seed).integers(-2, 5, 9)
    moved = values[values != 0]
    ranks = stats.rankdata(np.abs(moved))
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product([0, 1], repeat=len(ranks))])
    above, below = (np.mean(sums >= ranks[side].sum() - 1e-9) for side in (moved > 0, moved < 0))
    assert signed_rank_p(values) == pytest.approx(min(1.0, 2 * min(above, below)), abs=1e-12)


def test_single_precision_is_counted_in_double():
    single = np.array([0.1, 0.2, 0.35], dtype=np.float32)
    one, other = paired_t(single), paired_t(single.astype(float))
    for name in ("effect", "sd", "low", "high", "p"):
        assert float(getattr(one, name)) == float(getattr(other, name))
    assert holm(single).tolist() == holm(single.astype(float)).tolist()
    effect, sd = single[:2]
    for test in (difference_p, equivalence_p):
        assert float(test(effect, sd, 6, single[2])) == float(test(float(effect), float(sd), 6, float(single[2])))


def test_many_studies_of_one_seed_have_an_effect_each_and_nothing_else():
    t = paired_t([[0.1], [0.2], [0.3]])
    assert t.effect.tolist() == [0.1, 0.2, 0.3]
    assert [np.isnan(x).tolist() for x in (t.sd, t.low, t.high, t.p)] == [[True] * 3] * 4

"""The figures of a claim under each of the three tests: every field, worked out by hand or by another way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ablate.analysis import Criterion, holm, judge, paired_t, seeds_to_decide, signed_rank_p

from .tables import claim, paired, results, with_status

NOISE = np.array([0.011, -0.019, 0.015, -0.012, -0.005, 0.010])


def params(post, pre, **changes):
    return judge(results({("post", 110): post, ("pre", 110): pre}, "params"), [claim(metric="params", **changes)])[0]


def diverged(gaps, post=(), pre=(), **changes):
    """The verdict where post (or pre) diverged at these seeds."""
    frame = with_status(with_status(paired(gaps), "post", list(post), "diverged"), "pre", list(pre), "diverged")
    return judge(frame, [claim(**changes)])[0]


def test_a_static_metric_has_one_value_and_no_chance():
    verdict = params([1300] * 3, [1000] * 3, margin=100)
    assert (verdict.effect, verdict.low, verdict.high, verdict.n) == (300, 300, 300, 1)
    assert (verdict.seeds, verdict.values) == ([0], {0: 300})
    assert (verdict.looks, verdict.look, verdict.open) == ([], None, False)
    assert (verdict.p, verdict.p_holm, verdict.p_signflip, verdict.p_equivalence, verdict.sd) == (None,) * 5


def test_a_static_metric_is_not_looked_at_several_times():
    frame = results({("post", 110): [1300] * 3, ("pre", 110): [1000] * 3}, "params")
    (verdict,) = judge(frame, [claim(metric="params")], looks=(6, 9))
    assert (verdict.verdict, verdict.looks, verdict.look, verdict.open) == ("supported", [], None, False)


def test_a_static_metric_that_no_network_has_yet_is_inconclusive():
    verdict = params([math.nan], [math.nan])
    assert (verdict.verdict, verdict.test, verdict.n, verdict.effect) == ("inconclusive", "exact", 0, None)
    assert verdict.sentence == (
        "Inconclusive: at depth 110 post minus pre parameters cannot be given, as no seed has every result that it "
        "needs."
    )


@pytest.mark.parametrize(("margin", "verdict"), [(299, "contradicted"), (200, "contradicted"), (300, "supported")])
def test_a_static_difference_is_none_up_to_the_margin(margin, verdict):
    assert params([1300], [1000], expect="zero", margin=margin).verdict == verdict


@pytest.mark.parametrize(("margin", "verdict"), [(301, "equivalent"), (300, "supported"), (0, "supported")])
def test_a_static_difference_counts_from_the_margin_on(margin, verdict):
    assert params([1300], [1000], margin=margin).verdict == verdict
    assert params([1000], [1300], expect="negative", margin=margin).verdict == verdict


def test_a_static_difference_of_one_is_one():
    assert params([1001], [1000], margin=0).verdict == "supported"
    assert params([1001], [1000], margin=0, expect="negative").verdict == "contradicted"


def test_two_seeds_have_a_sign_flip_of_one_half():
    (verdict,) = judge(paired([0.3, 0.4]), [claim()])
    assert (verdict.p_signflip, verdict.n) == (0.5, 2)


def test_the_p_of_equivalence_is_told_up_to_one():
    (verdict,) = judge(paired(0.3 + NOISE), [claim()])
    assert verdict.p_equivalence > 0.999


def test_tests_disagree_where_only_one_lies_below_the_level():
    """Six values of one sign: the exact sign-flip is 2 / 64."""
    values = paired(0.3 + NOISE)
    assert [judge(values, [claim()], alpha=alpha)[0].disagreement for alpha in (0.05, 2 / 64, 0.02)] == [
        False, True, True,
    ]  # fmt: skip
    assert not judge(paired([0.25] * 6), [claim()], alpha=2 / 64)[0].disagreement  # both are 2 / 64


@pytest.mark.parametrize(("factor", "expected"), [(1.09, "equivalent"), (1.098, "equivalent"), (1.102, "contradicted")])
def test_a_ratio_is_held_against_the_logarithm_of_one_plus_the_margin(factor, expected):
    pre = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    jitter = np.exp(0.00005 * np.array([1, -1, 1, -1, 1, -1]))
    frame = results({("post", 110): pre / factor * jitter, ("pre", 110): pre}, "train/loss")
    assert judge(frame, [claim(scale="ratio", margin=0.1)])[0].verdict == expected


def test_a_ratio_of_one_seed_has_no_interval():
    (verdict,) = judge(results({("post", 110): [3.0], ("pre", 110): [2.0]}), [claim(scale="ratio", margin=0.1)])
    assert (verdict.effect, verdict.low, verdict.high, verdict.p) == (pytest.approx(0.5), None, None, None)


def test_one_seed_that_diverged_shows_nothing():
    verdict = diverged([0.3], post=[0])
    assert (verdict.verdict, verdict.test, verdict.n, verdict.effect) == ("inconclusive", "signed rank", 1, math.inf)
    assert (verdict.p, verdict.p_holm, verdict.seeds_needed) == (None, None, [])
    assert verdict.diverged == ["post@depth=110 seed 0"]


def test_two_seeds_are_enough_for_ranks():
    verdict = diverged([0.3, 0.4], post=[0])
    assert (verdict.p, verdict.p_holm, verdict.verdict) == (0.5, 0.5, "inconclusive")


@pytest.mark.parametrize(
    ("gaps", "effect"),
    [
        ([0, 0.1, 0.2, 0.3, 0.4], 0.3),  # 15 means of pairs: 0.1, 0.15, 0.2 (twice), 0.25 (twice), 0.3 (twice), ...
        ([0, 0.6, 0.2, 0.5, 0.1, 0.4], 0.45),
        ([0, 0.2], math.inf),
        ([0, 0.7, 0.2], math.inf),
    ],
)
def test_the_effect_by_ranks_counts_a_diverged_cell_as_farthest(gaps, effect):
    assert diverged(gaps, post=[0]).effect == pytest.approx(effect)


def test_an_effect_between_the_two_infinities_is_none():
    gaps = [0.3] * 6
    for scale in ("difference", "ratio"):
        assert diverged(gaps, post=[0, 1, 2], pre=[3, 4, 5], scale=scale, margin=0.1).effect is None
    assert diverged(gaps, post=[0, 1, 2], pre=[3]).effect == pytest.approx(math.inf)


def test_ranks_have_the_direction_and_the_median_has_not():
    """14 seeds a little above, and 13 in which the other arm diverged: the ranks lie below zero."""
    verdict = diverged([0.01] * 27, pre=range(13), margin=0)
    assert verdict.p < 0.05
    assert (verdict.verdict, verdict.effect, verdict.above, verdict.below) == ("contradicted", -math.inf, 14, 13)
    assert "of the other sign" in verdict.sentence
    assert diverged([0.01] * 27, pre=range(13), margin=0, expect="negative").verdict == "supported"


def test_a_difference_is_shown_only_on_the_side_of_the_ranks():
    """Four ties, three above and six below."""
    gaps = [0, 0, 0, 0, 0.01, 0.02, 0.015, -0.5, -0.6, -0.7, -0.8, -0.9, -1.0]
    frame = with_status(with_status(paired(gaps), "post", [0], "diverged"), "pre", [0], "diverged")
    for margin in (0.0, 0.005, 0.5):
        verdict = judge(frame, [claim(margin=margin)])[0]
        assert (verdict.above, verdict.below, verdict.n) == (3, 6, 13)
        assert "positive difference is shown" not in verdict.sentence


def test_ranks_are_tested_against_the_margin_where_none_is_expected():
    """Six positive values of which five lie within the margin: a difference, and none that matters."""
    gaps = [0.02, 0.02, 0.03, 0.01, 0.04, 0.02]
    values = [math.inf, *gaps[1:]]
    zero, positive = diverged(gaps, post=[0], expect="zero"), diverged(gaps, post=[0])
    assert zero.p_holm == pytest.approx(signed_rank_p(values, 0.05))
    assert (zero.verdict, positive.verdict) == ("inconclusive", "inconclusive")
    assert positive.p_holm == positive.p == zero.p == pytest.approx(2 / 64)


def test_holm_goes_over_tests_of_every_kind():
    frame = with_status(paired(0.3 + NOISE), "post", [0], "diverged").assign(**{"test/loss": np.nan, "params": 1000})
    frame["test/loss"] = 0.5 + 0.2 * (frame["arm"] == "post") + np.tile(NOISE, 2) * (frame["arm"] == "post")
    frame.loc[frame["status"] == "diverged", "test/loss"] = np.nan
    loss = claim(id="loss", metric="test/loss", contrast={"post@depth=110": 1}, threshold=0.6)
    others = [claim(id="size", metric="params", expect="zero"), claim(id="gone", contrast={"a": 1, "b": -1})]
    ranked, also, size, gone = judge(frame, [claim(), loss, *others])
    assert [ranked.p_holm, also.p_holm] == pytest.approx(holm([ranked.p, also.p]).tolist())
    assert (size.p_holm, gone.p_holm) == (None, None)


def test_the_seeds_needed_allow_for_the_other_claims():
    values = 0.06 + 6 * NOISE
    frame = paired(values)
    alone = judge(frame, [claim(margin=0)])[0]
    among = judge(frame, [claim(id=str(k), margin=0) for k in range(5)])[0]
    t = paired_t(values)
    error = float(t.sd) / math.sqrt(6)
    for verdict, tests in ((alone, 1), (among, 5)):
        strict = Criterion("positive", alpha=0.025, tests=tests)  # as the last of several looks is
        ends = [seeds_to_decide(6, float(t.effect) + k * error, float(t.sd), strict) for k in (1, -1)]
        assert verdict.seeds_needed == ends
    assert among.seeds_needed[0] > alone.seeds_needed[0]


def test_an_untested_claim_lists_what_it_lacks():
    (verdict,) = judge(paired([0.3, 0.4]), [claim(metric="q")])
    assert verdict.sentence == "Not tested: no cell recorded q."
    places = [f"{arm}@depth=110 seed {seed}" for seed in (0, 1) for arm in ("post", "pre")]
    assert verdict.missing == [f"{place}: no q recorded" for place in places]
    assert (verdict.verdict, verdict.n, verdict.not_shown) == ("not tested", 0, "")


def test_every_gap_of_a_narrowed_run_is_named():
    (verdict,) = judge(paired([0.3]), [claim(contrast={"post@depth=56": 1, "gone": -1})])
    assert verdict.sentence == "Not tested: this run has no cells of post@depth=56, gone."


def test_a_table_without_statuses_is_one_of_finished_cells():
    frame = paired(0.3 + NOISE)
    bare = frame.drop(columns="status")
    assert judge(bare, [claim()]) == judge(frame, [claim()])
    (verdict,) = judge(bare, [claim(metric="train/lozz")])
    assert verdict.sentence == "Not tested: no cell recorded train/lozz; the nearest is train/loss."

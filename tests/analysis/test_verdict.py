"""Verdicts on tables whose answer is known."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pandas as pd
import pytest

from ablate.analysis import Verdict, judge, paired_t
from ablate.config.schema import Claim

from .tables import claim, paired, results, with_status

NOISE = [0.01, -0.02, 0.015, -0.005, 0.0, 0.01]


def around(effect, noise=NOISE):
    return [effect + x for x in noise]


def verdict_on(differences, **changes):
    metric = changes.get("metric", "train/loss")
    return judge(paired(differences, metric), [claim(**changes)])[0]


@pytest.mark.parametrize(
    ("effect", "expect", "margin", "expected"),
    [
        (0.3, "positive", 0.05, "supported"),
        (0.3, "positive", 0.0, "supported"),
        (-0.3, "negative", 0.05, "supported"),
        (-0.3, "positive", 0.05, "contradicted"),
        (0.3, "negative", 0.05, "contradicted"),
        (0.002, "positive", 0.05, "equivalent"),
        (0.03, "positive", 0.05, "equivalent"),  # zero is excluded, and the difference does not matter
        (-0.03, "positive", 0.05, "equivalent"),  # the same on the other side
        (-0.03, "positive", 0.02, "contradicted"),  # the interval reaches beyond the margin
        (0.048, "positive", 0.05, "inconclusive"),  # of the expected sign, short of the margin
        (0.002, "positive", 0.0, "inconclusive"),
        (0.002, "zero", 0.05, "supported"),
        (0.03, "zero", 0.05, "supported"),
        (0.3, "zero", 0.05, "contradicted"),
        (-0.3, "zero", 0.05, "contradicted"),
        (0.055, "zero", 0.05, "inconclusive"),
    ],
)
def test_the_rule(effect, expect, margin, expected):
    assert verdict_on(around(effect), expect=expect, margin=margin).verdict == expected


def test_the_figures_are_those_of_the_paired_t():
    verdict = verdict_on(around(0.3))
    t = paired_t(around(0.3))
    assert [verdict.effect, verdict.low, verdict.high] == pytest.approx([float(t.effect), float(t.low), float(t.high)])
    assert [verdict.sd, verdict.p, verdict.p_holm] == pytest.approx([float(t.sd), float(t.p), float(t.p)])
    assert verdict.d == pytest.approx(float(t.effect / t.sd))
    assert (verdict.n, verdict.seeds, verdict.test) == (6, [0, 1, 2, 3, 4, 5], "paired t")
    assert verdict.values == pytest.approx(dict(enumerate(around(0.3))))
    assert verdict.p_signflip == pytest.approx(2 / 64)
    assert (verdict.notes, verdict.seeds_needed, verdict.plan, verdict.apart) == ([], [], {}, [])


def test_an_effect_of_exactly_the_margin_reaches_it():
    frame = results({("post", 110): [0.30] * 6, ("pre", 110): [0.25] * 6})
    assert judge(frame, [claim(margin=0.05)])[0].verdict == "supported"


def test_holm_counts_the_claims_that_could_be_tested():
    frame = paired(around(0.02, [0.02, -0.02, 0.015, -0.02, 0.03, -0.01]))
    alone = judge(frame, [claim(margin=0.0)])[0]
    untested = claim(id="gone", contrast={"post@depth=56": 1, "pre@depth=56": -1})
    narrowed = judge(frame, [claim(margin=0.0), untested])[0]
    together = judge(frame, [claim(margin=0.0), claim(id="again", margin=0.0)])[0]
    assert alone.p_holm == narrowed.p_holm == alone.p
    assert together.p_holm == pytest.approx(2 * alone.p)


def test_a_claim_of_zero_is_adjusted_by_its_own_hypothesis():
    verdict = verdict_on(around(0.03), expect="zero")
    assert verdict.p < 0.05
    assert verdict.p_holm == 1  # that the difference is within the margin is not in doubt
    assert verdict.p_equivalence < 0.025


def test_a_disagreement_with_the_sign_flip_is_marked():
    verdict = verdict_on(around(0.3)[:3])
    assert verdict.p < 0.05 < verdict.p_signflip
    assert verdict.disagreement
    assert any("different sides of 0.05" in note for note in verdict.notes)
    assert any("6 is the least" in note for note in verdict.notes)
    assert not verdict_on(around(0.3)).disagreement


def test_beyond_twelve_seeds_there_is_no_exact_sign_flip():
    assert verdict_on(around(0.3) * 2).p_signflip is not None
    assert verdict_on(around(0.3) * 3).p_signflip is None


def test_one_seed_has_an_effect_and_no_interval():
    verdict = verdict_on([0.3])
    assert (verdict.verdict, verdict.n, verdict.effect) == ("inconclusive", 1, pytest.approx(0.3))
    assert (verdict.low, verdict.sd, verdict.d, verdict.p, verdict.p_holm) == (None,) * 5
    assert verdict.seeds_needed == []
    assert "one seed has no interval" in verdict.sentence


def test_no_seed_shows_nothing():
    verdict = judge(with_status(paired([0.3, 0.4]), "pre", [0, 1], "failed"), [claim()])[0]
    assert (verdict.verdict, verdict.n, verdict.effect) == ("inconclusive", 0, None)
    assert verdict.missing == ["pre@depth=110 seed 0: failed", "pre@depth=110 seed 1: failed"]
    assert "no seed has every result" in verdict.sentence


def test_a_study_not_yet_run_is_inconclusive():
    frame = paired([0.3, 0.4]).assign(status="pending").drop(columns="train/loss")
    assert judge(frame, [claim()])[0].verdict == "inconclusive"


@pytest.mark.parametrize(("n", "expected"), [(2, "inconclusive"), (5, "inconclusive"), (6, "supported")])
def test_equal_values_decide_only_as_far_as_the_sign_flip_can(n, expected):
    verdict = verdict_on([0.25] * n)
    assert (verdict.verdict, verdict.low, verdict.high, verdict.sd, verdict.d) == (expected, 0.25, 0.25, 0, None)
    assert verdict.seeds_needed == ([6, 6] if expected == "inconclusive" else [])
    assert any("values are equal" in note for note in verdict.notes)


def test_arms_that_never_differ_are_equivalent_once_there_are_six_seeds():
    assert verdict_on([0.0] * 5).verdict == "inconclusive"
    assert verdict_on([0.0] * 6).verdict == "equivalent"
    assert verdict_on([0.0] * 6, expect="zero").verdict == "supported"
    assert verdict_on([0.0] * 6, margin=0).verdict == "inconclusive"


def test_missing_cells_are_listed_and_the_rest_is_used():
    verdict = judge(with_status(paired(around(0.3)), "post", [4], "pending"), [claim()])[0]
    assert (verdict.n, verdict.seeds) == (5, [0, 1, 2, 3, 5])
    assert verdict.missing == ["post@depth=110 seed 4: pending"]
    assert any("1 cell without a result" in note for note in verdict.notes)


def test_diverged_cells_rank_as_worst():
    verdict = judge(with_status(paired(around(0.3)), "post", [0, 1], "diverged"), [claim()])[0]
    assert (verdict.verdict, verdict.test, verdict.n) == ("supported", "signed rank", 6)
    assert verdict.p == pytest.approx(2 / 64)
    assert (verdict.low, verdict.sd, verdict.p_signflip, verdict.seeds_needed) == (None, None, None, [])
    assert verdict.diverged == ["post@depth=110 seed 0", "post@depth=110 seed 1"]
    assert "2 diverged cells ranked as worst, signed-rank test" in verdict.sentence
    assert any("diverged and ranked as worst" in note for note in verdict.notes)


def test_divergence_of_the_other_arm_contradicts():
    verdict = judge(with_status(paired(around(-0.3)), "pre", range(6), "diverged"), [claim(expect="positive")])[0]
    assert (verdict.verdict, verdict.effect) == ("contradicted", -math.inf)


def test_a_diverged_cell_never_shows_that_there_is_no_difference():
    frame = with_status(paired(around(0.0) * 4), "post", [3], "diverged")
    claims = [claim(), claim(id="none", expect="zero")]
    assert [verdict.verdict for verdict in judge(frame, claims)] == ["inconclusive", "inconclusive"]


def test_a_zero_is_contradicted_by_divergence():
    frame = with_status(paired(around(0.3)), "post", range(4), "diverged")
    assert judge(frame, [claim(expect="zero")])[0].verdict == "contradicted"


@pytest.mark.parametrize(
    ("post", "pre", "effect"),
    [(range(6), range(6), 0), (range(3), range(3, 6), None), ([], [0], 0.295)],
)
def test_the_effect_beside_diverged_cells_is_that_of_the_ranks(post, pre, effect):
    frame = with_status(with_status(paired(around(0.3)), "post", post, "diverged"), "pre", pre, "diverged")
    assert judge(frame, [claim()])[0].effect == (None if effect is None else pytest.approx(effect, abs=0.01))


def test_a_pair_that_diverged_while_the_partner_failed_still_turns_to_ranks():
    frame = with_status(with_status(paired(around(0.3)), "post", [0], "diverged"), "pre", [0], "failed")
    verdict = judge(frame, [claim()])[0]
    assert (verdict.test, verdict.n, verdict.verdict) == ("signed rank", 5, "inconclusive")


def test_a_narrowed_run_leaves_claims_untested():
    verdict = judge(paired(around(0.3)), [claim(contrast={"post@depth=56": 1, "pre@depth=110": -1})])[0]
    assert (verdict.verdict, verdict.p_holm, verdict.effect) == ("not tested", None, None)
    assert verdict.sentence == "Not tested: this run has no cells of post@depth=56."


def test_a_metric_that_was_not_recorded_leaves_the_claim_untested():
    verdict = judge(paired(around(0.3)), [claim(metric="train/los")])[0]
    assert verdict.verdict == "not tested"
    assert verdict.sentence == "Not tested: no cell recorded train/los; the nearest is train/loss."


def test_a_verdict_is_json_without_nan():
    frame = with_status(paired(around(0.3)), "post", [0], "diverged")
    claims = [
        claim(),
        claim(id="none", contrast={"post@depth=1": 1, "pre@depth=1": -1}),
        claim(id="zero", expect="zero"),
    ]
    for verdict in judge(frame, claims):
        assert json.loads(json.dumps(verdict.to_dict(), allow_nan=False))["id"] == verdict.id
    assert judge(frame, claims)[0].to_dict()["values"][0] is None


def test_a_verdict_is_read_back_from_its_json():
    frame = with_status(paired(around(0.3)), "post", [0], "diverged")
    given = [claim(), claim(id="none", contrast={"a": 1, "b": -1}), claim(id="zero", expect="zero")]
    for verdict in judge(frame, given) + judge(paired(around(0.3)), given):
        plain = json.loads(json.dumps(verdict.to_dict()))
        again = Verdict.from_dict(plain)
        assert json.loads(json.dumps(again.to_dict())) == plain
        assert again.replace(values={}) == verdict.replace(values={})
        assert list(again.values) == list(verdict.values)
        for seed, value in verdict.values.items():
            assert again.values[seed] == value or (math.isnan(again.values[seed]) and math.isinf(value))


def test_a_claim_that_nobody_judged_is_a_verdict_that_is_not_tested():
    verdict = Verdict.from_dict({**claim(says="It helps."), "requires": [], "threshold": None, "paper": None})
    assert (verdict.id, verdict.says, verdict.metric, verdict.margin) == ("gap", "It helps.", "train/loss", 0.05)
    assert (verdict.verdict, verdict.is_measured, verdict.n, verdict.sentence) == ("not tested", False, 0, "")
    assert (verdict.paper, verdict.threshold, verdict.values) == ({}, None, {})
    bare = Verdict.from_dict({"id": "bare"})
    assert (bare.metric, bare.contrast, bare.expect, bare.verdict) == ("test/error", {}, "", "not tested")
    assert (bare.open, bare.disagreement, bare.n) == (False, False, 0)
    assert bare.to_dict()["margin"] is None


def test_a_verdict_says_its_word_and_what_its_effect_is_counted_in():
    (gap, ratio) = judge(paired(around(0.3)), [claim(), claim(id="ratio", scale="ratio", margin=0.1)])
    assert (gap.verdict, gap.is_measured, gap.measure) == ("supported", True, "train/loss")
    assert (ratio.verdict, ratio.measure) == ("supported", "relative change")
    assert verdict_on([0.3]).is_measured
    (none,) = judge(with_status(paired([0.3]), "pre", [0], "failed"), [claim()])
    assert (none.verdict, none.is_measured) == ("inconclusive", False)


def test_claims_come_in_every_form_and_keep_their_words():
    given = Claim(
        id="gap", says="It helps.", metric="train/loss", contrast=claim()["contrast"], expect="positive", margin=0.05
    )
    verdict = judge(paired(around(0.3)), [given])[0]
    assert (verdict.id, verdict.says, verdict.paper) == ("gap", "It helps.", {"value": "", "where": ""})
    assert judge(paired(around(0.3)), [claim(says="It helps.")])[0] == verdict
    assert judge(paired(around(0.3)), []) == []


def test_a_table_from_csv_gives_the_same_verdicts():
    frame = with_status(paired(around(0.3)), "post", [0], "diverged")
    read = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert judge(read, [claim()]) == judge(frame, [claim()])


def test_the_order_of_rows_does_not_matter():
    frame = paired(around(0.3))
    assert judge(frame.sample(frac=1, random_state=0), [claim()]) == judge(frame, [claim()])


def test_alpha_sets_test_and_interval():
    frame = paired([0.3, 0.1, 0.2, 0.15, 0.12])
    wide, narrow = (judge(frame, [claim(margin=0.0)], alpha=alpha)[0] for alpha in (0.001, 0.05))
    assert (wide.verdict, narrow.verdict) == ("inconclusive", "supported")
    assert wide.low < narrow.low
    assert "99.9 % interval" in wide.sentence


def test_ten_thousand_cells_are_judged_as_a_small_study_is():
    grid = [("post", depth) for depth in range(20)] + [("pre", depth) for depth in range(20)]
    rng = np.random.default_rng(0)
    frame = results({cell: rng.normal(0.4 if cell[0] == "post" else 0.3, 0.01, 250) for cell in grid})
    claims = [
        claim(id=str(depth), contrast={f"post@depth={depth}": 1, f"pre@depth={depth}": -1}) for depth in range(20)
    ]
    assert len(frame) == 10_000
    assert {verdict.verdict for verdict in judge(frame, claims)} == {"supported"}

"""Looking several times: error rates, coverage, and what `judge` makes of a table that grew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from ablate.analysis import Look, decide, judge, planned_looks, sequential_power
from ablate.analysis.sequential import nominal_levels
from ablate.errors import InputError

from . import simulation
from .simulation import DRAWS, LOOKS, null_rate, standard_error
from .tables import claim, paired, results, with_status

PLANS = [LOOKS, planned_looks(3, 1, 12), planned_looks(6, 6, 24), planned_looks(6, 18, 24)]


def test_the_looks_end_with_the_most_seeds() -> None:
    assert planned_looks(6, 3, 24) == (6, 9, 12, 15, 18, 21, 24)
    assert planned_looks(6, 5, 12) == (6, 11, 12)
    assert planned_looks(6, 3, 6) == (6,)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_boundaries_of_normal_statistics_spend_alpha_in_proportion_to_the_seeds(alpha: float) -> None:
    """Against the joint normal distribution, as another library integrates it."""
    looks = (4, 10, 15, 24)
    bounds = stats.norm.isf(np.array(nominal_levels(looks, alpha)) / 2)
    covariance = [[np.sqrt(min(a, b) / max(a, b)) for b in looks] for a in looks]
    for k, seeds in enumerate(looks, 1):
        joint = stats.multivariate_normal(cov=np.array(covariance)[:k, :k], seed=0)
        inside = joint.cdf(bounds[:k], lower_limit=-bounds[:k])
        assert 1 - inside == pytest.approx(alpha * seeds / 24, abs=2e-4)


@pytest.mark.parametrize("alpha", [0.9, 0.5, 0.05, 0.001])
@pytest.mark.parametrize("looks", [(6, 24), (2, 5), (9, 10)])
def test_the_second_of_two_looks_spends_what_the_first_left(looks: tuple[int, int], alpha: float) -> None:
    """By adaptive integration over what the first look leaves undecided."""
    first, last = looks
    one, two = stats.norm.isf(np.array(nominal_levels(looks, alpha)) / 2) * np.sqrt(looks)
    rest = stats.norm(scale=np.sqrt(last - first))
    found, _ = integrate.quad(
        lambda x: stats.norm.pdf(x, scale=np.sqrt(first)) * (rest.sf(two - x) + rest.cdf(-two - x)),
        -one,
        one,
        epsabs=1e-12,
    )
    assert 2 * stats.norm.sf(one / np.sqrt(first)) == pytest.approx(alpha * first / last, rel=1e-9)
    assert found == pytest.approx(alpha * (last - first) / last, rel=1e-6)


@pytest.mark.parametrize("alpha", [1e-10, 1e-6, 0.03, 0.4, 0.72])
def test_an_adjusted_p_is_the_least_level_that_rejects(alpha: float) -> None:
    """`alpha` of normal statistics, and `INFLATION` times that for those whose spread is estimated at each look."""
    for seeds, p in zip(LOOKS, nominal_levels(LOOKS, alpha), strict=True):
        rel = 0.1 if alpha < 1e-9 else 0.01  # beyond the table boundaries are taken to be in proportion
        assert float(Look(seeds, LOOKS).adjusted(p)) == pytest.approx(1.3 * alpha, rel=rel)


def test_no_one_sided_p_is_adjusted_below_itself() -> None:
    p = np.linspace(0, 1, 101)
    np.testing.assert_allclose(Look(6, (6,)).adjusted_one_sided(p), p)
    for seeds in LOOKS:
        adjusted = Look(seeds, LOOKS).adjusted_one_sided(p)
        assert np.all((adjusted >= p) & (adjusted <= 1))
        np.testing.assert_allclose(adjusted[:50], Look(seeds, LOOKS).adjusted(2 * p[:50]) / 2)


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.05])
def test_a_p_at_the_boundary_of_a_level_is_adjusted_to_that_level(alpha: float) -> None:
    for seeds in LOOKS:
        look = Look(seeds, LOOKS)
        assert float(look.adjusted(look.level(alpha))) == pytest.approx(alpha, rel=0.01)
        assert float(look.adjusted_one_sided(look.level(alpha) / 2)) == pytest.approx(alpha / 2, rel=0.01)


def test_adjusted_values_rise_with_p_and_stay_probabilities() -> None:
    p = np.concatenate([[0.0], np.logspace(-14, 0, 200)])
    adjusted = Look(9, LOOKS).adjusted(p)
    assert np.all(np.diff(adjusted) >= 0)
    assert np.all((adjusted >= p) & (adjusted <= 1))
    assert np.isnan(Look(9, LOOKS).adjusted(np.nan))


def test_a_single_look_adjusts_nothing() -> None:
    assert Look(6, (6,)).level(0.05) == 0.05
    assert float(Look(6, (6,)).adjusted(0.03)) == 0.03


@pytest.mark.parametrize("looks", PLANS, ids=str)
@pytest.mark.parametrize("draw", DRAWS, ids=str)
def test_at_most_5_per_cent_of_studies_say_something_false_with_every_planned_look_taken(draw, looks) -> None:
    """Five claims, none of them true."""
    assert null_rate(DRAWS[draw], looks[-1], looks) < 0.05 + 2 * standard_error(0.05)


def test_peeking_without_the_rule_would_err_far_more() -> None:
    """What the rule is for: the same studies, tested at 5 % at every look."""
    assert simulation.peeking_rate() > 0.15


@pytest.mark.parametrize("looks", PLANS, ids=str)
def test_the_intervals_of_all_looks_hold_the_truth_at_once_in_95_per_cent(looks) -> None:
    assert simulation.repeated_coverage(looks) > 0.95 - 2 * standard_error(0.05)


@pytest.mark.parametrize("expect", ["positive", "zero"])
def test_a_difference_at_the_margin_is_called_none_in_at_most_5_per_cent(expect: str) -> None:
    assert simulation.equivalence_rate(24, expect, LOOKS) < 0.05


@pytest.mark.parametrize("effect", [0.3, 0.6, 0.9])
def test_the_planned_power_is_what_studies_have(effect: float) -> None:
    """Drawn anew: the prediction comes from other studies."""
    found = simulation.power_rate(LOOKS[-1], effect, simulation.SIGNS[0], LOOKS)
    assert sequential_power(LOOKS, effect) == pytest.approx(found, abs=0.05)


def grown(seeds: int, effect: float = 0.0) -> pd.DataFrame:
    values = np.random.default_rng(3).normal(effect, 0.2, 24)
    return paired(values[:seeds].tolist())


def test_judge_follows_the_rule_that_is_simulated() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0.1, 0.2, (30, 1, 24))
    expected = simulation.verdicts(values, [simulation.Criterion("positive", 0.05)], LOOKS)
    found = [judge(paired(study[0].tolist()), [claim()], looks=LOOKS)[0] for study in values]
    assert [verdict.verdict for verdict in found] == expected[:, 0].tolist()
    assert {"supported", "inconclusive"} <= {verdict.verdict for verdict in found}


def test_a_decided_claim_keeps_the_seeds_that_decided_it() -> None:
    (verdict,) = judge(grown(24, effect=1.0), [claim()], looks=LOOKS)
    assert (verdict.verdict, verdict.look, verdict.n, verdict.open) == ("supported", 6, 6, False)
    assert verdict.seeds == list(range(6))
    assert verdict.level == pytest.approx(Look(6, LOOKS).level())
    assert "Looked at after 6 seeds" in verdict.notes[0]
    assert "99 % interval" in verdict.sentence


def test_an_undecided_claim_stays_open_until_the_cap() -> None:
    for seeds in (6, 9, 21):
        (verdict,) = judge(grown(seeds), [claim(margin=0.001)], looks=LOOKS)
        assert (verdict.verdict, verdict.look, verdict.open) == ("inconclusive", seeds, True)
    (verdict,) = judge(grown(24), [claim(margin=0.001)], looks=LOOKS)
    assert (verdict.look, verdict.open) == (24, False)


def test_the_plan_that_would_decide_has_all_looks_so_far() -> None:
    (verdict,) = judge(grown(24, effect=0.1), [claim(margin=0.001)], looks=LOOKS)
    assert (verdict.verdict, verdict.plan["start"], verdict.plan["step"]) == ("inconclusive", 6, 3)
    assert verdict.plan["most"] > 24
    assert set(LOOKS) < set(planned_looks(*verdict.plan.values()))


@pytest.mark.parametrize("looks", [(2, 6), (6, 6), (9, 6), (0, 3), (3.5, 6)])
def test_looks_that_make_no_sense_are_refused(looks) -> None:
    with pytest.raises(InputError, match=r"looks at .* seeds"):
        judge(grown(9), [claim()], looks=looks)


def test_seeds_between_two_looks_are_not_looked_at() -> None:
    (nine,) = judge(grown(9), [claim(margin=0.001)], looks=LOOKS)
    (eleven,) = judge(grown(11), [claim(margin=0.001)], looks=LOOKS)
    assert eleven == nine


def test_before_the_first_look_nothing_is_decided() -> None:
    frame = with_status(grown(6, effect=2.0), "pre", [5], "pending")
    (verdict,) = judge(frame, [claim()], looks=LOOKS)
    assert (verdict.verdict, verdict.look, verdict.open) == ("inconclusive", None, True)
    assert "has not been reached" in verdict.notes[0]


def test_a_failed_cell_does_not_hold_up_a_look() -> None:
    frame = with_status(grown(6, effect=2.0), "pre", [5], "failed")
    (verdict,) = judge(frame, [claim()], looks=LOOKS)
    assert (verdict.verdict, verdict.look, verdict.n) == ("supported", 6, 5)


def test_the_rule_decides_at_a_look_by_holms_level_over_all_claims() -> None:
    frame = grown(24, effect=0.35)
    alone = judge(frame, [claim()], looks=LOOKS)[0]
    among = judge(frame, [claim(), *(claim(id=str(k), margin=0.3 + k) for k in range(4))], looks=LOOKS)[0]
    assert alone.look is not None
    assert among.look is not None
    assert alone.look <= among.look
    assert str(decide(simulation.SIGNS[0], 1.0, alone.p_holm, 1.0)) == "supported"


def test_two_looks_are_several() -> None:
    (verdict,) = judge(grown(6, effect=1.0), [claim()], looks=(6, 12))
    assert (verdict.verdict, verdict.look, verdict.looks) == ("supported", 6, [6, 12])
    assert verdict.level < 0.05


@pytest.mark.parametrize("looks", [(), (6,)])
def test_one_look_is_none(looks: tuple[int, ...]) -> None:
    (verdict,) = judge(grown(9, effect=1.0), [claim()], looks=looks)
    assert (verdict.verdict, verdict.look, verdict.looks, verdict.level, verdict.n) == ("supported", None, [], 0.05, 9)


def test_seeds_may_have_any_numbers() -> None:
    frame = grown(24, effect=0.12)
    others = frame.assign(seed=100 + 3 * frame["seed"]).sample(frac=1, random_state=0)
    (expected,), (found,) = (judge(table, [claim()], looks=LOOKS) for table in (frame, others))
    assert found.seeds == [100 + 3 * seed for seed in expected.seeds]
    assert (found.verdict, found.look, found.effect) == (expected.verdict, expected.look, expected.effect)


def test_an_empty_table_with_several_looks_has_nothing_to_look_at() -> None:
    with pytest.raises(InputError, match="no column 'arm'"):
        judge(pd.DataFrame(), [claim()], looks=LOOKS)
    (verdict,) = judge(grown(6).iloc[:0], [claim()], looks=LOOKS)
    assert verdict.verdict == "not tested"


def claims_of(gaps: dict[str, np.ndarray]) -> tuple[pd.DataFrame, list[dict[str, object]]]:
    """A table and claims of which each is about one pair of arms."""
    cells = {(f"{name}{sign}", 110): gap if sign == "+" else 0 * gap for name, gap in gaps.items() for sign in "+-"}
    return results(cells), [claim(id=name, contrast={f"{name}+": 1, f"{name}-": -1}) for name in gaps]


def test_claims_are_decided_one_by_one_and_those_decided_are_left_alone() -> None:
    """Whatever later seeds do to the other claims, and so to Holm's adjustment."""
    looks, rng = (6, 9, 12), np.random.default_rng(4)
    seen = set()
    for _ in range(12):
        gaps = {name: rng.normal(mean, 0.1, 12) for name, mean in (("a", 0.16), ("b", 0.12), ("c", 0.09))}
        frame, claims = claims_of(gaps)
        whole = judge(frame, claims, looks=looks)
        for place, verdict in enumerate(whole):
            until = judge(frame[frame["seed"] < (verdict.look or 0)], claims, looks=looks)[place]
            assert verdict == until.replace(open=False) if verdict.verdict == "inconclusive" else verdict == until
        seen |= {tuple(verdict.look for verdict in whole)}
    assert len(seen) > 3


def test_a_decided_claim_outlives_what_would_undecide_it() -> None:
    """At six seeds both p values are small. Later the other claim's is not, and Holm would ask more of this one."""
    noise = np.array([0.1, -0.1, 0.05, -0.05, 0.02, -0.02])
    late = np.array([-0.6, 0.7, -0.5])
    gaps = {"kept": np.concatenate([0.18 + 1.7 * noise, late * 0]), "lost": np.concatenate([0.04 + 0.22 * noise, late])}
    frame, claims = claims_of(gaps)
    early = judge(frame[frame["seed"] < 6], claims, looks=(6, 9))
    whole = judge(frame, claims, looks=(6, 9))
    assert [verdict.verdict for verdict in early] == ["supported", "inconclusive"]
    assert (whole[0].verdict, whole[0].look, whole[0].p_holm) == ("supported", 6, early[0].p_holm)
    assert (whole[1].verdict, whole[1].look, whole[1].open) == ("inconclusive", 9, False)
    alone = judge(frame[frame["seed"] < 6], claims[:1], looks=(6, 9))[0].p_holm
    assert alone is not None
    assert 2 * alone > 0.05  # what Holm asks of the smaller of two

"""Error rates on data drawn with known truth. Seeds are fixed; the Monte Carlo error of each bound is stated."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ablate.analysis import (
    Criterion,
    judge,
    power,
    sign_flip_p,
    signed_rank_p,
    smallest_detectable_effect,
    supported_power,
)

from .judged import CASES, GAP_BY_COLLAPSE, PAIR, Case, claims_of, false_rate, judged, one_collapsing
from .simulation import (
    DRAWS,
    JUDGED,
    LOOKS,
    PAGE,
    SEEDS,
    STUDIES,
    coverage,
    document,
    documented,
    equivalence_rate,
    false_claims,
    null_rate,
    power_rate,
    skewed,
    standard_error,
    verdicts,
)
from .tables import claim, results

MONTE_CARLO = 2 * standard_error(0.05)  # 0.0031


@pytest.mark.parametrize("n", SEEDS)
def test_the_interval_covers_the_truth_in_95_per_cent(n):
    assert 0.945 < coverage(n) < 0.955


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("n", SEEDS)
def test_at_most_5_per_cent_of_studies_with_five_null_claims_say_something_false(draw, n):
    assert null_rate(DRAWS[draw], n) < 0.05 + MONTE_CARLO


@pytest.mark.parametrize("n", SEEDS)
def test_at_most_5_per_cent_of_studies_contradict_a_zero_at_the_margin(n):
    values = np.random.default_rng(n).normal(1.0, 1.0, (STUDIES, 5, n))
    found = verdicts(values, [Criterion("zero", margin=1.0)] * 5)
    assert np.any(found == "contradicted", axis=1).mean() < 0.05 + MONTE_CARLO


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("expect", ["positive", "zero"])
def test_a_difference_at_the_margin_is_called_equivalent_in_at_most_5_per_cent(n, expect):
    assert 0.02 < equivalence_rate(n, expect) < 0.03  # each side is tested at 2.5 %


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("effect", [0.5, 1.0, 1.5])
def test_the_planned_power_is_what_studies_have(n, effect):
    """Of one claim, and of one among five, which is tested at a fifth of alpha while the others are not rejected."""
    assert power_rate(n, effect, Criterion("positive")) == pytest.approx(power(n, effect), abs=0.02)
    values = np.random.default_rng(n).normal(size=(STUDIES, 5, n))
    values[:, 0] += effect
    found = np.mean(verdicts(values, [Criterion("positive")] * 5)[:, 0] == "supported")
    assert found == pytest.approx(power(n, effect, alpha=0.05 / 5), abs=0.05)


@pytest.mark.parametrize(
    ("n", "effect", "criterion"),
    [
        (6, 0.0, Criterion("zero", 1.0)),
        (10, 0.3, Criterion("zero", 1.0)),
        (6, 1.0, Criterion("positive", 1.0)),
        (10, -1.0, Criterion("negative", 0.5)),
        (10, 0.2, Criterion("positive", 0.1)),
    ],
)
@pytest.mark.parametrize("looks", [(), LOOKS])
def test_the_chance_of_supported_is_what_studies_have(n, effect, criterion, looks):
    n = looks[-1] if looks else n
    values = np.random.default_rng(n).normal(effect, 1.0, (STUDIES, 1, n))
    found = np.mean(verdicts(values, [criterion], looks) == "supported")
    assert supported_power(n, effect, 1.0, criterion, looks) == pytest.approx(found, abs=0.03)


@pytest.mark.parametrize("n", SEEDS)
def test_the_smallest_detectable_effect_is_detected_in_80_per_cent(n):
    assert power_rate(n, smallest_detectable_effect(n), Criterion("positive")) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("n", [6, 10])
def test_the_sign_flip_errs_in_at_most_5_per_cent(n):
    values = skewed(np.random.default_rng(n), (4000, n))
    assert np.mean(sign_flip_p(values) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


def test_coarse_results_do_not_make_certainties_of_equal_values():
    """Errors on a small test set differ by whole images, so three equal differences are common under the null."""
    values = np.random.default_rng(0).choice([-1, 0, 1], size=(STUDIES, 1, 3), p=[0.45, 0.1, 0.45])
    assert np.ptp(values, axis=-1).min() == 0
    assert false_claims(verdicts(values, [Criterion("positive")])) == 0


def test_ranking_diverged_cells_errs_in_at_most_5_per_cent():
    """Either arm diverges in a fifth of cells, whatever its name. 4,000 studies: three standard errors are 0.0103."""
    rng = np.random.default_rng(0)
    arms = np.where(rng.random((4000, 2, 10)) < 0.2, 1e9, rng.lognormal(size=(4000, 2, 10)))
    values = arms[:, 0] - arms[:, 1]
    values = np.where(np.abs(values) > 1e8, np.copysign(np.inf, values), values)
    assert np.mean([signed_rank_p(study) < 0.05 for study in values]) < 0.05 + 0.0103


def test_ranking_finds_what_is_there():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((500, 10)) < 0.3, np.inf, rng.normal(1.0, 1.0, (500, 10)))
    assert np.mean([signed_rank_p(study) < 0.05 for study in values]) > 0.8


MIXED = (Criterion("positive", 0.4), Criterion("negative", 0.1), Criterion("zero", 0.3))


def test_judge_follows_the_rule_that_is_simulated():
    values = np.random.default_rng(4).normal(0.15, 0.12, (60, 3, 6))
    values[:20] += 0.3
    found = verdicts(values, MIXED)
    assert set(found.ravel()) == {"supported", "contradicted", "equivalent", "inconclusive"}
    for study, expected in zip(values, found, strict=True):
        cells = {("post", depth): study[depth] + 1 for depth in range(3)} | {
            ("pre", depth): [1] * 6 for depth in range(3)
        }
        claims = [
            claim(
                id=str(depth), expect=c.expect, margin=c.margin,
                contrast={f"post@depth={depth}": 1, f"pre@depth={depth}": -1},
            )
            for depth, c in enumerate(MIXED)
        ]  # fmt: skip
        assert [verdict.verdict for verdict in judge(results(cells), claims)] == list(expected)


@pytest.mark.parametrize("case", [case for case in CASES if not case.told], ids=lambda case: case.name)
def test_judge_itself_errs_in_at_most_5_per_cent(case):
    """100 studies of ten seeds, where two and a half standard errors are 0.055; the documentation's table has more."""
    assert false_rate(case, 10, 100) < 0.05 + 0.055


@pytest.mark.parametrize("case", [case for case in CASES if case.told], ids=lambda case: case.name)
def test_where_judge_errs_more_a_caution_stands_beside_every_false_verdict(case):
    false = [verdict for study in judged(case, 6, 100) for verdict in study if verdict.verdict in case.false]
    assert false
    for verdict in false:
        assert any(re.search(case.told, note) for note in verdict.notes), verdict


def test_an_interval_over_collapses_that_were_not_met_says_so():
    """One of two arms collapses in a fifth of seeds: intervals miss the truth far more often than 5 %."""
    case = Case("", one_collapsing, claims_of(PAIR, margin=0.1), ())
    wrong = 0
    for (verdict,) in judged(case, 6, 150):
        if verdict.low is not None and verdict.high is not None and not verdict.low < GAP_BY_COLLAPSE < verdict.high:
            wrong += 1
            cautions = " ".join([verdict.not_shown, *verdict.notes])
            assert re.search("collapse of training|Two clusters", cautions), verdict
    assert wrong / 150 > 0.1


@pytest.mark.slow
def test_the_documentation_prints_the_figures_that_come_out():
    text = PAGE.read_text(encoding="utf-8")
    assert document(text, ["table"]) == text, "run: python -m tests.analysis.simulation"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_documentation_prints_what_judge_does(case):
    """Some of the studies that the figures rest on: four standard errors of 200."""
    figures = documented(PAGE.read_text(encoding="utf-8"))[case.name]
    for n, rate in list(zip(SEEDS, figures, strict=False))[:3]:
        assert false_rate(case, n, 200) == pytest.approx(rate, abs=4 * standard_error(max(rate, 0.02), 200))


def test_the_documentation_says_of_every_case_how_often_it_errs():
    """At most 5 %, within two and a half standard errors, wherever no caution says more."""
    figures = documented(PAGE.read_text(encoding="utf-8"))
    for case in CASES:
        assert len(figures[case.name]) == len(SEEDS) + 1
        assert case.told or max(figures[case.name]) < 0.05 + 2.5 * standard_error(0.05, JUDGED)

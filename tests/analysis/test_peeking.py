"""Looks that no plan had, through `judge`: the p and the verdict that a plan over them would have given."""

from __future__ import annotations

import pytest

from ablate.analysis import Look, judge, paired_t
from ablate.analysis.peeking import alarms, deciding_p

from .by_hand import STUDIES, rates
from .simulation import standard_error
from .tables import claim, paired

EFFECTS = [0.3, -0.1, 0.25, 0.1, 0.0, 0.2, 0.35, -0.05, 0.3, 0.1, 0.2, 0.15]


def test_the_verdict_stays_and_what_a_plan_would_have_given_stands_beside_it() -> None:
    frame = paired(EFFECTS)
    (alone,) = judge(frame, [claim(margin=0.01)])
    (verdict,) = judge(frame, [claim(margin=0.01)], judged_before={"gap": [6, 9]})
    assert (verdict.verdict, verdict.p, verdict.p_holm, verdict.sentence) == (
        alone.verdict, alone.p, alone.p_holm, alone.sentence,
    )  # fmt: skip
    expected = float(Look(12, (6, 9, 12)).adjusted(float(paired_t(EFFECTS).p)))
    assert verdict.p_over_looks == pytest.approx(expected)
    assert verdict.p_over_looks > verdict.p_holm
    (note,) = alarms(verdict)
    assert note.startswith(
        "Judged before at 6 and 9 seeds; its p does not allow for that: a plan of looks at 6, 9 and 12 seeds would "
        f"have given p = {expected:.2g} and "
    )
    assert alarms(alone) == []


def test_a_plan_may_have_said_something_else() -> None:
    values = [0.4, -0.2, 0.3, 0.2, -0.1, 0.35, 0.2, -0.1, 0.3, 0.0, 0.2, 0.05]
    (verdict,) = judge(paired(values), [claim(margin=0.0)], judged_before={"gap": [6, 9]})
    assert (verdict.verdict, verdict.verdict_over_looks) == ("supported", "inconclusive")
    assert "and 'inconclusive'. Whoever goes on until it pleases is wrong more often" in alarms(verdict)[0]


def test_the_other_claims_of_the_study_count_in_holm_as_they_are() -> None:
    frame = paired(EFFECTS)
    both = [claim(margin=0.01), claim(id="again", margin=0.01)]
    peeked, again = judge(frame, both, judged_before={"gap": [6]})
    (single,) = judge(frame, both[:1], judged_before={"gap": [6]})
    assert (again.judged_before, again.p_over_looks) == ([], None)
    assert peeked.p_over_looks >= single.p_over_looks


def test_where_no_difference_is_claimed_it_is_the_p_of_equivalence() -> None:
    frame = paired([0.01 * value for value in EFFECTS])
    (verdict,) = judge(frame, [claim(expect="zero", margin=0.05)], judged_before={"gap": [6, 9]})
    assert verdict.verdict == "supported"
    assert verdict.p_over_looks >= deciding_p(verdict)


@pytest.mark.slow
def test_the_p_of_a_plan_errs_at_its_end_in_at_most_5_per_cent_and_at_the_first_look_that_pleases_in_a_little_more():
    """Without an effect, judged by hand at 6, 9 and 12 seeds; two standard errors."""
    error = 2 * standard_error(0.05, STUDIES)
    found = rates()
    assert found["plain"] > 0.08
    assert found["last"] < 0.05 + error
    assert 0.05 < found["first"] < 0.09

"""What would decide an inconclusive claim: how many seeds, and which looks to type."""

from __future__ import annotations

from ablate.analysis import judge, planned_looks

from .tables import claim, paired, with_status


def verdict_on(differences, **changes):
    return judge(paired(differences), [claim(**changes)])[0]


def test_what_would_decide_is_a_range_of_seeds_with_the_looks_to_type():
    verdict = verdict_on([0.5, 0.2, 0.9, 0.3, 0.1, -0.1], margin=0)
    assert verdict.verdict == "inconclusive"
    assert verdict.seeds_needed == [9, 41]
    assert verdict.plan == {"start": 6, "step": 4, "most": 30}
    assert verdict.sentence.endswith(
        "; about 9 to 41 seeds would probably decide it, as with 'study.seeds={start:6,step:4,most:30}'."
    )


def test_near_no_effect_more_seeds_are_no_advice():
    verdict = verdict_on([0.3, -0.2, 0.1, -0.25, 0.2, -0.1])
    assert (verdict.verdict, verdict.seeds_needed, verdict.plan) == ("inconclusive", [], {})
    assert "seeds would" not in verdict.sentence
    assert verdict_on([0.3, -0.2, 0.1, -0.25, 0.2, -0.1], margin=0.4).verdict == "equivalent"
    near = verdict_on([0.3, -0.2, 0.1, -0.25, 0.2, -0.1], margin=0.2)  # equivalence is in reach
    assert near.verdict == "inconclusive"
    assert 6 < near.seeds_needed[0] < near.seeds_needed[1]


def test_an_effect_about_the_margin_may_take_any_number_of_seeds():
    verdict = verdict_on([0.5, 0.2, 0.9, 0.3, 0.1, -0.1], margin=0.2)
    assert verdict.seeds_needed[1] == 1000
    assert f"about {verdict.seeds_needed[0]} seeds or many more would probably decide it" in verdict.sentence


def test_a_plan_begins_where_a_look_may_be():
    assert verdict_on([0.5, 0.4]).plan["start"] == 3


def test_seeds_that_failed_are_of_the_looks_to_plan_all_the_same():
    """Judged at seven seeds, of which six count."""
    frame = with_status(paired([0.5, 0.2, 0.9, 0.3, 0.1, -0.1, 0.4]), "post", [6], "failed")
    assert judge(frame, [claim(margin=0)])[0].plan["start"] == 7


def test_a_plan_takes_in_every_number_of_seeds_at_which_a_claim_was_judged():
    values = [0.5, 0.2, 0.9, 0.3, 0.1, -0.1, 0.4, -0.3]
    for before, step in (((3, 5), 1), ((4, 6), 2), ((4,), 4)):
        (verdict,) = judge(paired(values), [claim(margin=0)], judged_before={"gap": before})
        assert verdict.verdict == "inconclusive"
        assert (verdict.plan["start"], verdict.plan["step"]) == (before[0], step)
        assert {*before, 8} <= set(planned_looks(*verdict.plan.values()))

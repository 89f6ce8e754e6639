"""Sentences for people who know no statistics."""

from __future__ import annotations

import pytest

from ablate.analysis import judge
from ablate.analysis.subject import subject

from .tables import claim, paired, with_status

WHAT = "at depth 110 post minus pre training loss is"
NOISE = [0.11, -0.19, 0.15, -0.12, -0.05, 0.10]


def sentence(effect, noise=NOISE, **changes):
    return judge(paired([effect + x for x in noise], changes.get("metric", "train/loss")), [claim(**changes)])[
        0
    ].sentence


@pytest.mark.parametrize(
    ("effect", "changes", "expected"),
    [
        (
            0.31, {},
            f"Supported: {WHAT} +0.31 (95 % interval 0.16 to 0.46, 6 paired seeds, "
            "Holm p = 0.0029); at least the 0.05 that matters.",
        ),
        (
            0.31, {"margin": 0.25},
            f"Supported: {WHAT} +0.31 (95 % interval 0.16 to 0.46, 6 paired seeds, "
            "Holm p = 0.0029); the estimate reaches the 0.25 that matters, but a smaller one is not ruled out.",
        ),
        (
            -0.31, {},
            f"Contradicted: {WHAT} -0.31 (95 % interval -0.46 to -0.16, 6 paired seeds, "
            "Holm p = 0.0029); the claim says the difference is positive, and it is of the other sign.",
        ),
        (
            0.01, {"margin": 0.2},
            f"Equivalent: {WHAT} +0.01 (95 % interval -0.14 to 0.16, 6 paired seeds, "
            "equivalence p = 0.01, level 0.025); the difference is smaller than the 0.2 that matters.",
        ),
        (
            0.31, {"margin": 0.5},
            f"Equivalent: {WHAT} +0.31 (95 % interval 0.16 to 0.46, 6 paired seeds, "
            "equivalence p = 0.01, level 0.025); the difference is smaller than the 0.5 that matters, "
            "although it is not zero.",
        ),
        (
            0.1, {},
            f"Inconclusive: {WHAT} +0.100 (95 % interval -0.047 to 0.247, 6 paired seeds, "
            "Holm p = 0.14); a positive difference is neither shown nor ruled out; "
            "about 11 seeds or many more would probably decide it, as with 'study.seeds={start:6,step:7,most:48}'.",
        ),
        (
            0.31, {"expect": "zero"},
            f"Contradicted: {WHAT} +0.31 (95 % interval 0.16 to 0.46, 6 paired seeds, "
            "Holm p = 0.0061); the difference is larger than the 0.05 that matters, "
            "where the claim says there is none.",
        ),
        (
            0.01, {"expect": "zero", "margin": 0.2},
            f"Supported: {WHAT} +0.01 (95 % interval -0.14 to 0.16, 6 paired seeds, "
            "equivalence p = 0.01, level 0.025); the difference is smaller than the 0.2 that matters, "
            "as the claim says.",
        ),
    ],
)  # fmt: skip
def test_a_sentence_for_each_verdict(effect, changes, expected):
    assert sentence(effect, **changes) == expected


def test_a_difference_short_of_the_margin_is_told_as_such():
    assert "a positive difference is shown, but not that it reaches the 0.35 that matters" in sentence(
        0.31, margin=0.35
    )


def test_an_open_zero_is_told_as_such():
    assert "whether the difference is smaller than the 0.05 that matters is not shown" in sentence(0.1, expect="zero")


def test_errors_are_told_in_percentage_points():
    told = sentence(0.031, [x / 10 for x in NOISE], metric="test/error", margin=0.005)
    assert "test error is +3.1 percentage points (95 % interval 1.6 to 4.6," in told
    assert "at least the 0.5 percentage points that matter." in told


def test_divergence_is_told_in_counts():
    frame = with_status(paired([0.3] * 6), "post", range(5), "diverged")
    assert judge(frame, [claim()])[0].sentence == (
        f"Supported: {WHAT} above zero in 6 and below zero in 0 of 6 paired seeds (5 diverged cells ranked as worst, "
        "signed-rank test, Holm p = 0.031); the size that would balance the ranks reaches the 0.05 that matters, "
        "but it has no interval."
    )


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        ({"post": 1, "pre": -1}, "post minus pre training loss"),
        (
            {"pre@depth=20,width=2": -1, "post@depth=20,width=2": 1},
            "at depth 20 and width 2 post minus pre training loss",
        ),
        ({"a@depth=56": 1, "a@depth=20": -1}, "training loss of a at depth 56 minus a at depth 20"),
        (
            {"a@depth=56": 1, "b@depth=56": -1, "a@depth=20": -1, "b@depth=20": 1},
            "training loss of (a minus b at depth 56) minus (a minus b at depth 20)",
        ),
        (
            {"a@depth=56": 1, "b@depth=56": -1, "a@depth=20": 1, "b@depth=20": -1},
            "training loss of (a minus b at depth 56) plus (a minus b at depth 20)",
        ),
        ({"a": 1, "b": -0.5, "c": -0.5}, "training loss of a - 0.5 x b - 0.5 x c"),
        ({"a": 1, "b": 1, "c": -2, "d": 0}, "training loss of a + b - 2 x c"),
    ],
)
def test_a_contrast_in_words(contrast, expected):
    assert subject(contrast, "training loss") == expected


def test_tiny_and_huge_figures_keep_their_digits():
    assert f"{WHAT} +3.1e-13 (95 % interval 1.6e-13 to 4.6e-13," in sentence(
        3.1e-13, [x * 1e-12 for x in NOISE], margin=2e-13
    )
    assert f"{WHAT} +310,000,000.00 (95 %" not in sentence(3.1e8, [x * 1e9 for x in NOISE])
    assert "e+20" in sentence(3.1e20, [x * 1e21 for x in NOISE])


def test_an_interval_without_zero_is_never_neither_shown_nor_ruled_out():
    frame = paired([0.31 + 2 * x for x in NOISE])
    claims = [claim(id=str(k), margin=0.0) for k in range(5)]
    for verdict in judge(frame, claims):
        assert verdict.verdict == "inconclusive"
        assert verdict.low > 0
        assert (
            "the interval excludes zero, but Holm asks more over 5 claims, so no difference is shown"
            in verdict.sentence
        )


def test_equal_values_that_are_too_few_are_told_as_such():
    (verdict,) = judge(paired([0.25] * 5), [claim()])
    assert "the interval excludes zero, but 5 equal values are too few, so no difference is shown" in verdict.sentence


def test_the_level_of_equivalence_stands_beside_its_p():
    (verdict,) = judge(paired([0.01 + x for x in NOISE]), [claim(expect="zero", margin=0.13)])
    assert "equivalence p = 0.045, level 0.025); whether the difference is smaller" in verdict.sentence


def test_a_p_never_rounds_to_the_other_side_of_its_level():
    from ablate.analysis.figures import p_text

    assert p_text("Holm", 0.0499, 0.05) == "Holm p = 0.0499"
    assert p_text("Holm", 0.0501, 0.05) == "Holm p = 0.05"
    assert p_text("equivalence", 0.02496, 0.025) == "equivalence p = 0.02496"
    assert p_text("Holm", 0.05 - 1e-12, 0.05) == "Holm p just below 0.05"
    assert p_text("Holm", None, 0.05) == "no Holm p"


def test_an_end_of_the_interval_never_rounds_over_zero():
    noise = [0.1, -0.1, 0.05, -0.05, 0.02, -0.02]
    (verdict,) = judge(paired([0.0775 + x for x in noise]), [claim(margin=0.0)])
    assert 0 < verdict.low < 0.005  # two digits of the half width would be 0.08, and this end 0.00
    assert f"interval {verdict.low:.3f} to" in verdict.sentence

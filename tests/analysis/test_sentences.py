"""No sentence of a verdict contradicts what decided it, whatever the table."""

from __future__ import annotations

import collections
import dataclasses

import numpy as np
import pytest

from ablate.analysis import judge

from .drawn import draw
from .sentences import Contradiction, hold
from .tables import claim, paired


def judged_and_held(tables: int, seed: int) -> collections.Counter[str]:
    """Judge so many tables and hold every sentence; counts words, tests, and what the sentences say."""
    rng = np.random.default_rng(seed)
    seen: collections.Counter[str] = collections.Counter()
    for number in range(tables):
        drawn = draw(rng)
        for verdict in judge(drawn.frame, drawn.claims, looks=drawn.looks, grid=drawn.grid):
            try:
                hold(verdict)
            except Contradiction as error:
                raise Contradiction(f"table {number}: {error}") from None
            seen.update([f"{verdict.test} {verdict.verdict}", *_said(verdict.sentence)])
    return seen


PARTS = (
    "at least", "a smaller one is not ruled out", "balance the ranks", "as the claim says", "of the other sign",
    "is shown, but not", "neither shown nor ruled out", "interval excludes zero", "interval lies within",
    "although it is not zero", "larger than", "would probably decide", "study.seeds=", "first look", "downwards",
    "Holm asks more", "equal values", "of value 0", "by ranks", "Not tested",
)  # fmt: skip


def _said(sentence: str) -> list[str]:
    return [part for part in PARTS if part in sentence]


@pytest.mark.slow
def test_hundreds_of_tables_have_no_sentence_that_contradicts_its_verdict() -> None:
    seen = judged_and_held(600, seed=0)
    for test in ("paired t", "signed rank", "paired t and permutation", "permuted ranks", "exact"):
        for word in ("supported", "contradicted", "inconclusive"):
            assert seen[f"{test} {word}"] > 0, (test, word)
    assert [part for part in PARTS if not seen[part]] == []


@pytest.mark.slow
def test_ten_thousand_tables_have_none_either() -> None:
    judged_and_held(10_000, seed=1)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("at least the 0.05", "at least the 0.5"),
        ("Supported", "Contradicted"),
        ("+0.30", "-0.30"),
        ("at least the 0.05 that matters", "a positive difference is neither shown nor ruled out"),
        ("at least the 0.05 that matters", "the claim says the difference is positive, and it is of the other sign"),
        ("at least the 0.05 that matters", "the difference is smaller than the 0.05 that matters"),
        ("Holm p", "equivalence p"),
        ("6 paired seeds", "7 paired seeds"),
        ("0.288 to", "-0.288 to"),
        ("at least the 0.05 that matters", "all is well"),
    ],
)
def test_a_sentence_that_says_something_else_is_caught(said: str, instead: str) -> None:
    (verdict,) = judge(paired([0.31, 0.28, 0.315, 0.295, 0.3, 0.31]), [claim()])
    hold(verdict)
    assert said in verdict.sentence
    with pytest.raises(Contradiction):
        hold(dataclasses.replace(verdict, sentence=verdict.sentence.replace(said, instead)))

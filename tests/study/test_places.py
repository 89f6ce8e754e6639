"""Claims held against the cells of a study: those that say nothing are refused, or not judged in a narrowed run."""

from __future__ import annotations

import pytest

from tests.studies import planned, refusal

pytestmark = pytest.mark.usefixtures("here")

ARMS = "arms: {a: [order=post], b: [order=pre]}, seeds: 1"
GRID = f"{ARMS}, grid: {{depth: [8, 14]}}"
ANY = "{'*': 1, a: -1}"
TYPED = ("width=0.25", "trainer.epochs=1")


def claim(contrast: str, more: str = "") -> str:
    return f"claims: [{{id: c, contrast: {contrast}, expect: positive, margin: 0.1{more}}}]"


@pytest.mark.parametrize(
    ("contrast", "more"),
    [
        ("{b: 1, 'b ': -1}", ""),
        ("{'a|b': 1, 'b|a': -1}", ""),
        ("{'*': 1, 'a|b': -1}", ""),
        ("{'a@depth=8|14': 1, a: -1}", ""),
        ("{'a@depth=8': 0.5, 'a@depth=14': 0.5, a: -1}", ""),
        ("{'a@depth=8': 1, 'a@depth=8.0': -1}", ""),
        ("{a: 1, ' a': -1}", ", trend: depth"),
        ("{'*': 1, a: -0.5, b: -0.5}", ", trend: depth"),
        ("{a: 1, ' a': -1}", ", threshold: 0.1"),
    ],
)
def test_a_contrast_that_cancels_on_every_cell_is_refused_before_training(contrast: str, more: str) -> None:
    assert refusal(f"{GRID}, {claim(contrast, more)}", *TYPED).startswith("claim 'c' says nothing: the weights of its")


@pytest.mark.parametrize(
    ("contrast", "more"),
    [
        ("{'*': 1, a: -1}", ""),
        ("{a: 1, ' a': 1, b: -2}", ""),
        ("{'a@depth=8': 1, a: -1}", ""),
        ("{a: 1}", ", trend: depth"),
        ("{'*': 1, a: -1}", ", trend: depth"),
    ],
)
def test_a_contrast_that_compares_different_cells_is_planned(contrast: str, more: str) -> None:
    assert [one.id for one in planned(f"{GRID}, {claim(contrast, more)}", *TYPED).claims] == ["c"]


def test_where_a_run_is_narrowed_a_claim_that_says_nothing_there_is_not_judged_and_that_is_said() -> None:
    text = f"{GRID}, {claim(ANY)}"
    study = planned(text, *TYPED, "~study.arms.b")
    assert study.claims == []
    assert study.notes == ["claim 'c' is not judged: in this run the weights of its contrast cancel on every cell"]
    assert [one.id for one in planned(text, *TYPED, "depth=8").claims] == ["c"]

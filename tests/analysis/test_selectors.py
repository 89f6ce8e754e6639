"""Selectors of one cell in several spellings, contrasts that say nothing, and lists as values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.weightstats import ttost_paired

from ablate import InputError
from ablate.analysis import judge
from ablate.analysis.selectors import added_up, parse_selector, values_of, weights_on

A, B = [0.30, 0.31, 0.30, 0.32, 0.31, 0.30], [0.31, 0.30, 0.31, 0.31, 0.32, 0.30]


def frame(**arms: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"arm": arm, "seed": seed, "status": "done", "test/error": value}
            for arm, values in arms.items()
            for seed, value in enumerate(values)
        ]
    )


def effect(table: pd.DataFrame, contrast: dict[str, float]) -> float:
    (verdict,) = judge(table, [{"id": "c", "contrast": contrast, "expect": "positive", "margin": 0.01}])
    assert verdict.effect is not None
    return verdict.effect


@pytest.mark.parametrize(
    "contrast",
    [
        {"b": 1, "b ": -1},
        {"a|b": 1, "b|a": -1},
        {"a|a": 1, "a": -1},
        {"*": 1, "a|b": -1},
        {"*": 1, "a": -0.5, "b": -0.5},
        {"*": 3, " *": -3},
        {"a": 0.1, " a": 0.2, "a ": -0.3},
    ],
    ids=str,
)
def test_a_contrast_that_cancels_on_every_cell_is_refused(contrast: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"^claim 'c' says nothing: the weights of its contrast cancel on every cell"):
        effect(frame(a=A, b=B), contrast)


@pytest.mark.parametrize(
    ("contrast", "plain"),
    [
        ({"a": 1, " a": 1, "b": -2}, {"a": 2, "b": -2}),
        ({"a|a": 1, "b": -1}, {"a": 1, "b": -1}),
        ({"a|b": 1, "b|a": 1, "b": -2}, {"a|b": 2, "b": -2}),
        ({"*": 1, "a": -1}, {"b": 0.5, "a": -0.5}),
    ],
    ids=str,
)
def test_spellings_of_one_cell_are_added_up(contrast: dict[str, float], plain: dict[str, float]) -> None:
    assert effect(frame(a=A, b=B), contrast) == pytest.approx(effect(frame(a=A, b=B), plain))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a|b", "b | a"),
        ("a@depth=8", "a@depth=8.0"),
        ("a@depth=8|14", "a @ depth = 14 | 8"),
        ("a@depth=8,width=1", "a@width=1.0,depth=8"),
        ("a@at=[x,y]", "a@at=['x', 'y']"),
        ("a@at=[x,y]|[x]", "a@at=[ x ]|[x, y]"),
        ("a@flag=true", "a@flag=True"),
    ],
)
def test_two_spellings_mean_the_same(one: str, other: str) -> None:
    assert parse_selector(one).meaning == parse_selector(other).meaning
    assert added_up({one: 1, other: -1}) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "b"), ("a", "*"), ("a@depth=8", "a"), ("a@depth=8", "a@depth=14"), ("a@at=[x,y]", "a@at=[y,x]")],
)
def test_two_selectors_mean_something_else(one: str, other: str) -> None:
    assert parse_selector(one).meaning != parse_selector(other).meaning
    assert len(added_up({one: 1, other: -1})) == 2


@pytest.mark.parametrize("text", ["*|a", "a|", "", "@depth=8", "a@depth", "a@depth=8,depth=9", "a@depth=8|", "a@=8"])
def test_a_selector_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^selector "):
        parse_selector(text)


@pytest.mark.parametrize("arm", ["*", "a|b", "a@b", " a", "a ", ""])
def test_a_table_with_an_arm_that_no_selector_can_name_is_refused(arm: str) -> None:
    with pytest.raises(InputError, match=r"^the results have an arm '"):
        effect(frame(**{arm: A, "c": B}), {"c": 1, "d": -1})


def test_a_list_as_a_value_is_found_whatever_its_spelling_and_its_type() -> None:
    levels = (["x"], ["x", "y"])
    rows = [
        {"arm": arm, "at": level, "seed": seed, "status": "done", "test/error": base + len(level) / 10 + seed / 1000}
        for arm, base in (("a", 0.2), ("b", 0.3))
        for level in levels
        for seed in range(6)
    ]
    lists = pd.DataFrame(rows)
    texts = lists.assign(at=[str(level) for level in lists["at"]])
    for table in (lists, texts):
        for spelling in ("[x,y]", "[x, y]", "['x', 'y']", '["x","y"]'):
            contrast = {f"b@at={spelling}": 1, f"a@at={spelling}": -1}
            assert effect(table, contrast) == pytest.approx(0.1)
    assert values_of("[x,y]|[x]") == ["[x, y]", "[x]"]


def test_what_rounding_leaves_of_a_weight_is_no_weight() -> None:
    """A cell whose terms cancel is not needed: it may have failed, and if it diverged it does not decide."""
    terms = added_up({"*": 0.3, "a": -0.1, "b": -0.1, "c": -0.1 + 0.05, "d": -0.05})
    assert weights_on(added_up({"*": 0.3, "a": -0.1, "b": -0.1, "c": -0.1}), [(arm, {}) for arm in "abc"]) == [0, 0, 0]
    assert len(terms) == 5
    table = frame(a=A, b=B, c=A)
    table.loc[(table["arm"] == "c"), "status"] = "diverged"
    contrast = {"*": 0.3, "a": -0.3, "b": 0.1, "c": -0.1}  # c: 0.1 - 0.1
    assert effect(table, contrast) == pytest.approx(0.2 * (np.mean(B) - np.mean(A)))


@pytest.mark.parametrize("shift", [0.0, 0.004, 0.02, 0.05, -0.05])
@pytest.mark.parametrize("expect", ["positive", "zero"])
def test_the_p_of_equivalence_is_that_of_two_one_sided_tests_however_large(shift: float, expect: str) -> None:
    b = [value + shift for value in B]
    claim = {"id": "c", "contrast": {"b": 1, "a": -1}, "expect": expect, "margin": 0.01}
    (verdict,) = judge(frame(a=A, b=b), [claim])
    assert verdict.p_equivalence == pytest.approx(ttost_paired(np.array(b), np.array(A), -0.01, 0.01)[0])
    assert verdict.to_dict()["p_equivalence"] == verdict.p_equivalence
    if abs(shift) > 0.01:
        assert verdict.p_equivalence > 0.5

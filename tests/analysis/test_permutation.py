"""Contrasts that weigh arms unevenly, against every change of places where these can be counted."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ablate.analysis import judge
from ablate.analysis.permutation import Uneven, balancing_shift, layout_of

from .tables import claim, results

ONE_AGAINST_TWO = np.array([[1.0], [-0.5], [-0.5]])


def drawn(seeds: int, rng_seed: int = 0) -> Uneven:
    return Uneven(np.random.default_rng(rng_seed).lognormal(size=(seeds, 3, 1)), ONE_AGAINST_TWO)


def every_change(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The summed contrast under all changes of places within the seeds."""
    each = [
        [float(np.sum(weights * seed[list(places)])) for places in itertools.permutations(range(len(weights)))]
        for seed in values
    ]
    return np.array([sum(one) for one in itertools.product(*each)])


@pytest.mark.parametrize("rng_seed", range(4))
@pytest.mark.parametrize("bound", [-0.5, 0.0, 0.4])
def test_p_is_the_part_of_all_changes_that_come_as_far(rng_seed: int, bound: float) -> None:
    one = drawn(4, rng_seed)
    shifted = one.values - bound * ONE_AGAINST_TWO / np.sum(ONE_AGAINST_TWO**2)
    sums = every_change(shifted, ONE_AGAINST_TWO)
    seen = float(np.einsum("ap,sap->", ONE_AGAINST_TWO, shifted))
    assert one.p_above(bound) == pytest.approx(np.mean(sums >= seen - 1e-9), abs=0.03)
    assert one.p_below(bound) == pytest.approx(np.mean(sums <= seen + 1e-9), abs=0.03)


def test_ranks_are_taken_within_each_seed_with_diverged_cells_last() -> None:
    values = np.array([[np.inf, 1.0, 2.0], [5.0, 1.0, 2.0], [np.inf, np.inf, 0.0], [9.0, 9.0, 9.0]])[:, :, None]
    one = Uneven(values, ONE_AGAINST_TWO)
    assert one.rank_contrasts().tolist() == [1.5, 1.5, 0.75, 0.0]
    test = one.ranked()
    assert test.direction == 1
    ranks = np.array([[3, 1, 2], [3, 1, 2], [2.5, 2.5, 1], [2, 2, 2]])[:, :, None]
    sums = every_change(ranks, ONE_AGAINST_TWO)
    assert test.p == pytest.approx(2 * np.mean(sums >= 3.75 - 1e-9), abs=0.03)
    assert Uneven(-values, ONE_AGAINST_TWO).ranked().direction == -1


@pytest.mark.parametrize("rng_seed", range(6))
def test_the_effect_by_ranks_is_where_they_are_balanced(rng_seed: int) -> None:
    one = drawn(7, rng_seed)
    shift = balancing_shift(one.values, one.weights)
    assert shift is not None
    lean = one.weights / np.sum(one.weights**2)
    below, above = (Uneven(one.values - (shift + k) * lean, one.weights).rank_contrasts().sum() for k in (-1e-6, 1e-6))
    assert above <= 1e-9
    assert below >= -1e-9


def test_an_effect_by_ranks_may_be_infinite_or_none() -> None:
    diverged = np.full((3, 3, 1), 1.0)
    diverged[:, 0] = np.inf
    assert balancing_shift(diverged, ONE_AGAINST_TWO) == math.inf
    assert balancing_shift(-diverged, ONE_AGAINST_TWO) == -math.inf
    assert balancing_shift(np.full((3, 3, 1), np.inf), ONE_AGAINST_TWO) is None


@pytest.mark.parametrize(
    ("weights", "even", "shape"),
    [
        ({"a": 1, "b": -1}, True, (2, 1)),
        ({"a": 1, "b": -0.5, "c": -0.5}, False, (3, 1)),
        ({"a": 0.5, "b": 0.5, "c": -0.5, "d": -0.5}, True, (4, 1)),
        ({"a@d=1": -1, "a@d=2": 0, "a@d=3": 1}, True, (3, 1)),
        ({"a@d=1": 1, "b@d=1": -1, "a@d=2": -1, "b@d=2": 1}, True, (2, 2)),
        ({f"{arm}@d={d}": w * s for arm, w in zip("abc", (1, -0.5, -0.5), strict=True) for d, s in ((1, 1), (2, -1))},
         False, (3, 2)),
        ({"a@d=1": 0.5, "a@d=2": 0.5, "b@d=1": -1}, False, (3, 1)),
    ],
)  # fmt: skip
def test_what_changes_places_are_arms_or_else_cells(weights, even, shape) -> None:
    """An interaction of one arm against two is uneven, although its weights alone are not."""
    layout = layout_of(weights)
    assert (layout.is_even, layout.weights.shape) == (even, shape)


def test_a_mean_of_arms_is_held_against_changed_places() -> None:
    rng = np.random.default_rng(3)
    arms = {(arm, 110): rng.normal(0.5, 0.01, 6) for arm in "abcd"} | {("e", 110): rng.normal(0.4, 0.01, 6)}
    (verdict,) = judge(results(arms), [claim(contrast={"a|b|c|d": 1, "e": -1})])
    assert (verdict.verdict, verdict.test, verdict.p_signflip) == ("supported", "paired t and permutation", None)
    assert verdict.p_holm < 0.05
    assert any("weighs arms unevenly" in note for note in verdict.notes)
    frame = results(arms)
    assert judge(frame.sample(frac=1, random_state=1), [claim(contrast={"a|b|c|d": 1, "e": -1})])[0] == verdict


def test_divergence_in_uneven_contrasts_ranks_within_seeds() -> None:
    rng = np.random.default_rng(3)
    arms = {(arm, 110): rng.normal(0.5, 0.01, 8) for arm in "abcd"} | {("e", 110): rng.normal(0.4, 0.01, 8)}
    frame = results(arms)
    frame.loc[(frame["arm"] == "a") & (frame["seed"] < 2), ["status", "train/loss"]] = ["diverged", np.nan]
    (verdict,) = judge(frame, [claim(contrast={"a|b|c|d": 1, "e": -1})])
    assert (verdict.verdict, verdict.test) == ("supported", "permuted ranks")
    assert verdict.effect == pytest.approx(0.1, abs=0.02)
    assert (verdict.above, verdict.below) == (8, 0)
    assert "above zero in 8 and below zero in 0 of 8 paired seeds by ranks" in verdict.sentence

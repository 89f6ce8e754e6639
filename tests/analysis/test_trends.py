"""The order in which a trend goes over the values of its factor, and the cells that it needs."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest

from ablate.analysis import contrast_values, judge
from ablate.errors import InputError

from .tables import claim, results

FOUR = {("post", 20): [0.4, 0.5], ("pre", 20): [0.3, 0.6], ("post", 110): [0.9, 0.8], ("pre", 110): [0.2, 0.4]}


@pytest.mark.parametrize(
    ("values", "rise"),
    [
        ([110, 20, 56], (4.0 - 2.0)),  # numbers by size: 20, 56, 110
        (["small", "medium", "large"], (3.0 - 4.0)),  # words in the order of the grid
        (["b", "c", "a"], (3.0 - 4.0)),
        ([None, 12, 24], (3.0 - 4.0)),
        ([12, None, 24], (3.0 - 4.0)),
        ([[1, 2], [3], []], (3.0 - 4.0)),
        ([True, False, None], (3.0 - 4.0)),
    ],
)
def test_a_trend_takes_numbers_by_size_and_others_as_the_grid_lists_them(values, rise):
    """Of three values the least-squares line rises by the last minus the first; rows may come in any order."""
    frame = pd.DataFrame({"arm": "a", "depth": values, "seed": 0, "train/loss": [4.0, 2.0, 3.0]})
    one = claim(contrast={"a": 1}, trend="depth")
    for table in (frame, frame[::-1], frame.sample(frac=1, random_state=2)):
        assert contrast_values(table, one, {"depth": values}).values == {0: pytest.approx(rise)}
    read = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert contrast_values(read, one, {"depth": values}).values == {0: pytest.approx(rise)}
    if not all(value is None or isinstance(value, int) for value in values) or True in values:
        with pytest.raises(InputError, match="a trend over depth needs an order of its values"):
            contrast_values(frame, one)


def test_null_is_one_value_of_a_trend_however_many_rows_have_it():
    """A rise of one a step, whatever the seed: 2.0 from the first to the last, as the verdict says too."""
    frame = pd.DataFrame(
        [
            {
                "arm": "a",
                "backbone.stem_channels": value,
                "seed": seed,
                "status": "done",
                "train/loss": step + 0.01 * seed,
            }
            for step, value in enumerate([math.nan, 12.0, 24.0])
            for seed in range(6)
        ]
    )
    one = claim(contrast={"a": 1}, trend="backbone.stem_channels", margin=0.5)
    grid = {"backbone.stem_channels": [None, 12, 24]}
    assert contrast_values(frame, one, grid).values == pytest.approx(dict.fromkeys(range(6), 2.0))
    for table, order in ((frame, grid), (frame, None), (frame[::-1], None)):  # without a grid null comes first
        (verdict,) = judge(table, [one], grid=order)
        assert (verdict.verdict, verdict.effect) == ("supported", pytest.approx(2.0))
        assert verdict.n == 6


def test_booleans_rise_from_false_to_true():
    frame = pd.DataFrame({"arm": "a", "bias": [True, False], "seed": 0, "train/loss": [4.0, 2.0]})
    assert contrast_values(frame, claim(contrast={"a": 1}, trend="bias")).values == {0: pytest.approx(2.0)}


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_the_middle_of_a_trend_counts_though_it_has_no_weight(status):
    frame = pd.DataFrame(
        [
            {"arm": "a", "depth": depth, "seed": seed, "status": "done", "train/loss": depth + 0.1 * seed}
            for depth in (1, 2, 3)
            for seed in range(6)
        ]
    )
    frame.loc[(frame["depth"] == 2) & (frame["seed"] == 4), ["status", "train/loss"]] = [status, np.nan]
    found = contrast_values(frame, claim(contrast={"a": 1}, trend="depth"))
    if status == "failed":
        assert (found.missing, list(found.values)) == (["a@depth=2 seed 4: failed"], [0, 1, 2, 3, 5])
    else:
        assert (found.diverged, found.values[4]) == (["a@depth=2 seed 4"], pytest.approx(2.0))
        (verdict,) = judge(frame, [claim(contrast={"a": 1}, trend="depth")])
        assert (verdict.test, verdict.n) == ("signed rank", 6)


def test_a_trend_over_no_column_is_an_error():
    with pytest.raises(InputError, match="no column 'width'"):
        contrast_values(results(FOUR), claim(contrast={"post": 1}, trend="width"))


def test_of_two_values_a_trend_rises_by_their_difference():
    found = contrast_values(results(FOUR), claim(contrast={"post": 1}, trend="depth"))
    assert found.values == pytest.approx({0: 0.5, 1: 0.3})
    one = results(FOUR).query("depth == 20")
    assert contrast_values(one, claim(contrast={"post": 1}, trend="depth")).absent == ["two values of depth"]

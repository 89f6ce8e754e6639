"""Seeds that lie apart, and what a verdict says of them."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.analysis import judge
from ablate.analysis.clusters import apart, unseen

from .tables import claim, paired


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([0.1, 0.12, 0.11, 3.0, 0.1, 0.13], [3]),
        ([0.1, -3.0, 0.11, -2.8, 0.1, 0.13, 0.1, 0.12], [1, 3]),
        ([0.1, 0.2, 0.15, 0.3, 0.25, 0.4], []),
        ([0.0, 0.0, 0.0, 0.0, 1 / 360], []),  # a coarse metric, one image apart
        ([0.0, 1 / 360, 0.0, 0.0, 0.5, 2 / 360], [4]),
        ([0.1, 0.1, 0.1], []),
        ([0.1, 5.0], []),
        ([0.1, 0.1001, 3.0], [2]),
        ([], []),
    ],
)
def test_values_far_from_the_others_are_found(values, places) -> None:
    assert apart(values) == places


@pytest.mark.parametrize("n", [3, 4, 5, 6, 8, 12, 20])
def test_normal_values_have_seldom_two_clusters(n: int) -> None:
    values = np.random.default_rng(n).normal(size=(1000, n))
    assert np.mean([bool(apart(one)) for one in values]) < 0.07


def test_a_verdict_names_the_seeds_that_lie_apart() -> None:
    (verdict,) = judge(paired([0.3, 0.31, 0.29, 4.0, 0.3, 0.32]), [claim()])
    assert verdict.apart == [3]
    assert any("Two clusters: seed 3 lies far from the others" in note for note in verdict.notes)


def test_what_few_seeds_have_not_met_is_said() -> None:
    assert unseen(6) == pytest.approx(0.262, abs=0.001)
    (verdict,) = judge(paired([0.01, -0.01, 0.0, 0.01, -0.01, 0.002]), [claim(expect="zero")])
    assert verdict.verdict == "supported"
    assert any("would be unseen in 26 % of such studies" in note for note in verdict.notes)
    (many,) = judge(paired([0.01, -0.01, 0.0, 0.01, -0.01, 0.002] * 3), [claim(expect="zero")])
    assert many.notes == []
    (shown,) = judge(paired([0.3, 0.31, 0.29, 0.3, 0.32, 0.3]), [claim()])
    assert "stays unseen in 26 % of studies with 6" in shown.not_shown

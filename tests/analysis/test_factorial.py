"""Main effects and interactions, against an independent implementation and by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.anova import AnovaRM

from ablate.analysis import anova
from ablate.analysis.factorial import repeated_measures

LEVELS = {"arm": ["post", "pre", "none"], "depth": [20, 56, 110], "width": [0.5, 1.0]}


def table(rng: np.random.Generator, seeds: int = 6, effect: float = 0.3) -> pd.DataFrame:
    rows = [
        {"arm": arm, "depth": depth, "width": width, "seed": seed, "status": "done"}
        for arm in LEVELS["arm"]
        for depth in LEVELS["depth"]
        for width in LEVELS["width"]
        for seed in range(seeds)
    ]
    frame = pd.DataFrame(rows)
    truth = effect * (frame["arm"] == "pre") * frame["depth"] / 20 + 0.5 * frame["seed"]
    return frame.assign(**{"test/error": truth + rng.normal(size=len(frame))})


@pytest.mark.parametrize("factors", [["depth"], ["arm", "depth"], ["arm", "depth", "width"]])
def test_it_agrees_with_statsmodels(factors: list[str]) -> None:
    frame = table(np.random.default_rng(0)).groupby([*factors, "seed"], as_index=False)["test/error"].mean()
    ours = anova(frame, "test/error", factors)
    assert ours is not None
    theirs = AnovaRM(frame.rename(columns={"test/error": "y"}), "y", "seed", within=factors).fit().anova_table
    assert ours.table["effect"].tolist() == [name.replace(":", " × ") for name in theirs.index]
    for mine, other in {"F": "F Value", "df": "Num DF", "df_error": "Den DF", "p": "Pr > F"}.items():
        np.testing.assert_allclose(ours.table[mine], theirs[other], rtol=1e-8, atol=1e-8)


def test_greenhouse_and_geissers_correction_keeps_the_error_rate_where_seeds_vary_more_at_one_level() -> None:
    rng = np.random.default_rng(1)
    spread = np.array([0.2, 0.2, 0.2, 3.0])
    plain, corrected = [], []
    for _ in range(2000):
        found = repeated_measures(rng.normal(size=(8, 4)) * spread, ["depth"])
        plain.append(found["p"][0] < 0.05)
        corrected.append(found["p_gg"][0] < 0.05)
    assert np.mean(plain) > 0.07
    assert np.mean(corrected) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_seeds_without_all_of_their_cells_are_left_out_and_counted() -> None:
    frame = table(np.random.default_rng(0))
    frame.loc[(frame["seed"] == 5) & (frame["depth"] == 110), "status"] = "diverged"
    found = anova(frame, "test/error", ["arm", "depth"])
    assert found is not None
    assert found.method == "repeated measures, 5 seeds"
    assert found.notes[0] == "6 of 108 cells have no value (diverged, failed or pending) and are left out."
    assert found.notes[1] == "1 seeds without all of their cells are left out of this table."


def test_a_table_with_excluded_combinations_has_main_effects_alone() -> None:
    frame = table(np.random.default_rng(0))
    found = anova(frame[~((frame["arm"] == "none") & (frame["depth"] == 110))], "test/error", ["arm", "depth"])
    assert found is not None
    assert found.table["effect"].tolist() == ["arm", "depth"]
    assert "interactions are not estimated" in found.notes[-1]


def test_an_unbalanced_table_without_noise_gives_the_effect_that_is_there() -> None:
    frame = table(np.random.default_rng(0), effect=3.0)
    found = anova(frame[~((frame["arm"] == "none") & (frame["depth"] == 110))], "test/error", ["arm", "depth"])
    assert found is not None
    assert found.table.set_index("effect")["p"]["arm"] < 1e-6


@pytest.mark.parametrize("change", [{"seed": 0}, {"arm": "pre"}, {"status": "failed"}])
def test_too_little_to_say_anything_is_none(change: dict[str, object]) -> None:
    frame = table(np.random.default_rng(0)).assign(**change).drop_duplicates(["arm", "seed"])
    assert anova(frame, "test/error", ["arm"]) is None
    assert anova(frame, "test/loss", ["arm"]) is None

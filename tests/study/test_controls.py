"""The controls: what was planted is found, and nothing where nothing is; of a real run, whose table is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablate import load_results
from ablate.__main__ import main
from ablate.analysis import as_claim, judge
from ablate.config.schema import Claim
from ablate.run.results import load_study
from ablate.study.plan import plan_study

# `python -m ablate +exp=controls` on two cores of an AMD EPYC (Zen 5), 2026-11-27.
STORED = Path(__file__).resolve().parents[1] / "stored" / "controls"
PLANTED = ["wrong_labels_are_found", "a_low_rate_is_found"]


@pytest.fixture(scope="module")
def claims() -> list[Claim]:
    return plan_study(["+exp=controls"]).claims


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(STORED / "results.csv")


def test_the_table_is_that_of_the_study_as_it_stands(claims: list[Claim], frame: pd.DataFrame) -> None:
    stored = {claim.id: claim for claim in map(as_claim, load_study(STORED).claims)}
    for claim in claims:
        then = stored[claim.id]
        assert (then.metric, then.contrast, then.expect, then.margin, then.requires) == (
            claim.metric,
            claim.contrast,
            claim.expect,
            claim.margin,
            claim.requires,
        )
    assert len(frame) == 24
    assert (frame["status"] == "done").all()
    assert frame[frame["arm"] == "null_arm"]["stream"].tolist() == [1000 + seed for seed in range(6)]


def test_nothing_is_found_where_nothing_is_and_what_was_planted_is(claims: list[Claim], frame: pd.DataFrame) -> None:
    verdicts = {verdict.id: verdict.verdict for verdict in judge(frame, claims)}
    assert verdicts.pop("nothing_where_nothing_is") in ("supported", "inconclusive")
    assert verdicts == dict.fromkeys(PLANTED, "supported")


def test_without_the_planted_effects_nothing_is_found(claims: list[Claim], frame: pd.DataFrame) -> None:
    """The null arm in their place: what finds them is the effect, and not the names."""
    renamed = [replace(claim, contrast={"null_arm": 1.0, "baseline": -1.0}) for claim in claims if claim.id in PLANTED]
    assert [verdict.verdict for verdict in judge(frame, renamed)] == ["inconclusive"] * 2


def test_every_control_waits_for_the_baseline_to_train(claims: list[Claim], frame: pd.DataFrame) -> None:
    untrained = frame.assign(**{"train/error": frame["train/error"].where(frame["arm"] != "baseline", 0.5)})
    assert {verdict.verdict for verdict in judge(untrained, claims)} == {"not tested"}


@pytest.mark.slow
def test_it_runs_at_the_smallest_scale(here: Path) -> None:
    assert main(["+exp=controls", "scale=tiny"]) == 0
    results = load_results("runs/controls-tiny")
    assert results["status"].tolist() == ["done"] * 8
    figures = results[["train/loss", "train/error", "test/loss", "test/error"]].to_numpy(dtype=float)
    assert np.isfinite(figures).all()
    assert results.groupby("arm")["train/loss"].mean().nunique() == 4, (
        "each arm trains on something else, at another rate, or in another order"
    )

"""Gates: what must hold of cells before a claim may be judged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablate.analysis import Verdict, judge, planned_looks, validate_claims
from ablate.analysis.claims import as_claim, check_metrics, speaks_of
from ablate.errors import InputError

from .tables import claim, paired, results, with_status

TRAINED = {"cells": "*@depth=110", "metric": "train/error", "below": 0.1}
EFFECT = [0.3, 0.28, 0.31, 0.29, 0.3, 0.32]


def table(post: list[float], pre: list[float]) -> pd.DataFrame:
    """A clear effect in training loss, and these training errors of the two arms at depth 110."""
    frame = paired(EFFECT)
    frame["train/error"] = [*post, *pre]
    return frame


def gated(*gates: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return claim(requires=list(gates), **changes)


def verdict_on(frame: pd.DataFrame, *gates: dict[str, Any], **changes: Any) -> Verdict:
    return judge(frame, [gated(*gates, **changes)])[0]


def test_a_claim_is_judged_where_its_gates_hold() -> None:
    verdict = verdict_on(table([0.05] * 6, [0.02] * 6), TRAINED)
    assert verdict.verdict == "supported"
    (gate,) = verdict.gates
    assert (gate.holds, gate.cell, gate.value, gate.n) == (True, "post@depth=110", pytest.approx(0.05), 6)


def test_one_cell_whose_mean_does_not_hold_keeps_the_claim_from_being_tested() -> None:
    verdict = verdict_on(table([0.05] * 6, [0.62] * 6), TRAINED)
    assert verdict.verdict == "not tested"
    assert (verdict.p, verdict.p_holm, verdict.p_signflip, verdict.p_equivalence) == (None, None, None, None)
    assert verdict.effect == pytest.approx(np.mean(EFFECT))
    assert verdict.sentence == (
        "Not tested: the mean training error of pre at depth 110 is 62 % over 6 seeds, where less than 10 % is "
        "required; longer training, a warm-up or a lower learning rate may mend it."
    )


def test_it_is_the_mean_over_the_seeds_that_counts() -> None:
    assert verdict_on(table([0.05] * 6, [0.3, 0.0, 0.0, 0.0, 0.0, 0.0]), TRAINED).verdict == "supported"
    assert verdict_on(table([0.05] * 6, [0.7, 0.0, 0.0, 0.0, 0.0, 0.0]), TRAINED).verdict == "not tested"


def test_every_gate_must_hold_and_each_that_does_not_is_said() -> None:
    shallow = {"cells": "post", "metric": "train/error", "below": 0.04, "because": "it fits its data"}
    verdict = verdict_on(table([0.05] * 6, [0.62] * 6), TRAINED, shallow)
    assert [gate.holds for gate in verdict.gates] == [False, False]
    assert "post at depth 110 is 5 %" in verdict.sentence
    assert "less than 4 % is required (it fits its data)" in verdict.sentence


def test_a_diverged_cell_fails_a_bound_from_above() -> None:
    frame = with_status(table([0.05] * 6, [0.0] * 6), "pre", [2], "diverged")
    verdict = verdict_on(frame, TRAINED)
    assert verdict.verdict == "not tested"
    assert (verdict.gates[0].holds, verdict.gates[0].value, verdict.gates[0].diverged) == (False, None, 1)
    assert "pre at depth 110 is without a finite value, as 1 of 6 seeds diverged" in verdict.sentence


@pytest.mark.parametrize(("metric", "holds"), [("train/error", True), ("gradient_norm/first", False)])
def test_a_diverged_cell_lies_above_a_bound_only_where_it_is_known_to_rank_as_worst(metric: str, holds: bool) -> None:
    frame = table([0.05] * 6, [0.9] * 6)
    frame["gradient_norm/first"] = 1.0
    frame = with_status(frame, "pre", [2], "diverged")
    verdict = verdict_on(frame, {"cells": "pre", "metric": metric, "above": 0.5})
    assert verdict.gates[0].holds is holds


def test_a_size_is_that_of_the_network_whatever_became_of_it() -> None:
    frame = table([0.05] * 6, [0.9] * 6)
    frame = with_status(frame, "pre", [0, 1, 2, 3, 4, 5], "diverged")
    frame["params"] = 1000.0
    verdict = verdict_on(frame, {"cells": "*", "metric": "params", "below": 2000})
    assert verdict.gates[0].holds is True


def test_a_gate_looks_at_columns_of_probes_and_measurements() -> None:
    frame = table([0.05] * 6, [0.02] * 6)
    frame["gradient_norm/first"] = [1e-9] * 6 + [1.0] * 6
    gate = {"cells": "*", "metric": "gradient_norm/first", "above": 1e-6}
    verdict = verdict_on(frame, gate)
    assert verdict.verdict == "not tested"
    assert "post at depth 110 is 1e-09 over 6 seeds, where more than 1e-06 is required." in verdict.sentence


def test_failed_cells_are_left_out_and_without_any_value_nothing_is_tested() -> None:
    frame = with_status(table([0.05] * 6, [0.02] * 6), "pre", [5], "failed")
    assert verdict_on(frame, TRAINED).verdict == "supported"
    frame = results({("post", 110): [1.0] * 6, ("pre", 110): [0.7] * 6, ("pre", 20): [0.1] * 6})
    frame["train/error"] = 0.01
    frame = with_status(frame, "pre", [0, 1, 2, 3, 4, 5], "failed")
    frame.loc[frame["depth"] == 110, "status"] = "done"
    frame.loc[frame["depth"] == 110, "train/loss"] = [1.0, 1.1, 1.2, 1.0, 1.1, 1.2, *[0.7] * 6]
    verdict = verdict_on(frame, {"cells": "pre@depth=20", "metric": "train/error", "below": 0.1})
    assert verdict.verdict == "not tested"
    assert "there is no value of pre@depth=20" in verdict.sentence


def test_a_narrowed_run_without_the_cells_of_a_gate_does_not_test_the_claim() -> None:
    frame = table([0.05] * 6, [0.02] * 6)
    verdict = verdict_on(frame, {"cells": "post@depth=20", "metric": "train/error", "below": 0.1})
    assert verdict.verdict == "not tested"
    assert "post@depth=20" in verdict.sentence


def test_holm_does_not_count_a_claim_whose_gate_fails() -> None:
    frame = table([0.62] * 6, [0.02] * 6)
    frame["train/loss"] += np.tile([0.2, -0.2, 0.1, -0.1, 0.05, -0.05], 2) * np.repeat([1, -1], 6)
    open_claim = claim(margin=0.0)
    alone = judge(frame, [open_claim])[0]
    beside = judge(frame, [open_claim, gated(TRAINED, id="gated")])
    assert beside[0].p_holm == alone.p_holm == alone.p
    assert beside[1].verdict == "not tested"


def test_a_gate_that_fails_at_a_look_ends_the_claim_there_and_one_that_holds_changes_nothing() -> None:
    looks = planned_looks(3, 3, 6)
    effects = [0.3, 0.1, 0.2, 0.25, 0.15, 0.2]
    frame = paired(effects)
    frame["train/error"] = [0.9, 0.9, 0.9, 0.0, 0.0, 0.0] + [0.0] * 6
    verdict = judge(frame, [gated(TRAINED)], looks=looks)[0]
    assert (verdict.verdict, verdict.look, verdict.open) == ("not tested", 3, False)
    frame["train/error"] = 0.0
    plain, held = judge(frame, [claim(), gated(TRAINED, id="held")], looks=looks)
    assert (held.verdict, held.look, held.p) == (plain.verdict, plain.look, plain.p)


def test_seeds_that_are_text_count_at_a_look_as_well() -> None:
    frame = paired(EFFECT)
    frame["train/error"] = 0.9
    frame["seed"] = frame["seed"].astype(str)
    verdict = judge(frame, [gated(TRAINED)], looks=planned_looks(3, 3, 6))[0]
    assert (verdict.verdict, verdict.gates[0].n) == ("not tested", 3)


def test_before_a_look_is_whole_a_failing_gate_leaves_the_claim_open() -> None:
    frame = with_status(paired(EFFECT), "pre", [2], "pending")
    frame["train/error"] = 0.9
    verdict = judge(frame, [gated(TRAINED)], looks=planned_looks(3, 3, 6))[0]
    assert (verdict.verdict, verdict.look, verdict.open) == ("not tested", None, True)


def test_a_threshold_that_was_never_reached_fails_as_a_diverged_cell_does() -> None:
    frame = table([0.05] * 6, [0.02] * 6)
    frame["epochs_to/train/loss<0.5"] = [3.0] * 5 + [math.nan] + [2.0] * 6
    verdict = verdict_on(frame, {"cells": "*", "metric": "epochs_to/train/loss<0.5", "below": 8})
    assert verdict.verdict == "not tested"
    assert "as 1 of 6 seeds never got there" in verdict.sentence


def test_readings_come_back_from_their_plain_form() -> None:
    verdict = verdict_on(table([0.05] * 6, [0.62] * 6), TRAINED)
    assert Verdict.from_dict(verdict.to_dict()).gates == verdict.gates


ARMS, GRID = ["post", "pre"], {"depth": [20, 110]}


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ({"cells": "prr@depth=110", "metric": "train/error", "below": 0.1}, "prr"),
        ({"cells": "*@depth=111", "metric": "train/error", "below": 0.1}, "111"),
        ({"cells": "*", "metric": "train/error"}, "give one of below and above"),
        ({"cells": "*", "metric": "train/error", "below": 0.1, "above": 0.0}, "give one of below and above"),
        ({"cells": "*", "metric": "train/error", "below": "low"}, "which is no number"),
        ({"cells": "*", "metric": "train/error", "below": 0}, "is negative"),
        ({"cells": "*", "metric": "train/error", "below": 10}, "0.1 is 10 %"),
        ({"cells": "*", "metric": "train/error", "above": 1}, "0.1 is 10 %"),
        ({"cells": "*", "metric": "train/loss", "below": -1}, "is negative"),
        ({"cells": "*", "below": 0.1}, "a gate has no metric"),
        ({"cell": "*", "metric": "train/error", "below": 0.1}, "cells"),
        ("train/error < 0.1", "write it as"),
    ],
)
def test_gates_that_say_nothing_or_that_nothing_passes_are_refused(gate: Any, message: str) -> None:
    with pytest.raises(InputError, match="gap") as refused:
        validate_claims([gated(gate)], ARMS, GRID)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_requires_must_be_a_list() -> None:
    with pytest.raises(InputError, match="write it as a list"):
        as_claim(claim(requires={"cells": "*", "metric": "train/error", "below": 0.1}))


def test_a_gate_on_a_metric_that_is_not_recorded_is_refused() -> None:
    asked = as_claim(gated({"cells": "*", "metric": "train/eror", "below": 0.1}))
    with pytest.raises(InputError, match=r"metric of a gate of claim 'gap' 'train/eror'.*train/error"):
        check_metrics([asked], ["train/loss", "train/error"])


def test_a_claim_speaks_of_the_cells_of_its_gates() -> None:
    asked = as_claim(gated({"cells": "post@depth=20", "metric": "train/error", "below": 0.1}))
    assert speaks_of(asked, "post", {"depth": 20})
    assert not speaks_of(asked, "pre", {"depth": 20})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "test/error", "margin": 1.0}, "100 percentage points of an error rate"),
        ({"metric": "test/top5_error", "margin": 5}, "500 percentage points"),
        ({"scale": "ratio", "margin": 10}, "1,000 %"),
    ],
)
def test_a_margin_that_no_difference_reaches_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        validate_claims([claim(**changes)], ARMS, GRID)
    assert message in str(refused.value)


def test_margins_just_below_are_taken() -> None:
    validate_claims([claim(metric="test/error", margin=0.99)], ARMS, GRID)
    validate_claims([claim(margin=100.0)], ARMS, GRID)  # of a loss, which has no upper end

"""One value a seed, from tables small enough to work out by hand."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest

from ablate.analysis import contrast_values, judge, worst_value
from ablate.analysis.contrast import contrast
from ablate.errors import InputError

from .tables import claim, paired, results, with_status

FOUR = {("post", 20): [0.4, 0.5], ("pre", 20): [0.3, 0.6], ("post", 110): [0.9, 0.8], ("pre", 110): [0.2, 0.4]}
INTERACTION = {"post@depth=110": 1, "pre@depth=110": -1, "post@depth=20": -1, "pre@depth=20": 1}


def test_a_pinned_contrast_takes_the_cells_it_names():
    assert contrast_values(results(FOUR), claim()).values == pytest.approx({0: 0.7, 1: 0.4})


def test_an_open_factor_is_averaged_within_the_seed():
    values = contrast_values(results(FOUR), claim(contrast={"post": 1, "pre": -1})).values
    assert values == pytest.approx({0: (0.4 + 0.9) / 2 - (0.3 + 0.2) / 2, 1: (0.5 + 0.8) / 2 - (0.6 + 0.4) / 2})


def test_an_interaction_is_a_difference_of_differences():
    values = contrast_values(results(FOUR), claim(contrast=INTERACTION)).values
    assert values == pytest.approx({0: 0.7 - 0.1, 1: 0.4 + 0.1})


def test_a_table_from_csv_gives_the_same_as_the_table():
    frame = results(FOUR).assign(bias=True)[["cell", "arm", "depth", "bias", "seed", "status", "train/loss"]]
    mixed = claim(contrast={"post@depth=110.0,bias=true": 1, "pre@bias=True,depth=110": -1})
    read = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert (
        contrast_values(read, mixed).values == contrast_values(frame, mixed).values == pytest.approx({0: 0.7, 1: 0.4})
    )


def test_a_seed_without_every_cell_is_left_out_and_says_why():
    frame = with_status(with_status(paired([0.1, 0.2, 0.3, 0.4]), "pre", [1], "failed"), "post", [2], "pending")
    found = contrast_values(frame, claim())
    assert list(found.values) == [0, 3]
    assert found.missing == ["pre@depth=110 seed 1: failed", "post@depth=110 seed 2: pending"]


def test_an_absent_row_counts_as_missing():
    found = contrast_values(paired([0.1, 0.2]).drop(index=3), claim())
    assert found.missing == ["pre@depth=110 seed 1: not in the results"]


def test_an_open_factor_needs_every_one_of_its_cells():
    found = contrast_values(results(FOUR).drop(index=0), claim(contrast={"post": 1, "pre": -1}))
    assert list(found.values) == [1]
    assert found.missing == ["post@depth=20 seed 0: not in the results"]


def test_a_finished_cell_without_the_metric_is_missing():
    frame = paired([0.1, 0.2])
    frame.loc[0, "train/loss"] = np.nan
    assert contrast_values(frame, claim()).missing == ["post@depth=110 seed 0: no train/loss recorded"]


def test_a_diverged_cell_is_worse_than_any_number_and_two_are_a_tie():
    frame = with_status(with_status(paired([0.1, 0.2, 0.3]), "post", [0, 2], "diverged"), "pre", [1, 2], "diverged")
    found = contrast_values(frame, claim())
    assert found.values == {0: math.inf, 1: -math.inf, 2: 0.0}
    assert len(found.diverged) == 4
    assert found.missing == []


def test_diverged_cells_that_cancel_leave_the_rest_of_the_contrast():
    frame = results(FOUR)
    frame.loc[frame["depth"] == 110, ["status", "train/loss"]] = ["diverged", np.nan]
    assert contrast_values(frame, claim(contrast=INTERACTION)).values == pytest.approx({0: -0.1, 1: 0.1})


def test_a_diverged_cell_is_named_though_its_partner_failed():
    frame = with_status(with_status(paired([0.1, 0.2]), "post", [0], "diverged"), "pre", [0], "failed")
    found = contrast_values(frame, claim())
    assert (found.diverged, found.missing) == (["post@depth=110 seed 0"], ["pre@depth=110 seed 0: failed"])


def test_worst_is_the_bottom_where_higher_is_better():
    assert worst_value("test/accuracy") == worst_value("test/top5_accuracy") == -math.inf
    assert worst_value("test/error") == worst_value("train/loss") == worst_value("accuracy_probe/loss") == math.inf
    frame = with_status(paired([0.1], "test/accuracy"), "post", [0], "diverged")
    assert contrast_values(frame, claim(metric="test/accuracy")).values == {0: -math.inf}


def test_a_threshold_never_reached_is_worse_than_any_epoch():
    frame = paired([1, 2], "epochs_to/0.1")
    frame.loc[0, "epochs_to/0.1"] = np.nan
    assert contrast_values(frame, claim(metric="epochs_to/0.1")).values == {0: math.inf, 1: 2}


def test_parameters_outlive_divergence():
    frame = paired([0.1]).assign(params=[300, 100], status=["diverged", "done"])
    assert contrast_values(frame, claim(metric="params")).values == {0: 200}


def test_a_difference_of_rounding_alone_is_zero():
    frame = results({("post", 110): [0.1 + 0.2], ("pre", 110): [0.3]})
    assert contrast_values(frame, claim()).values == {0: 0.0}


def test_selectors_that_match_nothing_are_told():
    found = contrast_values(results(FOUR), claim(contrast={"post@depth=56": 1, "pre@depth=20": -1}))
    assert (found.absent, found.values, found.to_come) == (["post@depth=56"], {}, 0)


def test_a_weight_of_zero_needs_no_cell():
    assert contrast_values(paired([0.1]), claim(contrast={**claim()["contrast"], "gone": 0})).absent == []


def test_a_column_that_does_not_exist_is_an_error():
    with pytest.raises(InputError, match="no column 'width'"):
        contrast_values(results(FOUR), claim(contrast={"post@width=2": 1, "pre@width=2": -1}))


def test_two_rows_for_one_cell_are_an_error():
    frame = pd.concat([results(FOUR), results(FOUR).iloc[:1]])
    with pytest.raises(InputError, match="two rows for post@depth=20 seed 0"):
        contrast_values(frame, claim(contrast={"post": 1, "pre": -1}))


def test_every_pending_cell_is_counted_as_to_come():
    frame = with_status(paired([0.1, 0.2, 0.3, 0.4]), "pre", [1], "failed")
    frame = with_status(frame, "post", [2, 3], "pending").drop(index=0)
    found = contrast_values(frame, claim())
    assert (found.values, found.to_come, len(found.missing)) == ({}, 3, 4)  # the absent row may come as well
    assert contrast_values(paired([0.1]), claim()).to_come == 0


def test_cells_that_two_terms_share_carry_the_sum_of_their_weights():
    found = contrast_values(results(FOUR), claim(contrast={"*@depth=110": 1, "post@depth=110": -1})).values
    assert found == pytest.approx({0: (0.2 - 0.9) / 2, 1: (0.4 - 0.8) / 2})


def test_without_a_column_of_statuses_every_cell_is_done():
    frame = results(FOUR)
    bare = frame.drop(columns="status")
    assert (
        contrast_values(bare, claim()).values
        == contrast_values(frame, claim()).values
        == pytest.approx({0: 0.7, 1: 0.4})
    )
    bare.loc[0, "train/loss"] = math.inf
    assert contrast_values(bare, claim(contrast={"post@depth=20": 1, "pre@depth=20": -1})).values[0] == math.inf


def test_the_id_of_a_cell_is_no_factor_wherever_its_column_stands():
    frame = results(FOUR)[["arm", "depth", "cell", "seed", "status", "train/loss"]]
    found = contrast_values(with_status(frame, "pre", [1], "failed"), claim())
    assert found.values == pytest.approx({0: 0.7})
    assert found.missing == ["pre@depth=110 seed 1: failed"]


def test_a_cell_is_named_by_all_its_factors():
    frame = with_status(paired([0.1]), "pre", [0], "failed")
    frame.insert(3, "width", 2)
    frame.insert(4, "bias", True)
    assert contrast_values(frame, claim()).missing == ["pre@depth=110,width=2,bias=true seed 0: failed"]


def test_a_factor_may_be_nothing():
    frame = results(FOUR).astype({"depth": float})
    frame.loc[frame["depth"] == 20, "depth"] = np.nan
    found = contrast_values(frame, claim(contrast={"post@depth=null": 1, "pre@depth=null": -1}))
    assert found.values == pytest.approx({0: 0.1, 1: -0.1})
    assert contrast_values(frame, claim()).values == pytest.approx({0: 0.7, 1: 0.4})


def test_what_is_no_number_counts_as_not_recorded():
    frame = paired([0.1, 0.2]).astype({"train/loss": object})
    frame.loc[1, "train/loss"] = "n/a"
    found = contrast_values(frame, claim())
    assert (found.values, found.missing) == (
        {0: pytest.approx(0.1)}, ["post@depth=110 seed 1: no train/loss recorded"],
    )  # fmt: skip


def test_a_metric_that_the_table_has_not_is_missing_everywhere():
    found = contrast_values(paired([0.1, 0.2]), claim(metric="test/loss"))
    assert (found.values, len(found.missing)) == ({}, 4)
    assert found.missing[0] == "post@depth=110 seed 0: no test/loss recorded"


def test_a_missing_column_is_told_beside_those_that_there_are():
    with pytest.raises(InputError) as error:
        contrast_values(pd.DataFrame({"arm": ["a"], "loss": [1.0]}), claim())
    assert str(error.value) == "the results have no column 'seed'; columns: arm, loss"


def test_two_rows_for_one_cell_are_an_error_though_their_values_differ():
    frame = results(FOUR)
    again = frame.iloc[:1].assign(**{"train/loss": 0.7})
    with pytest.raises(InputError) as error:
        contrast_values(pd.concat([frame, again]), claim(contrast={"post": 1, "pre": -1}))
    assert str(error.value) == (
        "the results have two rows for post@depth=20 seed 0; each cell stands once, and the columns of grid factors "
        "stand between 'arm' and 'seed'"
    )


@pytest.mark.parametrize("seeds", [["one", "two"], [0.1, 0.2], [0, math.nan], [True, False], [[0], [1]]])
def test_seeds_that_are_no_whole_numbers_are_refused_in_one_line(seeds):
    frame = pd.DataFrame({"arm": ["post", "pre"], "depth": 110, "seed": seeds, "train/loss": [0.5, 0.4]})
    for looks in ((), (3, 6)):
        with pytest.raises(InputError, match=r"the results have a seed '.*'; seeds are whole numbers"):
            judge(frame, [claim()], looks=looks)


def test_whole_seeds_of_any_type_are_the_same():
    frame = paired([0.1, 0.2])
    for kind in (float, str, object):
        assert contrast_values(frame.astype({"seed": kind}), claim()).values == pytest.approx({0: 0.1, 1: 0.2})


def test_a_difference_of_one_on_a_million_millions_is_one():
    frame = results({("post", 110): [1e12 + 1, 1e12 + 2, 1e12], ("pre", 110): [1e12] * 3}, "flops")
    assert list(contrast_values(frame, claim(metric="flops")).values.values()) == [1, 2, 0]


def test_differences_of_whole_images_are_tied_whatever_their_rounding():
    b = [20, 17, 5, 3, 26, 23, 25]
    gaps = [0, 2, 1, 1, 2, -1, 1]
    frame = results({("post", 110): [(x + g) / 360 for x, g in zip(b, gaps, strict=True)],
                     ("pre", 110): [x / 360 for x in b]}, "test/error")  # fmt: skip
    found = contrast_values(frame, claim(metric="test/error")).values
    assert len({abs(value) for value in found.values()}) == 3
    (verdict,) = judge(with_status(frame, "post", [0], "diverged"), [claim(metric="test/error")])
    assert verdict.p == pytest.approx(0.078125)


def test_arms_of_a_table_may_have_lists_for_values():
    frame = pd.DataFrame({"arm": ["a", "b"] * 2, "stages": [[1, 2]] * 2 + [[3]] * 2, "seed": 0, "train/loss": range(4)})
    assert contrast_values(frame, claim(contrast={"a@stages=[1,2]": 1, "b@stages=[1,2]": -1})).values == {0: -1.0}
    rising = claim(contrast={"a": 1}, trend="stages")
    assert contrast_values(frame, rising, {"stages": [[1, 2], [3]]}).values == {0: pytest.approx(2.0)}
    with pytest.raises(InputError, match="needs an order of its values"):
        judge(frame, [rising])


def test_contrast_of_some_seeds_only():
    measured = contrast(results(FOUR), claim())
    assert measured.of([1]).values == pytest.approx({1: 0.4})
    assert measured.of([1, 7]).missing == ["post@depth=110 seed 7: not in the results",
                                           "pre@depth=110 seed 7: not in the results"]  # fmt: skip
    assert list(measured.of().values) == [0, 1]

"""Claims are held against their study before anything is trained."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from ablate.analysis import as_claim, parse_selector, recorded_metrics, speaks_of, validate_claims, value_text
from ablate.config.schema import Claim, Paper
from ablate.errors import InputError

from .tables import claim

ARMS = ["post", "pre"]
GRID = {"depth": [20, 56, 110], "norm": ["batch", "none"], "bias": [True, False]}


def test_a_selector_is_an_arm_with_or_without_pinned_factors():
    assert parse_selector("post").factors == ()
    selector = parse_selector("post@depth=110, norm=none")
    assert (selector.arm, selector.factors) == ("post", (("depth", "110"), ("norm", "none")))
    assert str(selector) == "post@depth=110,norm=none"


@pytest.mark.parametrize("text", ["", "@depth=20", "post@", "post@depth", "post@depth=", "post@=20", "post@depth=20,"])
def test_a_malformed_selector_is_refused(text):
    with pytest.raises(InputError, match="cannot be read"):
        parse_selector(text)


def test_a_factor_pinned_twice_is_refused():
    with pytest.raises(InputError, match="twice"):
        parse_selector("post@depth=20,depth=56")


@pytest.mark.parametrize(
    ("one", "other"),
    [(110, "110"), (110, 110.0), ("110", 110.0), (True, "true"), (True, "True"), (None, float("nan")), (1e-4, "1e-4")],
)
def test_spellings_of_one_value_agree(one, other):
    assert value_text(one) == value_text(other)


@pytest.mark.parametrize(
    ("one", "other"), [(110, 11), (True, 1), (False, 0), (None, "none"), ("a", "A"), (0.1, 0.2), (2**60, 2**60 + 2**10)]
)
def test_values_that_differ_stay_apart(one, other):
    assert value_text(one) != value_text(other)


def test_sound_claims_of_every_kind_are_testable():
    claims = [
        claim(id="a"),
        claim(id="b", contrast={"post@depth=110.0": 0.5, "pre@depth=110": 0.5, "post@depth=20": -1}),
        claim(id="c", contrast={"post": 1, "pre": -1}, expect="zero"),
        Claim(id="d", contrast={"post@bias=true": 1, "post@bias=False": -1}, expect="negative", margin=0),
        OmegaConf.create(claim(id="e", contrast={"post@norm=none": 1, "pre@norm=none": -1})),
    ]
    assert validate_claims(claims, ARMS, GRID) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contrast": {"pots": 1, "pre": -1}}, "unknown arm 'pots'; did you mean 'post'"),
        ({"contrast": {"post@deph=20": 1, "pre": -1}}, "unknown grid factor 'deph'; did you mean 'depth'"),
        ({"contrast": {"post@depth=111": 1, "pre": -1}}, "unknown value of depth '111'; did you mean '110'"),
        ({"contrast": {"post": 1, "pre": -0.9}}, "sum to 0.1; they must sum to 0"),
        ({"contrast": {"post": 0, "pre": 0}}, "all weights of its contrast are 0"),
        ({"contrast": {}}, "empty contrast"),
        ({"contrast": {"post": "one", "pre": -1}}, "the weight of 'post' is one"),
        ({"contrast": {"post": float("nan"), "pre": -1}}, "the weight of 'post' is nan"),
        ({"expect": "postive"}, "unknown expect of claim 'gap' 'postive'; did you mean 'positive'"),
        ({"margin": -0.1}, "margin is -0.1"),
        ({"margin": "wide"}, "margin is wide"),
        ({"margin": float("inf")}, "margin is inf"),
        ({"margin": 0, "expect": "zero"}, "margin above 0"),
        ({"margin": None}, "has no margin"),
        ({"contrast": {"post|prw": 1, "pre": -1}}, "unknown arm 'prw'; did you mean 'pre'"),
        ({"contrast": {"post@depth=20|57": 1, "pre": -1}}, "unknown value of depth '57'; did you mean '56'"),
        ({"scale": "ration"}, "unknown scale of claim 'gap' 'ration'; did you mean 'ratio'"),
        ({"trend": "dept", "contrast": {"post": 1}}, "unknown grid factor in the trend of claim 'gap' 'dept'"),
        ({"trend": "depth"}, "selector 'post@depth=110' pins depth, over which the trend goes"),
        ({"trend": "depth", "threshold": 1, "contrast": {"post": 1}}, "a trend and a threshold"),
        ({"threshold": "high"}, "threshold is high, which is no number"),
        ({"threshold": 0, "scale": "ratio", "contrast": {"post": 1}}, "with scale=ratio it must be above 0"),
        ({"contrast": {"post": 1}}, "sum to 1; they must sum to 0 (unless it has a threshold"),
        ({"expect": "???"}, "has no expect"),
        ({"id": ""}, "has no id"),
        ({"metric": " "}, "has no metric"),
        ({"contrast": ["post", "pre"]}, "contrast is "),
        ({"paper": "Table 3"}, "paper is 'Table 3'"),
        ({"paper": {"wher": "Table 3"}}, "unknown field of the paper of claim 'gap' 'wher'; did you mean 'where'"),
        ({"margn": 0.1}, "unknown field of claim 'gap' 'margn'; did you mean 'margin'"),
    ],
)
def test_an_unsound_claim_says_what_is_wrong(changes, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        validate_claims([claim(**changes)], ARMS, GRID)


def test_two_claims_of_one_id_are_refused():
    with pytest.raises(InputError, match="two claims have the id 'gap'"):
        validate_claims([claim(), claim(expect="negative")], ARMS, GRID)


def test_thirds_sum_to_zero():
    contrast = {"post@depth=20": 0.333333, "post@depth=56": 0.333333, "post@depth=110": 0.333334, "pre": -1}
    assert validate_claims([claim(contrast=contrast)], ARMS, GRID) == {}


def test_what_a_narrowed_run_lacks_is_a_reason_and_no_error():
    claims = [claim(id="deep"), claim(id="all", contrast={"post": 1, "pre": -1})]
    assert validate_claims(claims, ARMS, GRID, kept_grid={**GRID, "depth": [20]}) == {
        "deep": "this run has no depth=110"
    }
    assert validate_claims(claims, ARMS, GRID, kept_grid={}) == {"deep": "this run has no depth=110"}
    assert set(validate_claims(claims, ARMS, GRID, kept_arms=["post"])) == {"deep", "all"}


def test_a_typing_error_stays_an_error_in_a_narrowed_run():
    with pytest.raises(InputError, match="unknown value of depth"):
        validate_claims([claim(contrast={"post@depth=111": 1, "pre": -1})], ARMS, GRID, kept_grid={"depth": [20]})


def test_a_claim_keeps_what_the_paper_reports():
    assert as_claim(claim(paper={"value": "6.61 %", "where": "Table 3"})).paper == Paper("6.61 %", "Table 3")
    assert as_claim(claim(paper=None)).paper == Paper()


def test_a_metric_that_no_cell_records_is_refused_with_what_would_record_it():
    metrics = recorded_metrics(["train/loss<0.5"])
    assert validate_claims([claim(metric="epochs_to/train/loss<0.5")], ARMS, GRID, metrics=metrics) == {}
    with pytest.raises(InputError, match="unknown metric of claim 'gap' 'test/eror'; did you mean 'test/error'"):
        validate_claims([claim(metric="test/eror")], ARMS, GRID, metrics=metrics)
    with pytest.raises(InputError, match=r'record it with trainer.epochs_to=\["train/loss<0.1"\]'):
        validate_claims([claim(metric="epochs_to/train/loss<0.1")], ARMS, GRID, metrics=metrics)


def test_a_claim_speaks_of_the_cells_that_its_selectors_match():
    one = as_claim(claim(contrast={"post|pre@depth=56|110": 1, "*@depth=20": -1}))
    assert speaks_of(one, "pre", {"depth": 110, "norm": "none"})
    assert speaks_of(one, "other", {"depth": 20})
    assert not speaks_of(one, "other", {"depth": 110})
    assert not speaks_of(one, "pre", {"depth": 32})


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"contrast": {"pots": 1, "pre": -1}},
            "unknown arm 'pots'; did you mean 'post'?; known: post, pre; (claim 'gap', selector 'pots')",
        ),
        (
            {"contrast": {"post@deph=20": 1, "pre": -1}},
            "unknown grid factor 'deph'; did you mean 'depth'?; known: bias, depth, norm; "
            "(claim 'gap', selector 'post@deph=20')",
        ),
        (
            {"contrast": {"post@depth=20|57": 1, "pre": -1}},
            "unknown value of depth '57'; did you mean '56'?; known: 110, 20, 56; "
            "(claim 'gap', selector 'post@depth=20|57')",
        ),
        (
            {"metric": "test/eror"},
            "unknown metric of claim 'gap' 'test/eror'; did you mean 'test/error'?; "
            "known: flops, params, receptive_field, seconds, test/error, test/loss, train/error, train/loss",
        ),
        (
            {"metric": "epochs_to/test/error<0.1"},
            "unknown metric of claim 'gap' 'epochs_to/test/error<0.1'; did you mean 'test/error'?; "
            "known: flops, params, receptive_field, seconds, test/error, test/loss, train/error, train/loss; "
            'record it with trainer.epochs_to=["test/error<0.1"]',
        ),
        ({"threshold": "high"}, "claim 'gap': threshold is high, which is no number"),
        ({"threshold": True}, "claim 'gap': threshold is True, which is no number"),
        (
            {"trend": "depth", "threshold": 1, "contrast": {"post": 1}},
            "claim 'gap' has a trend and a threshold; a claim has one of the two",
        ),
        (
            {"threshold": -1, "scale": "ratio", "contrast": {"post": 1}},
            "claim 'gap': threshold is -1; with scale=ratio it must be above 0",
        ),
        ({"contrast": {}}, "claim 'gap' has an empty contrast; write it as {arm_a: 1, arm_b: -1}"),
        ({"contrast": {"post": 0, "pre": 0}}, "claim 'gap': all weights of its contrast are 0"),
        (
            {"contrast": {"post": 1, "pre": -0.9}},
            "claim 'gap': the weights of its contrast sum to 0.1; they must sum to 0 "
            "(unless it has a threshold or a trend)",
        ),
        (
            {"trend": "norm", "contrast": {"post@norm=none": 1}},
            "claim 'gap': selector 'post@norm=none' pins norm, over which the trend goes; leave it out",
        ),
        (
            {"trend": "single", "contrast": {"post": 1}},
            "claim 'gap': a trend needs two values of single, and the grid has [3]",
        ),
        ({"margin": -0.1}, "claim 'gap': margin is -0.1; it must be a number of at least 0"),
        (
            {"margin": 0, "expect": "zero"},
            "claim 'gap': expect=zero needs a margin above 0, the smallest difference that matters",
        ),
        ({"contrast": ["post"]}, "claim 'gap': contrast is ['post']; write it as {arm_a: 1, arm_b: -1}"),
        ({"paper": "Table 3"}, "claim 'gap': paper is 'Table 3'; write it as {value: ..., where: ...}"),
        ({"margin": None}, "claim 'gap' has no margin"),
        ({"metric": ""}, "claim 'gap' has no metric"),
    ],
)
def test_an_unsound_claim_ends_in_one_clear_line(changes, line):
    grid = GRID if changes.get("trend") != "single" else {**GRID, "single": [3]}
    with pytest.raises(InputError) as error:
        validate_claims([claim(**changes)], ARMS, grid, metrics=recorded_metrics())
    assert str(error.value) == line


def test_a_claim_without_an_id_is_named_by_a_question_mark():
    with pytest.raises(InputError) as error:
        as_claim({"metric": "train/loss"})
    assert str(error.value) == "claim '?' has no id"


@pytest.mark.parametrize(
    "changes",
    [
        {"contrast": {"post": 1}, "threshold": 0.0},
        {"contrast": {"post": 1}, "threshold": -1},
        {"contrast": {"post": 1}, "threshold": 0.5, "scale": "ratio"},
        {"contrast": {"post": 1, "pre": 1}, "threshold": 2, "scale": "ratio"},
        {"contrast": {"post": 1}, "trend": "norm"},  # two values are enough
        {"contrast": {"post@depth=20": 1000, "post@depth=56": 1000, "pre": -2000.0005}},  # rounding, as thirds have it
        {"margin": 0, "expect": "zero", "metric": "params"},
        {"margin": 0},
    ],
)
def test_a_sound_claim_is_testable(changes):
    assert validate_claims([claim(**changes)], ARMS, GRID) == {}


def test_what_a_narrowed_run_lacks_is_told_by_its_first_gap():
    def reason(kept_arms=ARMS, kept_grid=GRID, **changes):
        return validate_claims([claim(**changes)], ARMS, GRID, kept_arms=kept_arms, kept_grid=kept_grid)["gap"]

    over = {"contrast": {"post": 1}, "trend": "depth"}
    assert reason(kept_arms=["pre"]) == "this run has no arm post"
    assert reason(kept_grid={**GRID, "depth": [20, 56]}) == "this run has no depth=110"
    assert reason(kept_grid={**GRID, "depth": [20]}, **over) == "this run has fewer than two values of depth"
    assert reason(kept_grid={}, **over) == "this run has fewer than two values of depth"
    kept = {**GRID, "depth": [20, 110]}
    assert validate_claims([claim(**over), claim(id="deep")], ARMS, GRID, kept_grid=kept) == {}


def test_selectors_are_written_as_they_were_read():
    for text in ("post", "*", "post|pre", "post@depth=110,norm=none|batch"):
        assert str(parse_selector(text)) == text


def test_a_value_may_have_an_equals_sign():
    selector = parse_selector("post@block=k=3,depth=20")
    assert selector.factors == (("block", "k=3"), ("depth", "20"))
    assert str(selector) == "post@block=k=3,depth=20"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (110.0, "110"), ("-0.0", "0"), ("  56 ", "56"), (0.5, "0.5"), ("1e-4", "0.0001"),
        (True, "true"), ("FALSE", "false"), (False, "false"),
        (None, "null"), ("", "null"), (" ", "null"), ("null", "null"), (float("nan"), "null"),
        ("inf", "inf"), ("identity", "identity"), ([1, 2], "[1, 2]"), ({"a": 1}, "{a: 1}"), ((1,), "[1]"),
        ("['a', 'b']", "[a, b]"), ("[a,b]", "[a, b]"), ([None, True], "[null, true]"), ("[None, True]", "[null, true]"),
        ("{'a': 1.0}", "{a: 1}"), ("[a", "[a"),
        (2**52, "4503599627370496"), (2**53, "9007199254740992.0"), (1e16, "1e+16"), (1e17, "1e+17"),
    ],
)  # fmt: skip
def test_a_value_as_text(value, text):
    """Whole numbers that a float holds exactly, with their neighbours, have no decimal point."""
    assert value_text(value) == text


def test_a_claim_of_a_config_is_read_with_its_interpolations():
    config = OmegaConf.create({"wide": 0.1, "claim": claim(margin="${wide}", paper={"value": "${wide} %"})})
    read = as_claim(config.claim)
    assert (read.margin, read.paper.value) == (0.1, "0.1 %")
    assert type(read.contrast) is dict

"""Entries of a study that are typed one by one: names with dots, and lists as values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ablate import InputError
from ablate.__main__ import main
from ablate.study.plan import Study, plan_study
from tests.studies import planned, refusal

pytestmark = pytest.mark.usefixtures("here")

Refused = Callable[..., str]
ARMS = "arms: {a: [order=post], v1.5: [order=pre]}, seeds: 1"
DOTTED = f"{ARMS}, grid: {{depth: [8], trainer.epochs: [1, 2]}}"
LISTS = f"{ARMS}, grid: {{aux.at: [[stage1], [stage1, stage2]]}}"
AUX = ("aux=linear", "depth=8", "width=0.25")


def levels(study: Study) -> dict[str, list[object]]:
    return {**study.grid, **study.zipped}


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("study.grid.trainer.epochs=[3,4]", {"depth": [8], "trainer.epochs": [3, 4]}),
        ("++study.grid.trainer.epochs=[3]", {"depth": [8], "trainer.epochs": [3]}),
        ("~study.grid.trainer.epochs", {"depth": [8]}),
        ("+study.grid.optim.lr=[0.1,0.2]", {"depth": [8], "trainer.epochs": [1, 2], "optim.lr": [0.1, 0.2]}),
        ("+study.zip.optim.lr=[0.1,0.2]", {"depth": [8], "trainer.epochs": [1, 2], "optim.lr": [0.1, 0.2]}),
        ("study.grid={trainer.epochs:[3,4]}", {"depth": [8], "trainer.epochs": [3, 4]}),
        ("study.grid={}", {}),
        ("trainer.epochs=2", {"depth": [8], "trainer.epochs": [2]}),
        ("trainer.epochs=7", {"depth": [8], "trainer.epochs": [7]}),
    ],
)
def test_a_factor_with_a_dot_is_pinned_replaced_added_and_taken_away(
    typed: str, found: dict[str, list[object]]
) -> None:
    assert levels(planned(DOTTED, typed)) == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("~study.arms.v1.5", ["a"]),
        ("study.arms.v1.5=['act=elu']", ["a", "v1.5"]),
        ("+study.arms.v2.0=['act=elu']", ["a", "v1.5", "v2.0"]),
        ("study.arms={}", ["base"]),
    ],
)
def test_an_arm_with_a_dot_is_changed_added_and_taken_away(typed: str, found: list[str]) -> None:
    study = planned(ARMS, typed)
    assert list(study.arms) == found
    if typed.startswith("study.arms.v1.5"):
        assert study.arms["v1.5"].overrides == ["act=elu"]


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (
            "study.grid.trainer.epoch=[1]",
            "unknown key 'study.grid.trainer.epoch'; did you mean 'study.grid.trainer.epochs'?; known: depth, "
            "trainer.epochs; +study.grid.trainer.epoch=[...] adds one",
        ),
        ("study.arms.v1.6=['act=elu']", "unknown key 'study.arms.v1.6'; did you mean 'study.arms.v1.5'?; known: a, "),
        ("+study.grid.trainer.epochs=[3]", "study.grid.trainer.epochs exists already; set it without the plus"),
        ("~study.grid.trainer.epoch", "cannot delete 'study.grid.trainer.epoch': it does not exist; did you mean "),
        ("~study.zip.trainer.epochs", "cannot delete 'study.zip.trainer.epochs': it does not exist; known: none"),
        (
            "study.grid.trainer.epochs=3",
            "study.grid.trainer.epochs=3: must be a list, such as study.grid.trainer.epochs=[3]",
        ),
        ("study.grid.depth=8", "study.grid.depth=8: must be a list, such as study.grid.depth=[8]"),
        (
            "study.scales.paper.grid.optim.lr=[1]",
            "'study.scales.paper.grid.optim.lr=[1]': a name with dots is typed as ++study.scales.paper.",
        ),
    ],
)  # fmt: skip
def test_an_entry_that_is_not_there_says_the_spelling_that_works(typed: str, line: str) -> None:
    assert refusal(DOTTED, typed).startswith(line)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("~study.claims", "~study.claims: can be set, and not deleted; empty it with study.claims=[]"),
        ("~study.arms", "~study.arms: can be set, and not deleted; empty it with study.arms={}"),
        ("~study.grid", "~study.grid: can be set, and not deleted; empty it with study.grid={}"),
        ("~study.exclude", "~study.exclude: can be set, and not deleted; empty it with study.exclude=[]"),
        ("~study.name", "~study.name: can be set, and not deleted"),
        ("~trainer.epochs", "~trainer.epochs: can be set, and not deleted"),
        ("~trainer.epochs_to", "~trainer.epochs_to: can be set, and not deleted; empty it with trainer.epochs_to=[]"),
        ("~depth", "depth has no value; it can be set, and not deleted; to have none type depth=null"),
        ("~shortcut", "shortcut has no value; it can be set, and not deleted; to have none type shortcut=none"),
        ("~probes", "cannot delete 'probes': none is chosen"),
    ],
)
def test_what_cannot_be_deleted_says_how_it_is_emptied(typed: str, line: str, refused: Refused) -> None:
    assert refused("plan", typed) == line


@pytest.mark.slow
def test_a_list_as_a_value_is_named_in_a_claim_pinned_and_replaced() -> None:
    spellings = ("[stage1,stage2]", "[stage1, stage2]", "['stage1', 'stage2']", '["stage1","stage2"]')
    for spelling in spellings:
        contrast = {f"a@aux.at={spelling}": 1, f"v1.5@aux.at={spelling}": -1}
        claim = f"claims: [{{id: c, contrast: {contrast}, expect: positive, margin: 0.1}}]"
        study = planned(f"{LISTS}, {claim}", *AUX)
        assert levels(study) == {"aux.at": [["stage1"], ["stage1", "stage2"]]}
        assert len(study.cells_of([0], study.claims)) == 2
    assert levels(planned(LISTS, *AUX, "aux.at=[stage1]")) == {"aux.at": [["stage1"]]}
    assert levels(planned(LISTS, *AUX, "study.grid.aux.at=[[stage2],[stage3]]")) == {"aux.at": [["stage2"], ["stage3"]]}
    assert levels(planned(LISTS, *AUX, "~study.grid.aux.at", "aux.at=[stage1]")) == {}
    study = planned(LISTS, *AUX, "study.exclude=[{aux.at:[stage1]}]")
    assert {str(cell.factors) for cell in study.cells} == {"{'aux.at': ['stage1', 'stage2']}"}


def test_a_claim_that_names_a_list_which_is_not_there_says_which_are() -> None:
    claim = (
        "claims: [{id: c, contrast: {'a@aux.at=[stage3]': 1, 'v1.5@aux.at=[stage3]': -1}, expect: zero, margin: 0.1}]"
    )
    line = refusal(f"{LISTS}, {claim}", *AUX)
    assert line.startswith(
        "unknown value of aux.at '[stage3]'; did you mean '[stage1]'?; known: [stage1, stage2], [stage1]"
    )


def test_under_m_entries_with_dots_reach_every_job_and_values_say_how_they_are_typed(
    refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path("conf/exp/mine.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(f"# @package _global_\nstudy: {{name: mine, {DOTTED}}}\n")
    line = refused("-m", "+exp=mine", "study.grid.trainer.epochs=[3,4],[1,2]")
    assert line.endswith(
        "under -m a name with dots is typed as ++study.grid={trainer.epochs:[...]},{trainer.epochs:[...]}"
    )
    assert main(["-m", "+exp=mine", "study.grid.trainer.epoch=[3]", "seed=0,1"]) == 2
    assert (
        "unknown key 'study.grid.trainer.epoch'; did you mean 'study.grid.trainer.epochs'?" in capsys.readouterr().err
    )


def test_one_point_of_the_paper_is_not_an_error_where_a_scale_changes_the_grid() -> None:
    study = planned(f"{DOTTED}, scales: {{quick: {{grid: {{optim.lr: [0.1, 0.2]}}}}}}", "study.grid.optim.lr=[0.3]")
    assert levels(study) == {"optim.lr": [0.3]}
    with pytest.raises(InputError, match=r"cannot delete 'study.grid.trainer.epochs'"):
        plan_study(["+exp=mine", "~study.grid.trainer.epochs"])

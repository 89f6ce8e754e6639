"""One name stands for one design."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablate import InputError
from ablate.run.names import left_out, refuse_other_design
from ablate.run.store import Store
from ablate.study.plan import Study, plan_study
from tests.cells import TINY, last_wins
from tests.stores import store

ARMS = ("+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=orders")


@cache
def planned(*overrides: str) -> Study:
    return plan_study(last_wins(*TINY, *ARMS, "study.seeds=2", *overrides))


@pytest.fixture
def stored(tmp_path: Path) -> Store:
    """The study of two arms, planned and written, nothing trained."""
    here = store(tmp_path, "orders")
    study = planned()
    for cell in study.cells:
        here.freeze(cell)
    here.write_study(study)
    return here


def without_settings(stored: Store) -> None:
    """As version 0.1 wrote it."""
    file = stored.folder / "study.yaml"
    plain = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({key: plain[key] for key in plain if key not in ("version", "settings", "varied")}))


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    ("overrides", "told", "name"),
    [
        (["trainer.epochs=4"], "trainer.epochs is 2 there and 4 here", "orders_epochs4"),
        (["depth=14"], "depth is 8 there and 14 here", "orders_depth14"),
        (["optim=adamw"], "optim.name is sgd there and adamw here", "orders_nameadamw"),
        (["trainer.threads=2"], "trainer.threads is 1 there and 2 here", "orders_threads2"),
        (["trainer.precision=bf16"], "trainer.precision is fp32 there and bf16 here", "orders_precisionbf16"),
    ],
)
def test_other_settings_under_a_stored_name_are_refused(
    overrides: list[str], told: str, name: str, old: bool, stored: Store
) -> None:
    if old:
        without_settings(stored)
    with pytest.raises(InputError) as error:
        refuse_other_design(planned(*overrides), stored)
    text = str(error.value)
    assert told in text
    assert text.startswith(f"{stored.folder} holds another design of the name orders: ")
    assert text.endswith(f"; one name stands for one design: give this one another, such as study.name={name}")
    assert "\n" not in text
    refuse_other_design(planned(*overrides, f"study.name={name}"), Store(stored.runs, name))


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["study.seeds=3"],
        ["study.seeds=1"],
        ["study.question=why"],
        ["+study.arms.plain=['shortcut=none']"],
        ["+study.arms.slow=['optim.lr=0.01']"],
        ["+study.grid.act=[relu,elu]"],
        ["+study.claims=[{id: c, contrast: {post: 1, pre: -1}, expect: positive, margin: 0.1}]"],
        ["engine.retries=0", "rerun=stale", "trainer.workers=0"],
    ],
    ids=" ".join,
)
def test_claims_seeds_arms_and_factors_may_change_and_grow(overrides: list[str], old: bool, stored: Store) -> None:
    if old:
        without_settings(stored)
    refuse_other_design(planned(*overrides), stored)


def test_what_an_arm_sets_may_be_set_otherwise(tmp_path: Path) -> None:
    here = store(tmp_path, "orders")
    rates = "+study.arms.slow=['optim.lr=0.01']"
    here.write_study(planned(rates))
    refuse_other_design(planned("+study.arms.slow=['optim.lr=0.02']"), here)
    with pytest.raises(InputError, match=r"optim\.momentum is 0\.9 there and 0\.5 here"):
        refuse_other_design(planned(rates, "optim.momentum=0.5"), here)


def test_an_error_shows_three_settings_and_counts_the_rest(stored: Store) -> None:
    others = ["depth=14", "width=0.5", "trainer.epochs=4", "optim.lr=0.2", "data.batch_size=32"]
    with pytest.raises(InputError, match=r"; [^;]* here, and 2 more; one name stands") as error:
        refuse_other_design(planned(*others), stored)
    assert str(error.value).count(" there and ") == 3


def test_other_data_in_the_place_of_a_published_set_are_other_settings(tmp_path: Path) -> None:
    here = store(tmp_path, "orders")
    study = planned()

    def with_data(**changes: Any) -> Study:
        return replace(study, cells=[replace(cell, **changes) for cell in study.cells])

    own, published = with_data(contents={"data.content": "0123"}), with_data(contents={})
    for first, then, told in [
        (published, own, "data.content is the published set there and 0123 here"),
        (own, published, "data.content is 0123 there and the published set here"),
    ]:
        here.write_study(first)
        refuse_other_design(first, here)
        refuse_other_design(with_data(contents={}, provisional=("data.content",)), here)
        with pytest.raises(InputError, match=told):
            refuse_other_design(then, here)


def test_a_name_that_is_not_stored_yet_is_free(tmp_path: Path) -> None:
    refuse_other_design(planned(), store(tmp_path, "orders"))


def test_each_scale_has_a_folder_of_its_own() -> None:
    assert planned().folder == "orders"
    assert planned("scale=paper", "data=digits", "augment=shift").folder == "orders-paper"


def test_single_runs_share_one_folder_whatever_their_settings_and_scale(tmp_path: Path) -> None:
    first = plan_study([*TINY])
    here = store(tmp_path, first.folder)
    here.write_study(first)
    for overrides in (["trainer.epochs=4"], ["scale=paper", "data=digits", "augment=shift", "width=0.25"]):
        study = plan_study(last_wins(*TINY, *overrides))
        assert study.folder == "single"
        refuse_other_design(study, here)
        here.write_study(study)
    assert left_out(first, here) == ""


def test_what_a_run_leaves_out_is_counted(stored: Store) -> None:
    assert left_out(planned(), stored) == ""
    assert left_out(planned("study.seeds=3"), stored) == ""
    line = "2 cells of the last run of orders are no part of this one"
    assert left_out(planned("study.seeds=1"), stored) == line

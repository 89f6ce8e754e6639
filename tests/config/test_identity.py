"""What makes two cells the same: all that decides a number is part of a cell's ID, or declared not to be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ablate import register, registry
from ablate.config.compose import compose, prepare
from ablate.config.contents import Contents
from ablate.config.identity import cell_id, decisive, earlier_ids
from ablate.config.roles import declared_keys
from ablate.registry.kinds import KINDS, Kind, declare
from ablate.registry.roles import Role
from ablate.study.plan import plan_study
from tests.cells import FORMER_QUICK, last_wins, planned

pytestmark = pytest.mark.usefixtures("here")

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

GOLDEN: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("golden_ids.json").read_text(encoding="utf-8"))
USES = ("backbone", "block", "order", "shortcut", "depth")
NOTHING = Contents()


planned()  # before any test declares a kind, which would be part of it


def name(config: dict[str, Any]) -> str:
    return cell_id(config, NOTHING, USES)


def recorded(typed: str) -> list[str]:
    """The overrides that what was typed then stands for now: an ID follows from what is trained."""
    words = typed.split(" ")
    return words if any(word.startswith("scale=") for word in words) else last_wins(*FORMER_QUICK, *words)


@pytest.mark.parametrize(
    "typed", [pytest.param(typed, marks=pytest.mark.slow) if "resnet1001" in typed else typed for typed in GOLDEN]
)
def test_ids_of_stored_cells_do_not_drift(typed: str) -> None:
    (cell,) = plan_study(recorded(typed)).cells
    assert cell.id == GOLDEN[typed]["id"]
    assert GOLDEN[typed]["version 0.1"] in cell.earlier, "results of that version are found again"


def test_a_kind_that_comes_later_changes_no_id() -> None:
    before = {typed: plan_study(typed.split(" ")).cells[0].id for typed in list(GOLDEN)[:3]}
    declare(Kind("pool", "how maps shrink", Role.NETWORK, default="none", before="none"))

    @register("pool", "none")
    def none() -> None:
        """Nothing new."""

    @register("pool", "blur")
    def blur(*, size: int = 3) -> None:
        """A blur before each stride."""

    after = {typed: plan_study(typed.split(" ")).cells[0] for typed in before}
    assert {typed: cell.id for typed, cell in after.items()} == before
    assert all(cell.config["pool"] == {"name": "none"} for cell in after.values())
    config = planned.__wrapped__()  # not remembered: other tests do not have that kind
    assert config["pool"] == {"name": "none"}
    assert name({**config, "pool": {"name": "blur", "size": 3}}) != name(config), "and another choice of it does"


def test_an_option_that_comes_later_changes_no_id() -> None:
    @register("act", "steep")
    def first() -> None:
        """A line."""

    first_id = name({**planned(), "act": {"name": "steep"}})
    with registry.isolated():
        registry.registration._entries.pop(("act", "steep"))

        @register("act", "steep")
        class Second:
            """A line."""

            before = {"slope": 1.0}  # noqa: RUF012 - as a plugin's author writes it

            def __init__(self, *, slope: float = 1.0) -> None:
                pass

        assert name({**planned(), "act": {"name": "steep", "slope": 1.0}}) == first_id
        assert name({**planned(), "act": {"name": "steep", "slope": 2.0}}) != first_id


def test_an_id_can_be_read_and_is_the_same_every_time() -> None:
    first, again = name(planned("seed=3")), name(planned("seed=3"))
    assert first == again
    assert re.fullmatch(r"resnet8-basic-post-identity-s3-[0-9a-f]{12}", first)


@pytest.mark.parametrize(
    ("arch", "words"),
    [("googlenet", "googlenet"), ("vgg11", "vgg11"), ("lenet5", "lenet"), ("inception_v2", "inception_v2")],
)
def test_an_id_names_no_part_that_the_network_does_not_have(arch: str, words: str) -> None:
    (cell,) = plan_study([f"arch={arch}"]).cells
    assert re.fullmatch(rf"{words}-s0-[0-9a-f]{{12}}", cell.id)


def test_every_key_says_what_it_is_for() -> None:
    """A key without a declaration would decide numbers, or not, by accident."""
    known = {key.partition(".")[0] for key in declared_keys()} | {kind.group for kind in KINDS.values()}
    assert set(compose().keys()) - known == set()


@pytest.mark.parametrize("override", ["engine.slots=3", "engine.retries=0", "runs=elsewhere", "rerun=stale"])
def test_where_and_why_a_cell_runs_is_no_part_of_it(override: str) -> None:
    assert name(planned(override)) == name(planned())


@pytest.mark.parametrize(
    "override",
    [
        "trainer.checkpoint_blocks=true",
        "trainer.resident=false",
        "trainer.workers=2",
        "image.size=16",
    ],
)
def test_what_gives_the_same_numbers_is_no_part_of_it(override: str) -> None:
    assert name(planned(override)) == name(planned())


@pytest.mark.parametrize(
    "override",
    [
        "seed=1", "width=0.25", "order=pre", "shortcut.pad=end", "optim.lr=0.2", "trainer.epochs=3",
        "data.batch_size=32",
        "evaluation=ten_crop", "trainer.eval_every=2",
    ],
)  # fmt: skip
def test_all_that_decides_the_outcome_is_part_of_it(override: str) -> None:
    assert name(planned(override)) != name(planned())


@pytest.mark.parametrize(
    "override",
    [
        "trainer=bf16", "trainer.precision=bf16", "trainer.compile=inductor", "trainer.channels_last=false",
        "trainer.threads=2",
    ],
)  # fmt: skip
def test_how_a_step_is_computed_is_part_of_it(override: str) -> None:
    assert name(planned(override)) != name(planned())


def test_options_that_came_later_leave_the_ids_of_earlier_cells_as_they_were() -> None:
    config = planned()
    later = ("precision", "compile", "threads")
    trainer = {key: value for key, value in config["trainer"].items() if key not in later}
    assert name({**config, "trainer": trainer}) == name(config)


def test_how_a_value_is_written_is_no_part_of_it() -> None:
    assert name(planned("width=1")) == name(planned("width=1.0"))
    assert name(planned("trainer={epochs:6}")) == name(planned())
    assert name(planned("order=post", "shortcut=identity")) == name(planned())


def test_one_cell_has_one_id_in_every_study() -> None:
    arms = ["+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=other", "study.seeds=2"]
    cells = plan_study(["+study.grid.depth=[8,14]", *arms]).cells
    assert name(planned("seed=1")) in {cell.id for cell in cells}


def test_what_files_hold_takes_the_place_of_where_they_lie() -> None:
    @register("data", "mine")
    def mine(*, folder: Path = Path("data"), batch_size: int = 64) -> None:
        """Images."""

    config = planned()

    def with_data(folder: str, digest: str) -> str:
        node = {"name": "mine", "folder": folder, "batch_size": 64}
        return cell_id({**config, "data": node}, Contents({"data.folder": digest}), USES)

    assert with_data("/a", "one") == with_data("/b", "one")
    assert with_data("/a", "one") != with_data("/a", "two")
    assert earlier_ids({**config, "data": {"name": "mine"}}, Contents({"data.folder": "one"})) == []


def test_how_data_gets_here_is_no_part_of_a_cell() -> None:
    @register("data", "mine")
    class Mine:
        """Images."""

        incidental = ("download",)

        def __init__(self, *, download: bool = False, batch_size: int = 64) -> None:
            pass

    config = planned()
    ids = {name({**config, "data": {"name": "mine", "download": download}}) for download in (True, False)}
    assert len(ids) == 1


def test_what_decides_is_taken_from_the_config_and_the_config_stays_as_it_is() -> None:
    config = planned()
    before = json.dumps(config, sort_keys=True)
    assert "threads" not in decisive(config)["trainer"]
    assert json.dumps(config, sort_keys=True) == before

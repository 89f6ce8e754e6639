"""What makes two cells the same, and what code trained one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ablate import register, registry
from ablate.config.compose import prepare
from ablate.config.identity import cell_id, fingerprint
from ablate.study.plan import plan_study

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        yield tmp_path


@cache
def planned(*overrides: str) -> dict[str, Any]:
    (cell,) = plan_study(["depth=8", *overrides]).cells
    return cell.config


def test_an_id_can_be_read_and_is_the_same_every_time() -> None:
    first, again = cell_id(planned("seed=3")), cell_id(planned("seed=3"))
    assert first == again
    assert re.fullmatch(r"resnet8-basic-post-identity-s3-[0-9a-f]{12}", first)


@pytest.mark.parametrize(
    "override", ["engine.slots=3", "engine.retries=0", "runs=elsewhere", "rerun=stale", "study.name=other"]
)
def test_where_and_why_a_cell_runs_is_no_part_of_it(override: str) -> None:
    assert cell_id(planned(override)) == cell_id(planned())


@pytest.mark.parametrize(
    "override",
    ["seed=1", "width=0.25", "order=pre", "shortcut.pad=end", "optim.lr=0.2", "trainer.epochs=3", "data.batch_size=32"],
)
def test_all_that_decides_the_outcome_is_part_of_it(override: str) -> None:
    assert cell_id(planned(override)) != cell_id(planned())


@pytest.mark.parametrize(
    "override", ["trainer=bf16", "trainer.precision=bf16", "trainer.compile=inductor", "trainer.channels_last=false"]
)
def test_how_a_step_is_computed_is_part_of_it(override: str) -> None:
    assert cell_id(planned(override)) != cell_id(planned())


def test_options_that_came_later_leave_the_ids_of_earlier_cells_as_they_were() -> None:
    config = planned()
    trainer = {key: value for key, value in config["trainer"].items() if key not in ("precision", "compile")}
    assert cell_id({**config, "trainer": trainer}) == cell_id(config)


def test_how_a_value_is_written_is_no_part_of_it() -> None:
    assert cell_id(planned("width=1")) == cell_id(planned("width=1.0"))
    assert cell_id(planned("trainer={epochs:10}")) == cell_id(planned())
    assert cell_id(planned("order=post", "shortcut=identity")) == cell_id(planned())


def test_one_cell_has_one_id_in_every_study() -> None:
    arms = ["+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=other", "study.seeds=2"]
    cells = plan_study(["+study.grid.depth=[8,14]", *arms]).cells
    assert cell_id(planned("seed=1")) in {cell.id for cell in cells}


def test_where_data_lies_is_no_part_of_a_cell() -> None:
    @register("data", "mine")
    def mine(*, folder: Path = Path("data"), cache: Path | None = None, batch_size: int = 64) -> None:
        """Images."""

    ids = {cell_id(planned("data=mine", text)) for text in ("data.folder=/a", "data.folder=b", "data.cache=c")}
    assert len(ids) == 1
    assert cell_id(planned("data=mine", "data.batch_size=32")) not in ids


def write(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file.resolve()


@pytest.fixture
def fingerprint_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """The fingerprint of a config whose activation stands in this file, as a new process would have it."""
    config = planned()

    def fingerprint_with(file: Path) -> str:
        from ablate.config import identity

        identity._digest.cache_clear()
        identity._with_imports.cache_clear()
        with registry.isolated():
            exec(compile(file.read_text(), str(file), "exec"), {"__name__": "mine", "register": register})
            return fingerprint({**config, "act": {"name": "mine"}})

    return fingerprint_with


REGISTERED = '\n@register("act", "mine")\ndef mine(parts): pass\n'


@pytest.mark.parametrize(
    ("imported", "helper"),
    [
        ("from ._helper import x", "plugins/_helper.py"),
        ("from . import _helper", "plugins/_helper.py"),
        ("from .more._helper import x", "plugins/more/_helper.py"),
        ("from .more import x", "plugins/more/__init__.py"),
        ("from .._helper import x", "_helper.py"),
        ("import package.plugins._helper", "plugins/_helper.py"),
        ("from package.plugins import _helper", "plugins/_helper.py"),
        ("from package._helper import x", "_helper.py"),
    ],
)
def test_a_fingerprint_follows_the_imports_of_a_package(
    imported: str, helper: str, fingerprint_of: Callable[[Path], str]
) -> None:
    for folder in ("package", "package/plugins"):
        write(f"{folder}/__init__.py", "")
    file = write("package/plugins/mine.py", f"if False:\n    {imported}\n{REGISTERED}")
    write(f"package/{helper}", "x = 1\n")
    before = fingerprint_of(file)
    write("package/plugins/_other.py", "x = 1\n")
    assert fingerprint_of(file) == before, "nobody imports it"
    write(f"package/{helper}", "x = 2\n")
    assert fingerprint_of(file) != before


def test_a_fingerprint_changes_with_the_plugin_and_not_with_its_place(fingerprint_of: Callable[[Path], str]) -> None:
    before = fingerprint_of(write("here/mine.py", REGISTERED))
    assert fingerprint_of(write("there/zzz.py", REGISTERED)) == before
    assert fingerprint_of(write("here/mine.py", REGISTERED.replace("pass", "return 1"))) != before


def test_the_engine_is_no_part_of_the_code_that_decides() -> None:
    config = planned()
    before = fingerprint(config)

    @register("engine", "mine")
    def mine() -> None:
        """An engine."""

    assert fingerprint({**config, "engine": {"name": "mine"}}) == before
    assert fingerprint({**config, "order": {"name": "pre"}}) != before


def test_the_steps_of_a_chain_are_code_that_decides() -> None:
    config = planned("augment=chain", "augment.steps=[crop_flip]")

    def with_steps(*steps: Any) -> str:
        return fingerprint({**config, "augment": {"name": "chain", "steps": list(steps)}})

    alone = with_steps("crop_flip")
    assert with_steps("crop_flip", "color_pca") != alone
    assert with_steps("crop_flip", {"name": "color_pca", "std": 0.2}) == with_steps("crop_flip", "color_pca")
    assert fingerprint({**config, "augment": {"name": "crop_flip"}}) != alone


def test_how_data_gets_here_is_no_part_of_a_cell() -> None:
    @register("data", "mine")
    class Mine:
        """Images."""

        incidental = ("download",)

        def __init__(self, *, download: bool = False, batch_size: int = 64) -> None:
            pass

    assert cell_id(planned("data=mine", "data.download=true")) == cell_id(planned("data=mine"))

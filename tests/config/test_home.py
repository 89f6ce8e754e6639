"""`~` in a path means the home folder: typed bare or in quotes, and in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import ablate
from ablate.cli.folders import study_folder
from ablate.config.home import quote_home, store_at_home
from ablate.study.plan import plan_study

Refused = Callable[..., str]


@pytest.fixture(autouse=True)
def home(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own."""
    folder = here / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.mark.parametrize("text", ["~/x", "'~/x'", '"~/x"'], ids=["bare", "single quotes", "double quotes"])
@pytest.mark.parametrize(("key", "others"), [("runs", []), ("data.root", ["data=cifar10"])])
def test_a_typed_path_begins_at_home(text: str, key: str, others: list[str], home: Path) -> None:
    config = ablate.compose([*others, f"{key}={text}"])
    found = config.runs if key == "runs" else config.data.root
    assert Path(found) == home / "x"


def test_home_itself_is_a_path(home: Path) -> None:
    assert Path(ablate.compose(["runs=~"]).runs) == home


def test_a_path_in_a_file_in_an_arm_and_in_a_grid_begins_at_home(home: Path) -> None:
    Path("conf/exp").mkdir(parents=True)
    Path("conf/exp/mine.yaml").write_text("# @package _global_\nruns: ~/store\nstudy: {name: mine}\n")
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(
        'from pathlib import Path\nfrom ablate import register\n\n@register("act", "table")\n'
        'def table(parts, *, file: Path = Path("~/t")):\n    import torch\n    return torch.nn.ReLU()\n'
    )
    assert Path(ablate.compose(["+exp=mine"]).runs) == home / "store"
    assert Path(ablate.compose(["act=table"]).act.file) == home / "t"
    for name in ("a", "b"):
        (home / name).write_text(name)
    arms = [f'+study.arms.{name}=["act=table","act.file=~/{name}"]' for name in ("a", "b")]
    study = plan_study(["depth=8", "width=0.25", "study.seeds=1", *arms])
    assert [Path(cell.config["act"]["file"]) for cell in study.cells] == [home / "a", home / "b"]


def test_a_user_who_is_not_known_is_named(refused: Refused) -> None:
    error = refused("plan", "runs=~nobody_of_that_name/x")
    assert error.startswith("runs=~nobody_of_that_name/x: there is no user 'nobody_of_that_name' here")
    assert error.endswith("is ./~nobody_of_that_name/x")


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("runs=~/x", 'runs="~/x"'),
        ("data.root=~/a,~/b", 'data.root="~/a","~/b"'),
        ("study.grid.data.root=[~/a,~/b]", 'study.grid.data.root=["~/a","~/b"]'),
        ("~study.arms.a", "~study.arms.a"),
        ("runs='~/x'", "runs='~/x'"),
        ("study.question=a~b", "study.question=a~b"),
        ('+study.arms.a=["init.file=~/a"]', '+study.arms.a=["init.file=~/a"]'),
    ],
)
def test_only_what_begins_at_home_is_quoted(text: str, quoted: str) -> None:
    assert quote_home(text) == quoted


def test_the_store_of_a_multirun_and_the_folder_of_a_verb_begin_at_home(home: Path) -> None:
    assert store_at_home('runs="~/x"') == f'runs="{home}/x"'
    (home / "runs/mine").mkdir(parents=True)
    (home / "runs/mine/study.yaml").write_text("")
    assert study_folder(Path("~/runs/mine/report.html")) == home / "runs/mine"

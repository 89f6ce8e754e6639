"""`dashboard`: a workspace and a report for wandb that say the same as the study's own page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ablate.analysis.verdict import Verdict
from ablate.config.compose import prepare
from ablate.dashboards.account import Account
from ablate.dashboards.board import board_of, markdown_of
from ablate.dashboards.names import study_tag, view_title
from ablate.run.store import Store
from ablate.study.plan import plan_study
from ablate.system.files import write_json
from ablate.system.paths import PACKAGE
from ablate.testing.tracker import HOSTILE, VERDICT, Study
from plugins.trackers._wandb_names import study_tag as tag_of_tracker
from tests.dashboards.views import Views
from tests.studies import planned
from tests.wandb_server import WandbServer, settings_in

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

pytestmark = pytest.mark.usefixtures("here")
with_workspaces = pytest.mark.skipif(find_spec("wandb_workspaces") is None, reason="needs wandb-workspaces")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ablate(here: Path) -> Run:
    """Run a command in a process of its own: wandb keeps settings for as long as a process lives."""
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    plain = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}

    def run(*arguments: str, **given: str) -> tuple[int, str, str]:
        environment = {**plain, **settings_in(here), "PYTHONPATH": path, **given}
        command = [sys.executable, "-m", "ablate", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return run


def stored(*typed: str) -> Path:
    """A study that was planned and never trained."""
    study = plan_study(typed)
    store = Store(study.runs, study.folder)
    store.prepare()
    store.write_study(study)
    return store.folder


FLAGSHIP = ("+exp=preact_vs_postact", "scale=tiny", "study.seeds=3")


def specs(folder: Path, entity: str = "me", project: str = "mine") -> dict[str, Any]:
    """As they are printed, once wandb-workspaces has taken them."""
    from ablate.dashboards.for_wandb import report_of, workspace_of
    from ablate.dashboards.for_wandb import specs as specs_of

    board = board_of(folder)
    return specs_of(workspace_of(board, entity, project), report_of(board, entity, project))


def sections(made: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The panels of a workspace by the name of their section."""
    found = made["workspace"]["spec"]["section"]["panelBankConfig"]["sections"]
    return {one["name"].partition(":")[0]: one["panels"] for one in found}


def filters(runs: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    return [(one["key"]["name"], one["op"], one["value"]) for one in runs["filters"]["filters"]]


# What is shown


def test_the_board_of_the_flagship_has_its_arms_its_depths_and_its_claims() -> None:
    board = board_of(stored(*FLAGSHIP))
    assert list(board.arms) == ["post", "pre", "post_cold", "pre_cold", "post_hot", "pre_hot"]
    assert (board.factors, board.numeric) == ({"depth": [20, 56, 110]}, ["depth"])
    assert board.points == [{"depth": 20}, {"depth": 56}, {"depth": 110}]
    assert board.cells == 30
    assert board.curves == ["train/loss", "train/error", "test/loss", "test/error"]
    assert board.finals == ["test/error", "train/error"]
    assert len(board.claims) == 4
    assert all("not tested" in text for text in board.claims)


def test_curves_are_those_that_its_cells_have_recorded() -> None:
    study = Study("study")
    study.train("one", rows=2)
    (study.place("one") / "history.csv").write_text("epoch,lr,train/loss,test/top5_error,seconds\n1,0.1,1,0.5,2\n")
    assert board_of(study.folder).curves == ["train/loss", "test/top5_error"]


@with_workspaces
def test_a_history_that_is_not_whole_is_left_out_and_named(ablate: Run) -> None:
    study = Study("study")
    for cell in ("one", "two"):
        study.train(cell, rows=2)
    (study.place("two") / "history.csv").write_text("epoch,odd\n7,1\n")
    code, out, err = ablate("dashboard", "study", "--dry-run")
    assert code == 0
    assert "odd" not in str(json.loads(out))
    assert err.count("\n") == 1
    assert f"{Path('two', 'history.csv')} is not whole" in err


def test_a_grid_of_words_is_no_axis() -> None:
    text = "arms: {a: [width=0.25], b: [width=0.5]}, grid: {order: [post, pre], optim.nesterov: [true, false]}"
    study = planned(f"{text}, seeds: 1", "depth=8")
    store = Store(study.runs, study.folder)
    store.prepare()
    store.write_study(study)
    board = board_of(store.folder)
    assert (list(board.factors), board.numeric) == (["order", "optim.nesterov"], [])


def test_a_verdict_is_told_with_its_effect_its_interval_n_and_the_papers_figure() -> None:
    verdict = Verdict(
        "c", says="It <b>helps</b>.", metric="test/error", margin=0.01, paper={"value": "6.61", "where": "Table 3"},
        verdict="supported", effect=0.031, low=0.02, high=0.042, n=6, sentence="Supported: it *does*.",
    )  # fmt: skip
    text = markdown_of(verdict)
    assert text.startswith("**✓ supported: It &lt;b>helps&lt;/b>.**\n\nSupported: it *does*.\n\neffect +3.1 pp")
    assert "95 % interval [+2.0, +4.2], n 6\n\nPaper: 6.61 (Table 3)" in text


# In the form of wandb


@with_workspaces
def test_the_flagships_workspace_has_a_line_an_arm_and_depth_with_a_band_over_the_seeds() -> None:
    made = specs(stored(*FLAGSHIP))
    assert list(sections(made)) == ["Verdicts", "Learning curves", "At the end"]
    section = made["workspace"]["spec"]["section"]
    assert section["settings"]["maxRuns"] == 30
    (runs,) = section["runSets"]
    assert [group["name"] for group in runs["grouping"]] == ["arm.value", "factors.value.depth"]
    assert filters(runs) == [("tags", "IN", ["study:preact_vs_postact-tiny"]), ("seed", ">=", 0)]
    curves = [panel["config"] for panel in sections(made)["Learning curves"]]
    assert [curve["metrics"] for curve in curves] == [["train/loss"], ["train/error"], ["test/loss"], ["test/error"]]
    for curve in curves:
        assert (curve["aggregate"], curve["groupAgg"], curve["groupArea"]) == (True, "mean", "stddev")
        assert (curve["limit"], curve["xAxis"]) == (30, "epoch")
    assert len(section["customRunColors"]) == 6


@with_workspaces
def test_the_flagships_metrics_stand_against_depth_and_its_claims_in_words() -> None:
    made = specs(stored(*FLAGSHIP))
    scatter = [one["config"] for one in sections(made)["At the end"] if one["viewType"] == "Scatter Plot"]
    axes = [(one["xAxis"], one["yAxis"]) for one in scatter]
    assert axes == [("config:factors.value.depth", f"summary:{metric}") for metric in ("test/error", "train/error")]
    bars = [one["config"] for one in sections(made)["At the end"] if one["viewType"] == "Bar Chart"]
    assert [(one["metrics"], one["groupAgg"], one["limit"]) for one in bars] == [
        (["test/error"], "mean", 30), (["train/error"], "mean", 30),
    ]  # fmt: skip
    texts = [panel["config"]["value"] for panel in sections(made)["Verdicts"]]
    assert len(texts) == 4
    assert "6.61 -> 6.37 % test error, ResNet-110 (Table 3)" in "".join(texts)


@with_workspaces
def test_the_flagships_report_compares_the_arms_at_each_depth() -> None:
    blocks = specs(stored(*FLAGSHIP))["report"]["spec"]["blocks"]
    grids = [block["metadata"] for block in blocks if block["type"] == "panel-grid"]
    at = [{name: value for name, _, value in filters(grid["runSets"][0])}.get("factors.depth") for grid in grids]
    assert at == [20, 56, 110, None]
    for grid in grids[:3]:
        panels = grid["panelBankSectionConfig"]["panels"]
        assert {panel["config"]["groupBy"] for panel in panels} == {"arm.value"}
        assert {panel["config"]["groupArea"] for panel in panels} == {"stddev"}
        assert {panel["config"]["limit"] for panel in panels} == {30}
    texts = [block["content"] for block in blocks if block["type"] == "markdown-block"]
    assert sum("not tested" in text for text in texts) == 4


@with_workspaces
def test_a_large_grid_has_its_first_points_in_the_report_and_says_so() -> None:
    rates = [0.01 * k for k in range(1, 21)]
    study = planned(f"arms: {{a: [order=post], b: [order=pre]}}, grid: {{optim.lr: {rates}}}")
    store = Store(study.runs, study.folder)
    store.prepare()
    store.write_study(study)
    blocks = specs(store.folder)["report"]["spec"]["blocks"]
    grids = [block["metadata"] for block in blocks if block["type"] == "panel-grid"]
    assert len(grids) == 13
    assert filters(grids[0]["runSets"][0])[2] == ("optim.lr", "=", 0.01), "where the frozen config has it"
    assert "These are 12 of 20 points of the grid" in json.dumps(blocks)


@with_workspaces
@pytest.mark.parametrize(
    "title", [HOSTILE, "a" * 300, "x' and Config('a') = 1 within last 5 days", "\\", "=", "日本語"]
)
def test_names_are_text_whatever_is_in_them(title: str) -> None:
    study = Study("study", title)
    for cell in study.unfinished:
        study.train(cell, rows=3)
        study.end(cell)
    write_json(study.folder / "verdicts.json", {"study": title, "claims": [{**VERDICT, "says": title}]})
    made = specs(study.folder)
    assert made["report"]["description"] == title
    assert view_title(title) == made["workspace"]["displayName"]
    assert len(made["report"]["displayName"]) <= 128
    colours = made["workspace"]["spec"]["section"]["customRunColors"]
    assert len(colours) == 1
    assert "<b>" not in json.dumps(sections(made)["Verdicts"]), "no HTML in Markdown"


@with_workspaces
@pytest.mark.parametrize("name", ["it's", 'a "b"', "a\\b", "x or Config('seed') = 3", "🙂 = 1", "n" * 200])
def test_the_runs_of_a_study_are_found_by_its_tag_whatever_its_folder_is_called(name: str) -> None:
    made = specs(Study(name).folder)
    for runs in (made["workspace"]["spec"]["section"]["runSets"][0],):
        assert filters(runs)[0] == ("tags", "IN", [study_tag(name)])


@pytest.mark.parametrize("name", ["preact", "n" * 200, "a  b", "🙂" * 60, HOSTILE])
def test_the_tag_is_the_one_that_the_tracker_gives(name: str) -> None:
    assert study_tag(name) == tag_of_tracker(name)
    assert len(study_tag(name)) <= 64


# The command


def test_without_the_extra_a_line_says_how_to_install_it(refused: Callable[..., str], monkeypatch: Any) -> None:
    Study("study")
    for name in ("wandb_workspaces", "wandb_workspaces.workspaces", "wandb_workspaces.reports.v2"):
        monkeypatch.setitem(sys.modules, name, None)
    line = "a dashboard needs the package wandb-workspaces: pip install 'wandb-workspaces>=0.4'"
    assert refused("dashboard", "study", "--dry-run") == line


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["tracker=jsonl"], "a dashboard is made in wandb, and takes options of its tracker"),
        (["depth=8"], "a dashboard is made in wandb, and takes options of its tracker"),
        (["tracker.wandb.projct=a"], "did you mean 'tracker.wandb.project'?"),
        (["--dry"], "unrecognized arguments: --dry"),
    ],
)
def test_wrong_input_is_one_line(options: list[str], line: str, refused: Callable[..., str]) -> None:
    Study("study")
    assert line in refused("dashboard", "runs/study", *options)
    assert "did you mean runs/study?" in refused("dashboard", "runs/studi")


@with_workspaces
def test_a_dry_run_prints_the_specs_and_needs_neither_a_key_nor_a_network(ablate: Run) -> None:
    study = Study("study")
    before = sorted(study.folder.rglob("*"))
    nowhere = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_PROJECT": "theirs", "WANDB_ENTITY": "them"}
    code, out, err = ablate("dashboard", "study", "--dry-run", "tracker.wandb.entity=us", **nowhere)
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert (made["workspace"]["entity"], made["workspace"]["project"]) == ("us", "theirs")
    assert made["report"]["project"] == {"name": "theirs", "entityName": "us"}
    assert sorted(study.folder.rglob("*")) == before


@with_workspaces
@pytest.mark.slow
def test_without_a_key_or_a_network_it_is_one_line(ablate: Run) -> None:
    Study("study")
    code, out, err = ablate("dashboard", "study")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "wandb has no key here" in err
    code, out, err = ablate("dashboard", "study", WANDB_BASE_URL="http://127.0.0.1:9", WANDB_API_KEY="0" * 40)
    assert (code, out) == (1, "")
    assert err == "ablate: http://127.0.0.1:9 cannot be reached; --dry-run needs no network\n"


@with_workspaces
@pytest.mark.slow
def test_it_is_made_once_and_brought_up_to_date_the_next_time(ablate: Run) -> None:
    with WandbServer() as server:
        views = Views(server)
        study = Study("study", HOSTILE)
        code, out, err = ablate("dashboard", "study", **server.environment())
        assert (code, err) == (0, "")
        assert f"workspace: {server.url}/somebody/ablate?nw=" in out
        assert f"report: {server.url}/somebody/ablate/reports/" in out
        assert "upload study tracker=wandb" in out
        (workspace,), (report,) = views.of("project-view"), views.of("runs")
        assert report["displayName"] == HOSTILE
        assert json.loads(workspace["spec"])["section"]["settings"]["maxRuns"] == 2
        write_json(study.folder / "verdicts.json", {"study": "study", "claims": [VERDICT]})
        server.answers["upsertView"] = lambda given: {"data": None, "errors": [{"message": "not now"}]}
        code, out, err = ablate("dashboard", "study", **server.environment())
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "wandb did not take it: " in err
        server.answers["upsertView"] = server.answers["UpsertView2"]
        assert ablate("dashboard", "study", **server.environment())[0] == 0
        assert len(views.kept) == 2, "those of the first time"
        assert "supported" in views.of("runs")[0]["spec"]
        assert (views.projects, server.unknown) == (["ablate"], [])
        code, out, err = ablate("dashboard", "study", **{**server.environment(), "WANDB_API_KEY": "1" * 40})
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"{server.url} does not let us in: " in err


def test_a_password_in_the_address_of_a_server_is_not_kept_or_shown() -> None:
    account = Account("https://me:hunter2@wandb.example:8443/api", "us", "mine")
    assert account.where == "https://wandb.example:8443/api/us/mine"

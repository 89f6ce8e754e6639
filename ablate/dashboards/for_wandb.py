"""A study's workspace and report in wandb, as `wandb-workspaces` makes and checks them. No network is needed here."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from ablate.dashboards.board import Board, point_of, title_of
from ablate.dashboards.names import TITLE, config_key, literal, shortened, study_tag, view_name, view_title
from ablate.errors import InputError
from ablate.report.markdown import escape

MISSING = "a dashboard needs the package wandb-workspaces: pip install 'wandb-workspaces>=0.4'"
AS_MEAN: dict[str, Any] = {"groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}  # a line an arm, a band over seeds
BAND = "mean over the seeds ± standard deviation"
MOST_POINTS = 12  # of a grid, each with a part of the report; a larger grid is in the workspace
WIDTH, HEIGHT = 12, 8  # of a panel in a report that is 24 wide


def libraries() -> tuple[ModuleType, ModuleType]:
    """`wandb_workspaces.workspaces` and `.reports.v2`.

    Raises:
        InputError: they are not installed; says how to.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pydantic, about how they are written
            import wandb_workspaces.reports.v2 as reports
            from wandb_workspaces import workspaces
    except ModuleNotFoundError as error:
        raise InputError(MISSING) from error
    return workspaces, reports


def workspace_of(board: Board, entity: str, project: str) -> Any:
    """The workspace of a study: a `wandb_workspaces.workspaces.Workspace`.

    The runs are grouped by arm and by the factors that vary, so each panel has a line or a bar a group, with a band
    over the seeds.
    """
    ws, wr = libraries()
    sections = [
        _section(ws, "Verdicts", [wr.MarkdownPanel(markdown=text) for text in board.claims], columns=2),
        _section(ws, f"Learning curves: {BAND}", _curves(wr, board)),
        _section(ws, "At the end", _finals(wr, board)),
    ]
    groups = [ws.Config("arm"), *(ws.Config(config_key(factor)) for factor in board.factors)]
    runs = ws.RunsetSettings(
        filters=_filter(board), groupby=groups, group_colors=dict(board.arms),
        pinned_columns=[f"summary:{metric}" for metric in board.finals],
    )  # fmt: skip
    made = ws.Workspace(
        entity=entity, project=project, name=view_title(board.title), runset_settings=runs,
        sections=[section for section in sections if section.panels],
        settings=ws.WorkspaceSettings(x_axis="epoch", max_runs=board.cells, tooltip_number_of_runs="all_runs"),
    )  # fmt: skip
    made._internal_name = view_name(board.study)
    return made


def report_of(board: Board, entity: str, project: str) -> Any:
    """The report of a study: a `wandb_workspaces.reports.v2.Report`.

    At each point of the grid it has the arms beside each other; wandb groups the runs of a panel by one key.
    """
    _, wr = libraries()
    points = board.points[:MOST_POINTS]
    blocks = [wr.P(board.question)] if board.question else []
    blocks += [wr.MarkdownBlock(text=_about(board))]
    if board.claims:
        blocks += [wr.H2("Verdicts"), *(wr.MarkdownBlock(text=text) for text in board.claims)]
    blocks += [wr.H2(f"By arm: {BAND}")]
    for point in points:
        panels = [*_curves(wr, board, by="arm"), *_bars(wr, board, by="arm")]
        blocks += [wr.H3(point_of(point))] if point else []
        blocks += [_grid(wr, board, panels, point)]
    if len(board.points) > len(points):
        blocks += [wr.P(f"These are {len(points)} of {len(board.points)} points of the grid; the workspace has all.")]
    if scatter := _scatter(wr, board):
        blocks += [wr.H2("Over the grid"), _grid(wr, board, scatter, {})]
    return wr.Report(
        entity=entity, project=project, title=shortened(board.title, TITLE), description=board.question,
        blocks=blocks, width="fluid",
    )  # fmt: skip


def specs(workspace: Any, report: Any) -> dict[str, Any]:
    """Both as wandb keeps them, once wandb-workspaces has read them again, which is its check."""
    view, page = workspace._to_model(), report._to_model()
    type(workspace)._from_model(type(view).model_validate(view.model_dump()))
    type(report)._from_model(type(page).model_validate(page.model_dump()))
    return {
        name: json.loads(model.model_dump_json(by_alias=True, exclude_none=True))
        for name, model in (("workspace", view), ("report", page))
    }


def _about(board: Board) -> str:
    """What a reader should know of the study, as Markdown."""
    lines = [f"Source: {escape(board.source)}"] if board.source else []
    lines += [f"{board.cells} cells of the study {escape(board.study)}: a run each, and the runs have its tag."]
    return "\n\n".join([*lines, *([f"`{escape(board.command).replace('`', '')}`"] if board.command else [])])


def _section(ws: ModuleType, name: str, panels: Sequence[Any], columns: int = 4) -> Any:
    rows = max(1, -(-len(panels) // columns))
    layout = ws.SectionLayoutSettings(columns=columns, rows=rows)
    return ws.Section(name=name, panels=list(panels), is_open=True, pinned=False, layout_settings=layout)


def _curves(wr: ModuleType, board: Board, by: str = "") -> list[Any]:
    """A line plot for each metric; grouped as the runs are where `by` names no key of the config."""
    return [
        wr.LinePlot(
            title=title_of(metric), x="epoch", y=[metric], title_x="epoch", max_runs_to_show=board.cells,
            aggregate=True, **_grouped(wr, by), **AS_MEAN,
        )
        for metric in board.curves
    ]  # fmt: skip


def _finals(wr: ModuleType, board: Board) -> list[Any]:
    return [*_scatter(wr, board), *_bars(wr, board)]


def _bars(wr: ModuleType, board: Board, by: str = "") -> list[Any]:
    bars = len(board.arms) if by else len(board.arms) * len(board.points)
    return [
        wr.BarPlot(
            title=f"{title_of(metric)} at the end", metrics=[metric], orientation="h", max_runs_to_show=board.cells,
            max_bars_to_show=bars, aggregate=True, **_grouped(wr, by), **AS_MEAN,
        )
        for metric in board.finals
    ]  # fmt: skip


def _scatter(wr: ModuleType, board: Board) -> list[Any]:
    """Each metric against each factor that is a number, a point a run."""
    return [
        wr.ScatterPlot(
            title=f"{title_of(metric)} against {factor}", x=wr.Config(config_key(factor)), y=wr.SummaryMetric(metric)
        )
        for factor in board.numeric
        for metric in board.finals
    ]


def _grouped(wr: ModuleType, by: str) -> dict[str, Any]:
    return {"groupby": wr.Config(by)} if by else {}


def _grid(wr: ModuleType, board: Board, panels: Sequence[Any], point: Mapping[str, Any]) -> Any:
    runs = wr.Runset(name=point_of(point) or board.title, filters=_filter(board, point))
    for place, panel in enumerate(panels):
        panel.layout = wr.Layout(x=WIDTH * (place % 2), y=HEIGHT * (place // 2), w=WIDTH, h=HEIGHT)
    return wr.PanelGrid(runsets=[runs], panels=list(panels))


def _filter(board: Board, point: Mapping[str, Any] | None = None) -> str:
    """The runs of a study's cells at a point of the grid. The run of the study as a whole has no seed."""
    terms = [f"Metric('Tags') in [{literal(study_tag(board.study))}]", "Config('seed') >= 0"]
    return " and ".join([*terms, *_at(point or {})])


def _at(point: Mapping[str, Any]) -> Iterable[str]:
    """A value that is a list or a mapping cannot be asked for: it is told apart by the others."""
    for factor, value in point.items():
        if not isinstance(value, list | dict):
            yield f"Config({literal(config_key(factor))}) == {literal(value)}"

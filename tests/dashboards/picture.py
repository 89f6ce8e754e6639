"""The picture of docs/trackers.md, a workspace of wandb drawn from its spec: `python -m tests.dashboards.picture`.

No screenshot: it shows what the spec asks for (sections, panels, groups, aggregates), filled with the stored results.
Needs wandb-workspaces.
"""

from __future__ import annotations

import json
import statistics
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from ablate.dashboards.board import board_of
from ablate.dashboards.for_wandb import report_of, specs, workspace_of
from ablate.run.results import load_study, read_history
from ablate.run.stored_result import has_result, read_result
from ablate.study.record import CellRecord

ROOT = Path(__file__).resolve().parents[2]
STUDY, PICTURE = ROOT / "docs/results/h200/degradation-medium", ROOT / "docs/workspace.svg"
SIDE, GAP, PANEL = 190, 14, (248, 180)  # width of the list of runs; between panels; width and height of a panel
INK, FAINT, PAPER = "#1f2328", "#d0d7de", "#f6f8fa"
FONTS = "Helvetica, Arial, DejaVu Sans, sans-serif"
DASHES = ("", "6 4", "2 3", "9 3 2 3")
Group = tuple[Any, ...]


class Runs:
    """The runs that a workspace shows, in its groups."""

    def __init__(self, folder: Path, spec: Mapping[str, Any]) -> None:
        self.folder = folder
        (runs,) = spec["runSets"]
        self.keys = [group["name"] for group in runs["grouping"]]
        self.groups: dict[Group, list[CellRecord]] = {}
        for cell in load_study(folder).cells:
            if has_result(folder / "cells" / cell.id):
                self.groups.setdefault(tuple(value(cell, key) for key in self.keys), []).append(cell)
        self.colours = {
            json.loads(_unquoted(key))[0]["value"]: colour for key, colour in spec["customRunColors"].items()
        }

    def colour(self, group: Group) -> str:
        return self.colours[group[0]]

    def dash(self, group: Group) -> str:
        rest = list(dict.fromkeys(one[1:] for one in self.groups))
        return DASHES[rest.index(group[1:]) % len(DASHES)]

    def name(self, group: Group) -> str:
        return " · ".join(map(str, group))

    def curve(self, group: Group, metric: str) -> list[tuple[float, float, float]]:
        """Epoch, mean and standard deviation over the runs of a group."""
        found: dict[float, list[float]] = {}
        for cell in self.groups[group]:
            for row in read_history(self.folder / "cells" / cell.id / "history.csv"):
                if metric in row:
                    found.setdefault(row["epoch"], []).append(row[metric])
        return [(epoch, *_spread(values)) for epoch, values in found.items()]

    def final(self, cell: CellRecord, metric: str) -> float:
        return float(read_result(self.folder / "cells" / cell.id / "result.json")["metrics"][metric])


def value(cell: CellRecord, key: str) -> Any:
    """What a key of the spec names of a run: `arm.value`, `factors.value.depth`."""
    first, _, rest = key.partition(".value")
    found: Any = {"arm": cell.arm, "factors": cell.factors, "seed": cell.seed}[first]
    return found[rest.removeprefix(".")] if rest else found


def _unquoted(key: str) -> str:
    from urllib.parse import unquote

    return unquote(key.split(":", 2)[2])


def _spread(values: Sequence[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def text(x: float, y: float, words: str, size: int = 11, *, weight: str = "", fill: str = INK) -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"{bold}>{escape(words)}</text>'


class Axes:
    """Maps values into a panel; draws its frame and its ends."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.box = (44, 30, PANEL[0] - 12, PANEL[1] - 24)
        pads = [(max(one) - min(one)) * 0.06 or 0.5 for one in (xs, ys)]
        self.x = min(xs) - pads[0], max(xs) + pads[0]
        self.y = min(ys) - pads[1], max(ys) + pads[1]
        self.ends = (min(xs), max(xs)), (min(ys), max(ys))

    def at(self, x: float, y: float) -> tuple[float, float]:
        left, top, right, bottom = self.box
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return left + across * (right - left), bottom - up * (bottom - top)

    def frame(self) -> str:
        left, top, right, bottom = self.box
        lines = f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="{FAINT}"/>'
        xs = "".join(text(self.at(x, 0)[0] - 6, bottom + 14, f"{x:g}", 9) for x in self.ends[0])
        return lines + xs + "".join(text(4, self.at(0, y)[1] + 3, f"{y:.3g}", 9) for y in self.ends[1])


def line_plot(config: Mapping[str, Any], runs: Runs) -> str:
    assert (config["groupAgg"], config["groupArea"], config["xAxis"]) == ("mean", "stddev", "epoch")
    (metric,) = config["metrics"]
    curves = {group: runs.curve(group, metric) for group in runs.groups}
    points = [point for curve in curves.values() for point in curve]
    axes = Axes([x for x, _, _ in points], [y + side * sd for _, y, sd in points for side in (-1, 1)])
    parts = [axes.frame()]
    for group, curve in curves.items():
        band = [axes.at(x, y + sd) for x, y, sd in curve] + [axes.at(x, y - sd) for x, y, sd in reversed(curve)]
        colour = runs.colour(group)
        parts.append(f'<polygon points="{_path(band)}" fill="{colour}" fill-opacity="0.18"/>')
        dash = f' stroke-dasharray="{runs.dash(group)}"' if runs.dash(group) else ""
        line = _path([axes.at(x, y) for x, y, _ in curve])
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>')
    return "".join(parts)


def scatter_plot(config: Mapping[str, Any], runs: Runs) -> str:
    key, metric = config["xAxis"].removeprefix("config:"), config["yAxis"].removeprefix("summary:")
    points = [
        (group, float(value(cell, key)), runs.final(cell, metric))
        for group, cells in runs.groups.items()
        for cell in cells
    ]
    axes = Axes([x for _, x, _ in points], [y for _, _, y in points])
    dots = [
        '<circle cx="{:.1f}" cy="{:.1f}" r="3.4" fill="{}" fill-opacity="0.75"/>'.format(
            *axes.at(x, y), runs.colour(group)
        )
        for group, x, y in points
    ]
    return axes.frame() + "".join(dots)


def bar_chart(config: Mapping[str, Any], runs: Runs) -> str:
    (metric,) = config["metrics"]
    bars = {group: _spread([runs.final(cell, metric) for cell in cells]) for group, cells in runs.groups.items()}
    most = max(mean + sd for mean, sd in bars.values()) or 1.0
    step, left, room = (PANEL[1] - 44) / len(bars), 84, PANEL[0] - 104
    parts = []
    for place, (group, (mean, sd)) in enumerate(bars.items()):
        y, end = 34 + place * step, left + mean / most * room
        parts.append(f'<rect x="{left}" y="{y:.1f}" width="{end - left:.1f}" height="{step * 0.7:.1f}" ')
        parts[-1] += f'fill="{runs.colour(group)}" fill-opacity="0.8"/>'
        low, high = (left + max(0.0, mean + side * sd) / most * room for side in (-1, 1))
        parts.append(f'<path d="M{low:.1f} {y + step * 0.35:.1f}H{high:.1f}" stroke="{INK}"/>')
        parts.append(text(6, y + step * 0.45, runs.name(group), 10))
    return "".join(parts)


def markdown(config: Mapping[str, Any], width: float) -> str:
    lines: list[tuple[str, bool]] = []
    for part in config["value"].replace("&lt;", "<").replace("&amp;", "&").split("\n\n"):
        is_bold = part.startswith("**")
        wrapped = textwrap.wrap(part.replace("**", ""), int(width / (6.9 if is_bold else 6.2)))
        lines += [*((line, is_bold) for line in wrapped), ("", False)]
    weights = {True: "600", False: ""}
    return "".join(text(10, 20 + 13 * k, line, 10, weight=weights[bold]) for k, (line, bold) in enumerate(lines))


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


DRAWN: dict[str, Callable[[Mapping[str, Any], Runs], str]] = {
    "Run History Line Plot": line_plot, "Scatter Plot": scatter_plot, "Bar Chart": bar_chart,
}  # fmt: skip


def panel(one: Mapping[str, Any], runs: Runs, x: float, y: float, size: tuple[float, float]) -> str:
    width, height = size
    frame = f'<rect width="{width:.0f}" height="{height}" rx="4" fill="white" stroke="{FAINT}"/>'
    if one["viewType"] == "Markdown Panel":
        inside = markdown(one["config"], width)
    else:
        title = text(10, 18, one["config"]["chartTitle"], 10, weight="600")
        inside = title + DRAWN[one["viewType"]](one["config"], runs)
    return f'<g transform="translate({x:.0f} {y:.0f})">{frame}{inside}</g>'


def listed(runs: Runs) -> str:
    """The list of runs at the side, as it is grouped."""
    parts = [text(14, 70, f"Runs, by {', '.join(key.replace('.value', '') for key in runs.keys)}", 11, fill="#57606a")]
    for place, (group, cells) in enumerate(runs.groups.items()):
        y, dash = 94 + 22 * place, runs.dash(group)
        drawn = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<path d="M14 {y - 4}h26" stroke="{runs.colour(group)}" stroke-width="3"{drawn}/>')
        parts.append(text(48, y, f"{runs.name(group)}  ({len(cells)})", 11))
    return "".join(parts)


def picture(folder: Path) -> str:
    """The workspace of a study as SVG."""
    board = board_of(folder)
    made = specs(workspace_of(board, "you", "ablate"), report_of(board, "you", "ablate"))["workspace"]
    section = made["spec"]["section"]
    runs, y, parts = Runs(folder, section), 60.0, []
    width = 4 * PANEL[0] + 3 * GAP
    for part in section["panelBankConfig"]["sections"]:
        columns = part["flowConfig"]["columnsPerPage"]
        size = ((width - (columns - 1) * GAP) / columns, PANEL[1])
        parts.append(text(SIDE + GAP, y + 10, part["name"], 13, weight="600"))
        for place, one in enumerate(part["panels"]):
            at = SIDE + GAP + (place % columns) * (size[0] + GAP), y + 22 + (place // columns) * (size[1] + GAP)
            parts.append(panel(one, runs, *at, size))
        y += 22 + -(-len(part["panels"]) // columns) * (size[1] + GAP) + 12
    total = SIDE + width + 2 * GAP
    head = text(14, 34, made["displayName"], 17, weight="700")
    side = f'<path d="M{SIDE} 50V{y:.0f}" stroke="{FAINT}"/>'
    inside = f'<rect width="{total}" height="{y:.0f}" fill="{PAPER}"/>{head}{side}{listed(runs)}{"".join(parts)}'
    about = f'viewBox="0 0 {total} {y:.0f}" font-family="{FONTS}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {about}>{inside}</svg>\n'


def main() -> None:
    folder, file = (Path(one) for one in (sys.argv[1:] or [str(STUDY), str(PICTURE)]))
    file.write_text(picture(folder), encoding="utf-8")


if __name__ == "__main__":
    main()

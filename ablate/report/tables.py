"""The tables of a report, as text that is ready to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

from ablate.analysis import COSTS, STATIC, anova
from ablate.report import format as fmt
from ablate.report import summary
from ablate.report.blocks import Table
from ablate.report.inputs import Inputs


def arms(inputs: Inputs) -> Table:
    """What each arm changes."""
    rows = [[arm, _changes(inputs, arm)] for arm in inputs.arms]
    against = [inputs.baseline(arm) for arm in inputs.arms]
    columns = {
        "baseline": [name or fmt.ABSENT for name in against] if len(set(against) - {None}) > 1 else [],
        "matched": [_matched(inputs, arm) for arm in inputs.arms] if inputs.study.matched else [],
    }
    more = {name: texts for name, texts in columns.items() if texts}
    rows = [[*row, *extra] for row, *extra in zip(rows, *more.values(), strict=True)]
    return Table(["arm", "changes", *more], rows, names=2 + len(more))


def _changes(inputs: Inputs, arm: str) -> str:
    text = " ".join(str(part) for part in inputs.study.arms.get(arm) or []) or "the base configuration"
    first = inputs.study.seeds_from.get(arm)
    return text if first is None else f"{text}, on random streams of its own from {first} on"


def means(inputs: Inputs) -> Table:
    """Mean ± half-width of the 95 % t interval for each arm, grid point and metric."""
    if not inputs.measured:
        return Table([], [])
    found = {metric: _by_place(summary.means(inputs, metric)) for metric in inputs.measured}
    rows = []
    for point, arm, group in _places(inputs):
        cells = [_mean(metric, found[metric].get((arm, point)), _ends(group)) for metric in inputs.measured]
        rows.append([*_point_columns(inputs, point), arm, _finished(group), *cells])
    header = [*_point_header(inputs), "arm", "finished", *(fmt.metric_name(metric) for metric in inputs.measured)]
    return Table(header, rows, names=len(_point_header(inputs)) + 1)


def means_layouts(inputs: Inputs, metric: str) -> list[Table]:
    """A metric's means three ways, ever narrower: arms in rows, grid points in rows, a row for each mean."""
    found = _by_place(summary.means(inputs, metric))
    points = inputs.points
    groups = {(arm, point): group for point, arm, group in _places(inputs)}
    ends = {place: _ends(group) for place, group in groups.items()}
    places = [(arm, point) for arm in inputs.arms for point in points]
    text = {place: _mean(metric, found.get(place), ends.get(place, fmt.ABSENT), count=True) for place in places}
    name = fmt.metric_name(metric)
    by_arm = [[arm, *(text[arm, point] for point in points)] for arm in inputs.arms]
    by_point = [[point, *(text[arm, point] for arm in inputs.arms)] for point in points]
    singly = [[*_point_columns(inputs, point), arm, text[arm, point]] for point in points for arm in inputs.arms]
    header = [*_point_header(inputs), "arm", name]
    return [
        Table(["arm", *(point or name for point in points)], by_arm),
        Table(["", *inputs.arms], by_point),
        Table(header, singly, names=len(header) - 1),
    ]


def costs(inputs: Inputs) -> Table:
    """What is counted, with its difference to the arm's baseline, and the mean time of a finished cell."""
    have = [
        name for name in dict.fromkeys([*STATIC, *COSTS]) if name in inputs.frame and inputs.frame[name].notna().any()
    ]
    found: dict[tuple[str, str | None], dict[str, float]] = {}
    for point, arm, group in _places(inputs):
        finished = group[group["status"] == "done"]  # a diverged cell ended early
        found[point, arm] = {name: (group if name in STATIC else finished)[name].mean() for name in have}
    rows: list[list[str]] = []
    for (point, name), values in found.items():
        base = found.get((point, inputs.baseline(str(name))), {})
        cells = [_cost(cost, values[cost], base.get(cost)) for cost in have]
        rows.append([*_point_columns(inputs, point), str(name), *cells])
    header = [*_point_header(inputs), "arm", *map(_cost_name, have)]
    return Table(header, rows if have else [], names=len(_point_header(inputs)) + 1)


def factorial(inputs: Inputs, metric: str) -> tuple[Table, str]:
    """Main effects and interactions on a metric, and how they were found."""
    found = anova(inputs.frame, metric, inputs.crossed)
    header = ["effect", "F", "degrees of freedom", "p", "p (GG)", "partial η²"]
    if found is None:
        return Table(header, [], names=1), ""
    rows = [
        [
            row["effect"],
            fmt.number(row["F"], 2),
            f"{row['df']}, {row['df_error']}",
            fmt.p_value(row["p"]),
            fmt.p_value(row.get("p_gg")),
            fmt.number(row.get("eta2"), 2),
        ]
        for row in found.table.to_dict("records")
    ]
    return Table(header, rows, names=1), ". ".join([found.method, *(note.rstrip(".") for note in found.notes)]) + "."


def without_result(inputs: Inputs) -> Table:
    """The diverged and failed cells with what is known of why."""
    cells = inputs.cells("diverged", "failed")
    order = cells.sort_values("status", key=lambda s: s.map(summary.STATUSES.index), kind="stable")
    rows = [[row["status"], place(row), row["reason"], row["cell"]] for row in order.to_dict("records")]
    return Table(["status", "cell", "reason", "ID"], rows, names=4)


def looks_taken(inputs: Inputs) -> Table:
    """Every look at the claims: when, after how many seeds, and the verdict that they gave."""
    rows = [
        [entry.time, one.id, str(len(one.seeds)), one.verdict, fmt.p_value(one.p_holm)]
        for entry in inputs.ledger
        for one in entry.claims
    ]
    return Table(["time (UTC)", "claim", "seeds", "verdict", "p (Holm)"], rows, names=2)


def reproduction(inputs: Inputs) -> Table:
    """Seeds, overrides, scale, versions, and where reused cells come from."""
    study = inputs.study
    seeds = study.seeds or sorted(set(inputs.frame["seed"]))
    sources = Counter(name for name in inputs.frame["reused_from"] if name)
    rows = [
        ("seeds", ", ".join(str(seed) for seed in seeds)),
        ("overrides", " ".join(str(part) for part in study.overrides)),
        ("scale", study.scale),
        ("trainer=auto", study.chosen.get("text")),
        ("reused cells", ", ".join(f"{n} from {name}" for name, n in sources.items())),
        *inputs.versions.items(),
    ]
    return Table(["", ""], [[name, str(text)] for name, text in rows if text], names=2)


def _matched(inputs: Inputs, arm: str) -> str:
    """What a matched arm was made equal in, by which knob, and how near that came over all points."""
    rows = [row for row in inputs.study.matched if row["arm"] == arm]
    if not rows:
        return fmt.ABSENT
    values = dict.fromkeys(fmt.number(row["value"]) for row in rows)
    furthest = max(rows, key=lambda row: abs(row["difference"]))["difference"]
    near = f"{fmt.number(100 * furthest, 1, sign=True)} % of {rows[0]['baseline']}"
    return f"{rows[0]['metric']}, by {rows[0]['knob']} {', '.join(values)}: {'at most ' if len(rows) > 1 else ''}{near}"


def place(row: Mapping[Hashable, Any]) -> str:
    """A cell in words: "post, depth 110, seed 3"."""
    return ", ".join(part for part in (row["arm"], row["point"], f"seed {row['seed']}") if part)


def _point_columns(inputs: Inputs, point: str) -> list[str]:
    """The grid point as one column, or none where the study has no grid."""
    return [point] if inputs.factors else []


def _point_header(inputs: Inputs) -> list[str]:
    return ["grid point"] if inputs.factors else []


def _places(inputs: Inputs) -> list[tuple[str, str, Any]]:
    groups = dict(iter(inputs.frame.groupby(["point", "arm"], sort=False)))
    order = [(point, arm) for point in inputs.points for arm in inputs.arms if (point, arm) in groups]
    return [(point, arm, groups[point, arm]) for point, arm in order]


def _by_place(table: Any) -> dict[tuple[str, str], summary.Interval]:
    columns = [table[name] for name in ("arm", "point", *summary.Interval._fields)]
    return {(arm, point): summary.Interval(*numbers) for arm, point, *numbers in zip(*columns, strict=True)}


def _ends(group: Any) -> str:
    """How cells without a mean ended: "6 diverged"; a dash where they have one, or are still to come."""
    counts = group["status"].value_counts()
    texts = [f"{counts[status]} {status}" for status in ("diverged", "failed") if status in counts]
    return ", ".join(texts) or fmt.ABSENT


def _mean(metric: str, found: summary.Interval | None, absent: str, count: bool = False) -> str:
    if found is None:
        return absent
    text = fmt.mean_interval(metric, found.mean, found.low, found.high)
    return f"{text} (n {found.n})" if count else text


def _cost_name(cost: str) -> str:
    """The heading of a column of costs; a duration says its unit itself."""
    return fmt.metric_axis(cost) if cost in STATIC else fmt.metric_name(cost)


def _cost(cost: str, value: float, base: float | None) -> str:
    return _count(value, base) if cost in STATIC else fmt.duration(value)


def _finished(group: Any) -> str:
    done = int((group["status"] == "done").sum())
    return f"{done} of {len(group)}"


def _count(value: float, base: float | None) -> str:
    text = fmt.count(value)
    if base is None or not base > 0 or not value > 0 or value == base:
        return text
    change = 100 * (value / base - 1)
    return f"{text} ({fmt.number(change, max(fmt.significant(change, 1), 1), sign=True)} %)"

"""The plan of a study in the terminal."""

from __future__ import annotations

from collections import Counter

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablate.analysis.gate_wording import requirement
from ablate.analysis.gates import GateReading
from ablate.analysis.metrics import RELATIVE
from ablate.plan.outlook import Outlook, Point
from ablate.plan.power import ClaimPower
from ablate.plan.times import EXTRAPOLATED, STORED, UNKNOWN
from ablate.report import format as fmt
from ablate.report.certificates import certificate_rows, mark_lines

MARKED = {STORED: "", EXTRAPOLATED: " (extrapolated)", UNKNOWN: ""}


def show_outlook(outlook: Outlook, console: Console) -> None:
    """Print what is compared, what it costs, what each arm changes, and what the seeds can show."""
    study = outlook.study
    console.print(f"[bold]{escape(study.name)}[/]  {escape(study.question)}", highlight=False)
    console.print(_points(outlook))
    for line in _totals(outlook):
        console.print(escape(line), highlight=False)
    if outlook.certificates:
        console.print("\nWhat each arm changes against its baseline", style="bold", highlight=False)
        console.print(_certificates(outlook))
        for line in _modules(outlook):
            console.print(escape(line), highlight=False)
        for line in mark_lines(outlook.certificates):
            console.print(escape(line), style="yellow", highlight=False)
    if outlook.powers:
        console.print("\nWhat the seeds can show, with 80 % power", style="bold", highlight=False)
        for line in _powers(outlook):
            console.print(escape(line), highlight=False)
    if lines := _gates(outlook):
        console.print("\nWhat must hold before a claim is judged", style="bold", highlight=False)
        for line in lines:
            console.print(escape(line), highlight=False)


def _points(outlook: Outlook) -> Table:
    grid = outlook.study.grid
    names = ["arm", *grid, "overrides", "cells", "stored", "parameters", "multiply-adds", "time per cell"]
    table = _table(names, numbers=5)
    for point in outlook.points:
        sizes = [f"{point.network.params:,}", f"{point.network.flops:,}", _time(point)]
        values = [fmt.label(point.factors.get(factor)) for factor in grid]
        row = [point.arm, *values, " ".join(point.overrides), str(point.cells), str(point.stored), *sizes]
        table.add_row(*map(escape, row))
    return table


def _time(point: Point) -> str:
    return fmt.duration(point.time.seconds) + MARKED.get(point.time.source, "")


def _totals(outlook: Outlook) -> list[str]:
    study = outlook.study
    seeds = fmt.plural(len(study.seeds.values), "seed")
    if study.seeds.looks:
        looks = ", ".join(map(str, study.seeds.looks))
        seeds = f"at most {seeds}, looked at after {looks} until every claim is decided"
    lines = [f"{len(study.once)} cells, {outlook.stored} stored already; {seeds}"]
    if not study.trains:
        return [*lines, "nothing is trained: every claim is about the networks as they are built", *outlook.notes]
    if outlook.stored < len(study.once):
        lines += [_duration(outlook), _disk(outlook)]
    return lines + outlook.notes


def _duration(outlook: Outlook) -> str:
    sources = Counter(point.time.source for point in outlook.points if point.stored < point.cells)
    if outlook.busy is None:
        return "time: not estimated, since nothing says how many images the data has, and it is not here"
    how = ", ".join(f"{count} {source}" for source, count in sources.items())
    text = f"about {fmt.duration(outlook.busy[0])}"
    if not outlook.slots:
        return f"time: {text} one after the other on this machine; the engine does not say where cells run ({how})"
    kinds = Counter(
        f"{slot.device.split(':')[0]}, {fmt.plural(outlook.study.threads, 'thread')}" for slot in outlook.slots
    )
    slots = " + ".join(f"{fmt.plural(count, 'slot')} ({kind})" for kind, count in kinds.items())
    each = ", ".join(fmt.duration(seconds) for seconds in outlook.busy[:8])
    text = f"time: {text} on {slots}, by slot {each}; times of points: {how}"
    if outlook.study.seeds.looks and outlook.first_busy:
        text += f"; to the first look about {fmt.duration(max(outlook.first_busy))}"
    return text


def _disk(outlook: Outlook) -> str:
    kept, checkpoints = (fmt.count(size) for size in (outlook.disk.kept, outlook.disk.checkpoints))
    return f"disk: about {kept}B, and {checkpoints}B of checkpoints while it runs"


def _certificates(outlook: Outlook) -> Table:
    """All but the modules, which are long, and go below the table."""
    header, rows = certificate_rows(outlook.certificates)
    wide = header.index("modules")
    table = _table([*header[:wide], *header[wide + 1 :]], numbers=2)
    for row in rows:
        table.add_row(*map(escape, [*row[:wide], *row[wide + 1 :]]))
    return table


def _modules(outlook: Outlook) -> list[str]:
    """The modules that each arm changes, at its first grid point."""
    # From the end, so that of each arm the first one is what stays.
    first = {one.arm: one for one in reversed(outlook.certificates)}
    texts = {arm: "; ".join(one.evidence.modules) or "the same" for arm, one in first.items()}
    places = {arm: f" at {one.place}" if one.point else "" for arm, one in first.items()}
    return [f"modules of {arm}{places[arm]}: {texts[arm]}" for arm in reversed(first)]


def _powers(outlook: Outlook) -> list[str]:
    lines = [_power(power) for power in outlook.powers]
    tested = [power for power in outlook.powers if not power.static]
    if any(power.margin and power.expect != "zero" and power.supported is not None for power in tested):
        lines.append(
            "where the true effect is just the margin, `supported` has a chance of about one half at most, "
            "with any number of seeds"
        )
    least = max((power.least for power in tested), default=0)
    if len(outlook.study.seeds.values) < least:
        holm = f" after Holm over {len(tested)} claims" if len(tested) > 1 else ""
        look = " at the last look" if outlook.study.seeds.looks else ""
        lines.append(f"fewer than {least} paired seeds: an exact sign-flip test cannot reach 0.05{look}{holm}")
    return lines


def _gates(outlook: Outlook) -> list[str]:
    """Each gate once, with the claims that require it."""
    claims: dict[str, list[str]] = {}
    for claim in outlook.study.claims:
        for gate in claim.requires:
            words = requirement(GateReading(gate.cells, gate.metric, gate.below, gate.above))
            claims.setdefault(words, []).append(claim.id)
    return [f"{words}: {', '.join(names)}" for words, names in claims.items()]


def _power(power: ClaimPower) -> str:
    if power.static:
        return f"{power.claim}: no seeds are needed for {fmt.metric_name(power.metric)}"
    if power.effect is None or power.supported is None:
        return f"{power.claim}: nothing, with {fmt.plural(power.seeds, 'seed')}; at least two are needed"
    sizes = f"{fmt.number(power.effect, 2)} standard deviations of the paired differences"
    what = f"no effect within a margin from {sizes}" if power.expect == "zero" else f"effects from {sizes}"
    text = f"{power.claim}: {what}"
    measure = RELATIVE.name if power.scale == "ratio" else power.metric
    if power.in_unit is not None:
        text += f", by the spread stored so far {fmt.effect(measure, power.in_unit, None, None, unit=True)}"
        text += f" in {fmt.metric_name(power.metric)}"
    text += f"; `supported` in {100 * power.supported:.0f} % of studies of {power.truth}"
    if power.at_margin is not None:
        text += f", in {100 * power.at_margin:.0f} % where it is just the margin"
    level = f"level {power.level:.3g}" + (" (Holm's strictest)" if power.level < 0.05 else "")
    return f"{text}; {power.seeds} seeds, {level}, margin {fmt.margin(measure, power.margin)}"


def _table(names: list[str], numbers: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(names):
        table.add_column(name, justify="right" if place >= len(names) - numbers else "left", overflow="fold")
    return table

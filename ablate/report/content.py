"""What a report says, in the order in which it says it. No format here."""

from __future__ import annotations

from collections import Counter

from ablate.analysis.metrics import STANDARD
from ablate.report import figures, summary, tables
from ablate.report import format as fmt
from ablate.report.blocks import Block, Code, Items, Paragraph, Section, Table
from ablate.report.certificates import certificate_rows, mark_lines
from ablate.report.inputs import Inputs
from ablate.study.lock import STUDY

VERDICTS = {
    "supported": "the effect has the expected sign, zero is excluded (p after Holm below 0.05), and it reaches the "
    "margin; where no effect is expected, its interval lies within the margin",
    "contradicted": "zero is excluded on the other side; where no effect is expected, one beyond the margin is shown",
    "equivalent": "the interval lies within the margin: no difference that matters, in either direction",
    "inconclusive": "none of these is shown; more seeds may decide",
    "not tested": "a gate of the claim fails, such as that its networks have trained at all, or the run has no cells, "
    "or no measurements, to test it with; it does not count among the tested claims",
}


RULES = (
    "The rules, their sources, and how often each of them errs on simulated studies stand in docs/statistics.md of "
    "ablate: paired t (Student 1908), sign-flip (Fisher 1935), signed ranks (Wilcoxon 1945) and their effect (Hodges "
    "and Lehmann 1963), arms that change places (Pitman 1937, Page 1963), Holm (1979), two one-sided tests (Schuirmann "
    "1987), alpha spending (Lan and DeMets 1983, Kim and DeMets 1987)."
)


def headline(inputs: Inputs) -> str:
    """The answer in one line: how many claims have which verdict."""
    if not inputs.verdicts:
        return "This study makes no claim: it measures, and tests nothing."
    counts = Counter(verdict.verdict for verdict in inputs.verdicts)
    parts = [f"{counts[name]} {name}" for name in VERDICTS if counts[name]]
    return f"{fmt.plural(len(inputs.verdicts), 'claim')}: {', '.join(parts)}."


def design(inputs: Inputs) -> str:
    """Arms, grid, seeds and cells in one line."""
    arms = f"{fmt.plural(len(inputs.arms), 'arm')} ({', '.join(inputs.arms)})"
    seeds, cells = inputs.frame["seed"].nunique(), len(inputs.frame)
    product = " × ".join([arms, *_factors(inputs), fmt.plural(seeds, "seed")])
    if inputs.study.exclude and cells < len(inputs.arms) * len(inputs.points) * seeds:
        product += ", less what is excluded,"
    named = inputs.frame.loc[inputs.frame["cell"] != "", "cell"]
    shared = f" ({named.nunique()} different: arms share the others)" if named.duplicated().any() else ""
    scale = inputs.study.scale
    return f"{product} = {fmt.plural(cells, 'cell')}{shared}" + (f", scale {scale}" if scale else "")


def _factors(inputs: Inputs) -> list[str]:
    """The factors with their values; those that vary together as one: "depth with width 8 with 1, 14 with 0.5"."""
    zipped = {name: values for name, values in inputs.study.zip.items() if name in inputs.factors}
    free = [f"{name} {', '.join(values)}" for name, values in inputs.factors.items() if name not in zipped]
    have = set(zip(*(inputs.frame[name] for name in zipped), strict=True))
    planned = [tuple(map(fmt.label, values)) for values in zip(*zipped.values(), strict=True)]
    positions = [" with ".join(position) for position in planned if position in have]
    return [*free, *([f"{' with '.join(zipped)} {', '.join(positions)}"] if zipped else [])]


def warnings(inputs: Inputs) -> list[str]:
    """What a reader has to know before believing the answer."""
    counts = summary.statuses(inputs)
    found = [] if counts else ["No cell has been planned or run yet."]
    lacking = ", ".join(f"{n} {status}" for status, n in counts.items() if status not in ("done", "static"))
    if lacking:
        found.append(f"{counts.get('done', 0)} of {fmt.plural(len(inputs.frame), 'cell')} finished: {lacking}.")
    stale = int(inputs.frame["stale"].sum())
    if stale:
        text = "ran with other code than today's (stale); `rerun=stale` runs them again."
        found.append(f"{fmt.plural(stale, 'cell')} {text}")
    found += _unfixed(inputs)
    odd = ", ".join(verdict.id for verdict in inputs.verdicts if verdict.disagreement)
    if odd:
        found.append(f"The t test and the exact sign-flip test fall on different sides of 0.05: {odd}.")
    return found + mark_lines(inputs.certificates)


def sections(inputs: Inputs) -> list[Section]:
    """The report after its claims, in order; a section with nothing to say is left out."""
    parts = [
        Section("Effects and their intervals", _effects(inputs)),
        Section("Results", _results(inputs)),
        Section("Learning curves", _curves(inputs)),
        Section("Inside the networks", _inside(inputs)),
        Section("More learning curves", _more(inputs), folded=True),
        Section(
            "All means", _table("Mean over the finished seeds ± half of its 95 % t interval.", tables.means(inputs))
        ),
        Section("Main effects and interactions", _factorial(inputs)),
        Section("Size and cost", _costs(inputs)),
        Section("Cells without a result", _lost(inputs)),
        Section("What was compared", _compared(inputs)),
        Section("What was fixed before the results", _fixed(inputs)),
        Section("How to reproduce", _reproduce(inputs)),
        Section("How to read this", _reading(inputs)),
    ]
    return [part for part in parts if part.blocks]


def _effects(inputs: Inputs) -> list[Block]:
    caption = (
        "Each row is a claim: the mean effect over the paired seeds (by ranks, without an interval, where a cell "
        "diverged), its interval, and below it the single seeds as dots. Grey: differences within the margin, too "
        "small to matter. A line that reaches the frame goes on beyond it."
    )
    drawn = figures.effect_figures(inputs)
    return [Paragraph(caption), *drawn] if drawn else []


def _results(inputs: Inputs) -> list[Block]:
    caption = (
        "After the last epoch. Filled marks: mean over the finished seeds, with its 95 % t interval (cut where it "
        "leaves the frame). Rings beside them: the single seeds."
        + _gated(inputs)
        + _diverged(inputs, "counted above the frame (✕)")
    )
    metrics = [*inputs.headline, *inputs.gated]
    drawn = [figure for metric in metrics for figure in figures.outcome_figures(inputs, metric)]
    if not inputs.measured:
        return [] if _is_static(inputs) else [Paragraph("No cell has a metric yet.")]
    return [Paragraph(caption), *drawn] if drawn else []


def _gated(inputs: Inputs) -> str:
    gated = any(gate.metric in inputs.measured for verdict in inputs.verdicts for gate in verdict.gates)
    return " Dashed: the bound that a claim requires, on one side of which its means must lie." if gated else ""


def _curves(inputs: Inputs) -> list[Block]:
    caption = (
        "Line: mean over the finished seeds. Band: from the least to the greatest of these seeds (a range, not a "
        "confidence interval)." + _diverged(inputs, "drawn thin, one by one, up to their last finite epoch (✕)")
    )
    drawn = [figure for metric in inputs.headline for figure in figures.curve_figures(inputs, metric)]
    if drawn:
        return [Paragraph(caption), *drawn]
    return [] if _is_static(inputs) else [Paragraph("No history of these metrics was recorded.")]


def _is_static(inputs: Inputs) -> bool:
    """Whether the study trains nothing: its claims are about the networks as they are built."""
    return len(inputs.cells("static")) == len(inputs.frame) > 0


def _more(inputs: Inputs) -> list[Block]:
    caption = (
        "The standard metrics that no claim is about, drawn in the same way; what came out is in the table of means."
    )
    drawn = [figure for metric in inputs.others for figure in figures.curve_figures(inputs, metric)]
    return [Paragraph(caption), *drawn] if drawn else []


def _inside(inputs: Inputs) -> list[Block]:
    caption = (
        "What probes and measurements found in the finished cells. Line or bar: mean over the seeds. Band or thin "
        "line: from the least to the greatest single value (a range, not a confidence interval)."
    )
    drawn = figures.table_figures(inputs)
    return [Paragraph(caption), *drawn] if drawn else []


def _diverged(inputs: Inputs, how: str) -> str:
    return f" Diverged cells are not in the means; they are {how}." if len(inputs.cells("diverged")) else ""


def _table(caption: str, table: Table) -> list[Block]:
    return [Paragraph(caption), table] if table.rows else []


def _factorial(inputs: Inputs) -> list[Block]:
    if len(inputs.crossed) < 2:
        return []
    blocks: list[Block] = []
    for metric in inputs.headline:
        table, remarks = tables.factorial(inputs, metric)
        if table.rows:
            blocks += [Paragraph(f"{fmt.metric_name(metric)}: {remarks}"), table]
    explained = (
        "Whether a factor matters at all, over all of its values (main effect), and whether its effect depends on "
        "another factor (interaction). No claim is decided here, and nothing is adjusted for the number of rows. "
        "GG: after Greenhouse and Geisser. Partial η²: the part of what is left over by the other rows."
    )
    return [Paragraph(explained), *blocks] if blocks else []


def _costs(inputs: Inputs) -> list[Block]:
    bases = list(dict.fromkeys(name for name in map(inputs.baseline, inputs.arms) if name))
    to = f"`{bases[0]}`" if len(bases) == 1 else "the arm's baseline"
    table = tables.costs(inputs)
    differ = any("(" in text for row in table.rows for text in row[table.names :])
    versus = f" In brackets: difference to {to}." if differ else ""
    blocks = _table("Times are means over the finished cells." + versus, table)
    drawn = [figure for metric in inputs.headline for figure in figures.cost_figures(inputs, metric)]
    joined = f" A line joins the points of an arm, one for each {inputs.axis}." if inputs.axis else ""
    caption = (
        "The means and 95 % t intervals of Results again, against parameters, FLOPs and time as far as these differ. "
        "Times depend on the machine, and on what else ran there. Ringed, and joined by a dotted line: the Pareto "
        "front, where no other mean is both cheaper and better." + joined
    )
    return [*blocks, Paragraph(caption), *drawn] if drawn else blocks


def _lost(inputs: Inputs) -> list[Block]:
    text = (
        "A diverged cell is a result: the tests rank it as worst, and it is left out of the means. "
        "A failed or pending cell has no result yet; the same command tries it again."
    )
    pending = len(inputs.cells("pending"))
    rest: list[Block] = [Paragraph(f"Pending: {fmt.plural(pending, 'cell')}.")] if pending else []
    table = tables.without_result(inputs)
    return [Paragraph(text), *([table] if table.rows else []), *rest] if table.rows or rest else []


def _compared(inputs: Inputs) -> list[Block]:
    blocks = _table("What each arm sets.", tables.arms(inputs))
    found = inputs.certificates
    if not found:
        return blocks
    caption = (
        "What that changes against the arm's baseline, found out before training: modules, size, and whether the two "
        "networks, given the same weights in all that they share, compute anything else on a fixed batch (the largest "
        "difference, relative to the largest value)."
    )
    header, rows = certificate_rows(found)
    lines = mark_lines(found) or ["No arm changes more than it declares, or its capacity by more than 2 %."]
    return [*blocks, Paragraph(caption), Table(header, rows, names=len(header) - 2), Items(lines)]


def _unfixed(inputs: Inputs) -> list[str]:
    """What was stated otherwise when the first result came, and looks that no plan had."""
    changed = ", ".join(verdict.id for verdict in inputs.verdicts if verdict.changed)
    peeked = ", ".join(verdict.id for verdict in inputs.verdicts if verdict.judged_before)
    lines = [f"Changed after the first result came: {changed}."] if changed else []
    lines += [f"Since the claims were locked: {text}." for text in _of_study(inputs)]
    return lines + ([f"Seeds were added outside of planned looks: {peeked}."] if peeked else [])


def _of_study(inputs: Inputs) -> list[str]:
    return inputs.lock.changes.get(STUDY, []) if inputs.lock else []


def _fixed(inputs: Inputs) -> list[Block]:
    lock = inputs.lock
    if lock is None or not inputs.verdicts:
        return []
    known = f", when {fmt.plural(lock.results, 'cell')} of the study had a result already" if lock.results else ""
    text = (
        f"Claims, gates, margins and the plan of seeds were locked at {lock.locked}{known} (lock.json, SHA-256 "
        f"{lock.hash[:16]}…). The verdicts hold for what is stated now."
    )
    changes = [f"{name}: {line}." for name, lines in lock.changes.items() if name != STUDY for line in lines]
    lines = [*changes, *(f"{line}." for line in _of_study(inputs))] or ["Nothing was changed since."]
    table = tables.looks_taken(inputs)
    caption = "Every look that was taken at the claims (ledger.jsonl); one that saw nothing new is not listed again."
    return [Paragraph(text), Items(lines), *_table(caption, table)]


def _reproduce(inputs: Inputs) -> list[Block]:
    command = inputs.study.command
    blocks: list[Block] = [Code(command)] if command else []
    table = tables.reproduction(inputs)
    return blocks + ([table] if table.rows else [])


def _reading(inputs: Inputs) -> list[Block]:
    lines = [f"{name.capitalize()}: {meaning}." for name, meaning in VERDICTS.items()] if inputs.verdicts else []
    lines.append(
        "Metrics are read after the last epoch, in evaluation mode, over the whole split; never at the best epoch. "
        "Errors are in per cent, differences between errors in percentage points."
    )
    if inputs.verdicts:
        lines.append(
            "An effect is a contrast within each seed, averaged over the seeds: arms of one seed start from the same "
            "shared weights and see the same batches. Holm's p accounts for all claims of the study; intervals do not."
        )
        lines.append(
            "The p for equivalence (TOST, two one-sided tests) is that of an effect outside ±margin: if it is small, "
            "the effect lies within; below 0.025 the whole interval does."
        )
    scale = inputs.study.scale
    if scale not in ("", "paper"):
        lines.append(f"Networks and training have the sizes of scale={scale}, which are not those of the source.")
    lines += [RULES] if inputs.verdicts else []
    return [Items(lines + _not_drawn(inputs))]


def _not_drawn(inputs: Inputs) -> list[str]:
    drawn = {*inputs.headline, *inputs.gated, *inputs.others}
    absent = ", ".join(fmt.metric_name(name) for name in STANDARD if name not in inputs.measured)
    tabled = ", ".join(fmt.metric_name(name) for name in inputs.measured if name not in drawn)
    lines = [f"Not measured: {absent}."] if absent else []
    return lines + ([f"In the table of means only, without a chart: {tabled}."] if tabled else [])

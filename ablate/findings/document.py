"""`RESULTS.md`: every claim with its verdict, its effect, the paper's figure beside it, and how it came about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from ablate.analysis.gate_wording import requirement, seen
from ablate.analysis.gates import GateReading
from ablate.analysis.power_analysis import smallest_detectable_effect
from ablate.analysis.verdict import EXACT, NOT_TESTED, Verdict
from ablate.findings.errata import Erratum
from ablate.findings.picture import counted
from ablate.findings.stored import Machine, Stored
from ablate.report import format as fmt
from ablate.report import verdict_facts
from ablate.report.markdown import escape
from ablate.report.palette import VERDICT_SYMBOLS

PICTURE = "RESULTS.svg"
CONTROLS = "controls"  # the study of the machinery itself
NOTICE = "Written by `python -m ablate results`, and never by hand: what is edited here is gone with the next run."


def document(
    studies: Sequence[Stored], others: Sequence[Stored], missing: Sequence[str], errata: Iterable[Erratum], command: str
) -> str:
    """The whole page as Markdown.

    Args:
        studies: those of the scale that was asked for.
        others: of other scales and other stores.
        missing: names of studies that have no result at that scale.
        errata: where the sources are wrong.
        command: that writes the page again.
    """
    claims = [study for study in studies if study.name != CONTROLS]
    controls = [study for study in studies if study.name == CONTROLS]
    parts = ["# Results", NOTICE, f"![All verdicts at a glance]({PICTURE})", _summary(claims, missing)]
    parts += ["## At a glance", _glance(claims), _reading()]
    parts += ["## Claims", *(text for study in claims for text in _study(study))]
    if controls:
        parts += [
            "## Controls",
            "The tool itself: a planted effect is to be found, and none where nothing was planted.",
        ]
        parts += [text for study in controls for text in _study(study)]
    if others:
        parts += ["## Other scales and other machines", *(text for study in others for text in _study(study))]
    parts += ["## Where the sources are wrong", *map(_erratum, errata)]
    parts += ["## How this came about", *_machines([*studies, *others]), f"    {command}"]
    return "\n\n".join(parts) + "\n"


def _summary(studies: Sequence[Stored], missing: Sequence[str]) -> str:
    counts = counted(studies)
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    tested = sum(bool(study.tested) for study in studies)
    scales = ", ".join(dict.fromkeys(study.scale for study in studies))
    held = f"In {tested} of the studies the gates of at least one claim held, so that it was tested."
    text = (
        f"**{fmt.plural(sum(counts.values()), 'claim')} in {fmt.plural(len(studies), 'study')} at scale "
        f"{scales or '–'}: {told or 'none'}.** {held}"
    )
    return text + (f" Without a result: {', '.join(missing)}." if missing else "")


def _glance(studies: Sequence[Stored]) -> str:
    rows = [
        [
            f"[{study.name}](#{_anchor(_heading(study))})",
            escape(study.record.question),
            " ".join(VERDICT_SYMBOLS[verdict.verdict] for verdict in study.verdicts),
            str(study.seeds),
            str(sum(study.status.values())),
            fmt.duration(study.seconds),
        ]
        for study in studies
    ]
    return _table(["study", "question", "verdicts", "seeds", "cells", "training time, summed up"], rows, names=3)


def _reading() -> str:
    told = ", ".join(f"{symbol} {word}" for word, symbol in VERDICT_SYMBOLS.items())
    return (
        f"{told}. An effect is the mean over paired seeds with its 95 % interval; what each verdict takes stands in "
        "[docs/verdicts.md](docs/verdicts.md). Errors are in percentage points where they are subtracted."
    )


def _study(study: Stored) -> list[str]:
    record = study.record
    place = f"conf/exp/{study.name}.yaml"
    facts = [f"scale {study.scale}", f"data {study.data}", f"{fmt.plural(study.seeds, 'seed')}", _cells(study)]
    if study.elsewhere:
        facts.append(f"made elsewhere: {', '.join(dict.fromkeys(one.device for one in study.machines))}")
    parts = [
        f"### {_heading(study)}",
        f"{escape(record.question)} Source: {escape(record.source)}. Study: [{place}]({place}); {', '.join(facts)}.",
        _table(["", "claim", "effect", "interval", "n", "the paper"], [_row(one) for one in study.verdicts], names=2),
    ]
    remarks = [*(line for verdict in study.verdicts for line in _remarks(verdict)), *_gates(study)]
    return [*parts, "\n".join(f"- {line}" for line in remarks)] if remarks else parts


def _heading(study: Stored) -> str:
    return study.name if study.scale == "quick" and not study.elsewhere else f"{study.name} ({study.scale})"


def _anchor(heading: str) -> str:
    """The name that Markdown gives a heading's place on the page."""
    return "".join(letter for letter in heading.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def _gates(study: Stored) -> list[str]:
    """What had to hold, each gate once, with what was seen."""
    told = [_gate(gate) for verdict in study.verdicts for gate in verdict.gates]
    return [f"Required: {'; '.join(dict.fromkeys(told))}"] if told else []


def _gate(gate: GateReading) -> str:
    because = f" ({gate.because})" if gate.because else ""
    outcome = {True: "held", False: "did not hold", None: "is not known"}[gate.holds]
    return escape(f"{requirement(gate)}{because}: {outcome}, {seen(gate)}")


def _row(verdict: Verdict) -> list[str]:
    figures = (verdict.measure, verdict.effect, verdict.low, verdict.high)
    return [
        f"{VERDICT_SYMBOLS[verdict.verdict]} {verdict.verdict}",
        escape(verdict.says or verdict.id),
        fmt.effect(*figures, unit=True),
        "exact" if verdict.test == EXACT else fmt.effect_interval(*figures),
        str(verdict.n),
        escape(verdict_facts.paper(verdict)) or fmt.ABSENT,
    ]


def _remarks(verdict: Verdict) -> list[str]:
    """What stands beside a claim: why it was not tested, or what its seeds could have shown; what was changed."""
    name = f"**{escape(verdict.id)}**"
    lines = []
    if verdict.verdict == NOT_TESTED:
        lines.append(f"{name}: {escape(verdict.sentence)}")
    elif verdict.verdict == "inconclusive" and (least := _detectable(verdict)):
        lines.append(f"{name}: {escape(least)}")
    if verdict.changed:
        lines.append(f"{name}, changed since the first result: {escape('; '.join(verdict.changed))}")
    return lines


def _detectable(verdict: Verdict) -> str:
    """The smallest true effect that as many seeds show with a chance of 80 %, by the spread that they had."""
    if verdict.sd is None or verdict.n < 2:
        return ""
    # At the strictest level that Holm can ask of one of the study's claims.
    least = smallest_detectable_effect(verdict.n, verdict.sd, alpha=verdict.level / max(1, verdict.tests))
    if verdict.scale == "ratio":
        least = math.expm1(least)  # its spread is one of logarithms
    least = round(least, fmt.significant(least, 2))
    wanted = fmt.margin(verdict.measure, verdict.margin)
    return (
        f"{verdict.n} seeds show an effect of {fmt.margin(verdict.measure, least)} with a chance of 80 %, by the "
        f"spread that they had; the margin is {wanted}"
    )


def _cells(study: Stored) -> str:
    told = ", ".join(f"{count} {status}" for status, count in study.status.items() if status != "done")
    return f"{fmt.plural(sum(study.status.values()), 'cell')}" + (f" ({told})" if told else "")


def _erratum(erratum: Erratum) -> str:
    counts = "; ".join(f"{name}: {count:,} parameters" for name, count in erratum.counted().items())
    told = f"- **{erratum.source}** says: {escape(erratum.says)} **Right:** {escape(erratum.right)}"
    return told + (f" Counted: {escape(counts)}." if counts else "")


def _machines(studies: Sequence[Stored]) -> list[str]:
    total: Counter[Machine] = Counter()
    for study in studies:
        total.update(study.machines)
    rows = [
        [escape(machine.device), ", ".join(f"{name} {text}" for name, text in machine.versions), str(count)]
        for machine, count in total.most_common()
    ]
    seconds = sum(study.seconds for study in studies)
    ended = max((study.finished for study in studies), default="")
    told = f"Training took {fmt.duration(seconds)} in all, summed up over cells" + (
        f"; the last one ended on {ended[:10]}." if ended else "."
    )
    return [_table(["machine", "versions", "cells"], rows, names=2), told]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], names: int) -> str:
    sides = ["---" if place < names else "---:" for place in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [list(header), sides, *rows])

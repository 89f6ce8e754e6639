"""The report as Markdown: the page's words and tables, with links to the figures."""

from __future__ import annotations

from collections.abc import Callable

from ablate.analysis.peeking import alarms
from ablate.analysis.verdict import EXACT, Verdict
from ablate.report import content, verdict_facts
from ablate.report import format as fmt
from ablate.report.blocks import Block, Code, Items, Paragraph, Section, Table
from ablate.report.figures import Figure
from ablate.report.inputs import Inputs
from ablate.report.palette import VERDICT_SYMBOLS

USUAL_LEVEL = 0.05


def markdown(inputs: Inputs, sections: list[Section]) -> str:
    """The whole report as Markdown text."""
    parts = [f"# {escape(inputs.question)}", f"Study {escape(inputs.name)}: {escape(content.design(inputs))}."]
    if inputs.source:
        parts.append(f"Source: {escape(inputs.source)}")
    parts.append(f"**{escape(content.headline(inputs))}**")
    parts += [f"> {escape(line)}" for line in content.warnings(inputs)]
    parts += _verdicts(inputs)
    for part in sections:
        parts += [f"## {escape(part.title)}", *map(_block, part.blocks)]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no HTML, no links, no cell breaks, one line."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return text.replace("](", "]\\(").replace("][", "]\\[")


def _verdicts(inputs: Inputs) -> list[str]:
    if not inputs.verdicts:
        return []
    tests = ["p", "p (Holm)", "p (sign-flip)", "p (equivalence)"]
    header = ["verdict", "claim", "effect", "interval", "n", *tests, "margin", "paper"]
    table = _table(Table(header, [_row(verdict) for verdict in inputs.verdicts], names=2))
    return ["## Verdicts", table, *(_details(k, verdict) for k, verdict in enumerate(inputs.verdicts, 1))]


def _row(verdict: Verdict) -> list[str]:
    figures = (verdict.measure, verdict.effect, verdict.low, verdict.high)
    return [
        f"{VERDICT_SYMBOLS[verdict.verdict]} {verdict.verdict}",
        verdict.says or verdict.id,
        fmt.effect(*figures, unit=True),
        "exact" if verdict.test == EXACT else _interval(verdict),
        str(verdict.n),
        fmt.p_value(verdict.p),
        fmt.p_value(verdict.p_holm),
        fmt.p_value(verdict.p_signflip),
        fmt.p_value(verdict.p_of_equivalence),
        fmt.margin(verdict.measure, verdict.margin),
        verdict_facts.paper(verdict) or fmt.ABSENT,
    ]


def _interval(verdict: Verdict) -> str:
    """The interval, with its coverage where that is not the usual one."""
    text = fmt.effect_interval(verdict.measure, verdict.effect, verdict.low, verdict.high)
    name = "" if verdict.level == USUAL_LEVEL or text == fmt.ABSENT else f" ({verdict_facts.interval_name(verdict)})"
    return f"{text}{name}"


def _details(number: int, verdict: Verdict) -> str:
    head = f"**{number}. {escape(verdict.id)}: {verdict.verdict}.** {escape(verdict.sentence)}".rstrip()
    if verdict.not_shown:
        head += f" {escape(verdict.not_shown)}"
    head += "".join(f" **{escape(alarm)}**" for alarm in alarms(verdict))
    facts = [f"- {name}: {escape(text)}" for name, text in verdict_facts.facts(verdict)]
    return "\n".join([head, "", *facts, *(f"- note: {escape(note)}" for note in verdict_facts.cautions(verdict))])


def _block(block: Block) -> str:
    write: dict[type, Callable[..., str]] = {
        Paragraph: lambda part: escape(part.text),
        Items: lambda part: "\n".join(f"- {escape(line)}" for line in part.lines),
        Code: lambda part: "\n".join(f"    {line}" for line in part.text.splitlines()),
        Table: _table,
        Figure: _figure,
    }
    return write[type(block)](block)


def _figure(figure: Figure) -> str:
    words = [f"**{escape(figure.title)}.** {escape(figure.caption)}"] if figure.caption else []
    return "\n\n".join([*words, f"![{escape(figure.title)}]({figure.path})"])


def _table(table: Table) -> str:
    sides = ["---" if k < table.names else "---:" for k in range(len(table.header))]
    rows = [table.header, sides, *([escape(text) for text in row] for row in table.rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)

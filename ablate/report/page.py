"""The report as one HTML page that loads nothing: styles, charts and their script are inside."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from ablate.analysis.peeking import alarms
from ablate.analysis.verdict import EXACT, Verdict
from ablate.report import content, verdict_facts
from ablate.report import format as fmt
from ablate.report.blocks import Block, Code, Items, Paragraph, Section, Table
from ablate.report.figures import Figure
from ablate.report.inputs import Inputs
from ablate.report.markup import Html, attribute, prose, tag
from ablate.report.palette import VERDICT_COLOURS, VERDICT_SYMBOLS
from ablate.report.plain import to_json
from ablate.report.script import javascript, source_hash

# The browser itself refuses any load from elsewhere, and any script but the page's own; `unsafe-eval` stays off because
# Vega interprets its expressions.
POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {scripts}"
SCRIPT_START = "<script>"
DRAW = """
const actions = {export: true, source: false, compiled: false, editor: false};
for (const box of document.querySelectorAll(".chart")) {
  const spec = JSON.parse(box.querySelector("script").textContent);
  const place = document.createElement("div");
  vegaEmbed(place, spec, {renderer: "svg", ast: true, actions})
    .then(() => { box.replaceChildren(place); box.dataset.drawn = "yes"; })
    .catch((error) => { box.dataset.drawn = "no"; console.error(error); });
}
"""
FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="ablate-inputs" content="{key}">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
{title}
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
{scripts}
</body>
</html>
"""


def page(inputs: Inputs, sections: list[Section], key: str) -> str:
    """The page as text; `key` marks the inputs it was made from."""
    body = [_head(inputs), _verdicts(inputs), *map(_section, sections)]
    scripts = [javascript(), DRAW] if any(part.figures for part in sections) else []
    return FRAME.format(
        key=key,
        policy=POLICY.format(scripts=" ".join(map(source_hash, scripts)) or "'none'"),
        title=tag("title", f"{inputs.name} · ablate"),
        style=Path(__file__).with_name("page.css").read_text(encoding="utf-8"),
        body="\n".join(part for part in body if part),
        scripts="\n".join(f"{SCRIPT_START}{script}</script>" for script in scripts),
    )


def _head(inputs: Inputs) -> Html:
    alerts = [tag("p", prose(line)) for line in content.warnings(inputs)]
    return tag(
        "header",
        tag("p", inputs.name, class_="study"),
        tag("h1", inputs.question),
        tag("p", f"Source: {inputs.source}", class_="source") if inputs.source else "",
        tag("p", content.design(inputs), class_="design"),
        tag("p", content.headline(inputs), class_="headline"),
        tag("div", *alerts, class_="banner", role="note") if alerts else "",
    )


def _verdicts(inputs: Inputs) -> Html:
    cards = [_card(number, verdict) for number, verdict in enumerate(inputs.verdicts, 1)]
    return tag("section", tag("h2", "Verdicts"), *cards) if cards else Html("")


def _card(number: int, verdict: Verdict) -> Html:
    badge = tag("span", f"{VERDICT_SYMBOLS[verdict.verdict]} {verdict.verdict}", class_="badge")
    notes = [tag("li", prose(note)) for note in verdict_facts.cautions(verdict)]
    facts = [tag("div", tag("dt", name), tag("dd", text)) for name, text in verdict_facts.facts(verdict)]
    words = [
        tag("p", verdict.says or verdict.id.replace("_", " "), class_="says"),
        tag("p", verdict.sentence, class_="sentence") if verdict.sentence else "",
        *(tag("p", prose(alarm), class_="alarm") for alarm in alarms(verdict)),
        tag("p", verdict.not_shown, class_="not-shown") if verdict.not_shown else "",
        tag("ul", *notes, class_="notes") if notes else "",
    ]
    return tag(
        "article",
        tag("p", badge, tag("span", f"{number} · {verdict.id}", class_="id"), class_="verdict"),
        tag("div", *words, class_="words"),
        tag("div", *_effect(verdict), *_paper(verdict), class_="figures"),
        tag("dl", *facts),
        class_="claim",
        style=f"--verdict: {VERDICT_COLOURS[verdict.verdict]}",
    )


def _effect(verdict: Verdict) -> list[Html]:
    if verdict.effect is None:
        return [tag("p", "no finite effect" if verdict.is_measured else "no effect measured", class_="effect absent")]
    figures = (verdict.measure, verdict.effect, verdict.low, verdict.high)
    kind = "relative change" if verdict.scale == "ratio" else "difference"
    unit = fmt.difference_unit(verdict.measure)
    name = f"{verdict_facts.kind_of_effect(verdict, kind)} in {fmt.metric_name(verdict.metric)}" + (
        f", {unit}" if unit else ""
    )
    return [
        tag("p", fmt.effect(*figures, unit=True), class_="effect"),
        tag("p", verdict_facts.interval(verdict), class_="interval"),
        tag("p", name + ("" if verdict.test == EXACT else f"; n = {verdict.n}"), class_="unit"),
    ]


def _paper(verdict: Verdict) -> list[Html]:
    text = verdict_facts.paper(verdict)
    return [tag("p", tag("b", "Paper: "), text, class_="paper")] if text else []


def _section(part: Section) -> Html:
    texts = [_block(block) for block in part.blocks if not isinstance(block, Figure)]
    drawn = [_figure(figure, titled=figure.title != part.title) for figure in part.figures]
    blocks = [*texts, tag("div", *drawn, class_="row")] if drawn else texts
    if part.folded:
        return tag("section", tag("details", tag("summary", tag("h2", part.title)), *blocks))
    return tag("section", tag("h2", part.title), *blocks)


def _block(block: Block) -> Html:
    write: dict[type, Callable[..., Html]] = {
        Paragraph: lambda part: tag("p", prose(part.text)),
        Items: lambda part: tag("ul", *(tag("li", prose(line)) for line in part.lines)),
        Code: lambda part: tag("pre", tag("code", part.text)),
        Table: _table,
    }
    return write[type(block)](block)


def _table(table: Table) -> Html:
    def row(name: str, texts: list[str]) -> Html:
        sides = ["name" if k < table.names else "number" for k in range(len(texts))]
        return tag("tr", *(tag(name, text, class_=side) for text, side in zip(texts, sides, strict=True)))

    head = tag("thead", row("th", table.header)) if any(table.header) else ""
    return tag("div", tag("table", head, tag("tbody", *(row("td", texts) for texts in table.rows))), class_="table")


def _figure(figure: Figure, titled: bool) -> Html:
    # The picture stands in for the chart where scripts are off; as an image it keeps its IDs to itself.
    picture = base64.b64encode(figure.svg.encode()).decode()
    image = Html(f'<img alt="{attribute(figure.title)}" src="data:image/svg+xml;base64,{picture}">')
    # A name of the user's with "</script>" in it would end the element; in JSON the escape means the same.
    spec = to_json(figure.spec).replace("<", "\\u003c")
    chart = tag("div", image, Html(f'<script type="application/json">{spec}</script>'), class_="chart", id=figure.name)
    caption = tag("p", figure.caption, class_="caption") if figure.caption else ""
    return tag("figure", tag("h3", figure.title) if titled else "", caption, chart)

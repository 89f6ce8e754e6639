"""Writes the files of a report: the tables, the verdicts, the figures, the texts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from ablate.report import content
from ablate.report.blocks import Section
from ablate.report.figures import javascript
from ablate.report.inputs import Inputs, gather, plain_verdict
from ablate.report.markdown import markdown
from ablate.report.page import SCRIPT_END, SCRIPT_START, page
from ablate.report.plain import jsonable, to_json
from ablate.system.files import write_json, write_text


def write_report(
    folder: Path, study: Mapping[str, Any], frame: pd.DataFrame, history: pd.DataFrame, verdicts: Sequence[Any]
) -> list[Path]:
    """Writes results.csv, verdicts.json, report.md, report.html and figures/*.svg, each in one step.

    Figures and page take a second or two to draw, and stay as they are where the same code made them from the same
    inputs.

    Args:
        folder: where the files go; made if it is not there.
        study: what was planned, as in study.yaml.
        frame: a row a cell; errors are fractions.
        history: a row a cell and epoch.
        verdicts: objects with `to_dict()`, or their dicts.

    Returns:
        The files of the report, those left as they were among them.
    """
    folder = Path(folder)
    plain = [plain_verdict(verdict) for verdict in verdicts]
    inputs = gather(study, frame, history, plain)
    sections = content.sections(inputs)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    texts = {"results.csv": frame.to_csv(index=False, lineterminator="\n"), "report.md": markdown(inputs, sections)}
    for name, text in texts.items():
        write_text(folder / name, text)
    write_json(folder / "verdicts.json", {"study": jsonable(study.get("name")), "claims": plain})
    key = _key(to_json(study), frame.to_csv(), history.to_csv(), to_json(plain))
    drawn = [folder / "report.html", *(folder / figure.path for part in sections for figure in part.figures)]
    if not (all(path.exists() for path in drawn) and f'content="{key}"' in _start(drawn[0])):
        _draw(folder, inputs, sections, key)
    return [folder / "results.csv", folder / "verdicts.json", folder / "report.md", *drawn]


def _draw(folder: Path, inputs: Inputs, sections: list[Section], key: str) -> None:
    html = folder / "report.html"
    figures = [figure for part in sections for figure in part.figures]
    last = html.read_text(encoding="utf-8") if html.exists() else ""
    for figure in figures:
        write_text(folder / figure.path, figure.svg)
    # The page after its figures: it carries the key, and killed in between, all is drawn anew next time.
    write_text(html, page(inputs, sections, key, _script(last) if figures else ""))
    for name in _figure_names(last) - {figure.name for figure in figures}:
        (folder / "figures" / f"{name}.svg").unlink(missing_ok=True)


def _key(*inputs: str) -> str:
    """A hash of all that decides how page and figures look: the inputs, and the code that draws them."""
    here = Path(__file__).parent
    code = [path.read_text(encoding="utf-8") for path in sorted([*here.rglob("*.py"), *here.glob("*.css")])]
    digest = hashlib.sha256()
    for part in (*inputs, *code, _tools()):
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()


def _tools() -> str:
    return f"altair {version('altair')}, vl-convert {version('vl-convert-python')}"


def _start(html: Path) -> str:
    with html.open(encoding="utf-8") as file:
        return file.read(1000)


def _figure_names(last: str) -> set[str]:
    """The figures that the last page had: its own, so that they may go when it has them no more."""
    return set(re.findall(r'<div class="chart" id="(\w+)"', last))


def _script(last: str) -> str:
    """The charts' JavaScript: that of the last page where the same tools made it, since making it takes seconds."""
    mark = f"/* {_tools()} */"
    _, found, rest = last.partition(SCRIPT_START + mark)
    script, end, _ = rest.partition(SCRIPT_END)
    if found and end:
        return mark + script
    return mark + javascript()

"""Writes the files of a report: the tables, the verdicts, the figures, the texts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablate.errors import InputError
from ablate.interfaces.chart import ChartedTable
from ablate.report import content
from ablate.report.blocks import Section
from ablate.report.inputs import Inputs, gather, plain_verdict
from ablate.report.markdown import markdown
from ablate.report.page import page
from ablate.report.plain import jsonable, to_json
from ablate.report.script import tools
from ablate.system.files import make_folder, read_json, remove, write_json, write_text

DRAWN = ".drawn.json"  # file of a study: what was drawn last


def write_report(
    folder: Path, study: Mapping[str, Any], frame: pd.DataFrame, history: pd.DataFrame, verdicts: Sequence[Any],
    tables: Sequence[ChartedTable] = (),
) -> list[Path]:  # fmt: skip
    """Writes results.csv, verdicts.json, report.md, report.html and figures/*.svg, each in one step.

    Figures and page take a second or two to draw, and stay as they are where the same code made them from the same
    inputs.

    Args:
        folder: where the files go; made if it is not there.
        study: what was planned, as in study.yaml.
        frame: a row a cell; errors are fractions.
        history: a row a cell and epoch.
        verdicts: objects with `to_dict()`, or their dicts.
        tables: of probes and measurements.

    Returns:
        The files of the report, those left as they were among them.
    """
    folder = Path(folder)
    plain = [plain_verdict(verdict) for verdict in verdicts]
    inputs = gather(study, frame, history, plain, tables)
    sections = content.sections(inputs)
    make_folder(folder / "figures")
    texts = {"results.csv": frame.to_csv(index=False, lineterminator="\n"), "report.md": markdown(inputs, sections)}
    for name, text in texts.items():
        write_text(folder / name, text)
    write_json(folder / "verdicts.json", {"study": jsonable(study.get("name")), "claims": plain})
    charted = [text for table in tables for text in (table.name, repr(table.charts), table.rows.to_csv())]
    key = _key(to_json(study), frame.to_csv(), history.to_csv(), to_json(plain), *charted)
    drawn = [folder / "report.html", *(folder / figure.path for part in sections for figure in part.figures)]
    if _drawn(folder) != {"key": key, "files": {_name(folder, path): _digest(path) for path in drawn}}:
        _draw(folder, inputs, sections, key)
    return [folder / "results.csv", folder / "verdicts.json", folder / "report.md", *drawn, folder / DRAWN]


def _draw(folder: Path, inputs: Inputs, sections: list[Section], key: str) -> None:
    figures = [figure for part in sections for figure in part.figures]
    before = _drawn(folder)["files"]
    for figure in figures:
        write_text(folder / figure.path, figure.svg, lasting=False)
    write_text(folder / "report.html", page(inputs, sections, key), lasting=False)
    names = ["report.html", *(figure.path for figure in figures)]
    # Last of all: killed in between, all is drawn anew next time.
    write_json(folder / DRAWN, {"key": key, "files": {name: _digest(folder / name) for name in names}})
    for name in before:
        if name not in names and re.fullmatch(r"figures/\w+\.svg", name):
            remove(folder / name)


def _drawn(folder: Path) -> dict[str, Any]:
    """What was drawn last: from which inputs, and a digest of each file, which anybody may have changed since."""
    try:
        return read_json(folder / DRAWN, key=str, files=dict)
    except InputError:  # not there or not whole: all is drawn anew
        return {"key": "", "files": {}}


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    except OSError:
        return ""


def _key(*inputs: str) -> str:
    """A hash of all that decides how page and figures look: the inputs, and the code that draws them."""
    here = Path(__file__).parent
    code = [path.read_text(encoding="utf-8") for path in sorted([*here.rglob("*.py"), *here.glob("*.css")])]
    digest = hashlib.sha256()
    for part in (*inputs, *code, tools()):
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()

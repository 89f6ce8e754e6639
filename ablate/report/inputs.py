"""What a report is made of, brought into one form at the border: names in order, grid values as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from ablate.analysis.metrics import COSTS, STANDARD, STATIC
from ablate.analysis.verdict import Verdict
from ablate.interfaces.chart import ChartedTable
from ablate.preflight.certificate import Certificate
from ablate.report import format as fmt
from ablate.report.certificates import arm_cautions
from ablate.report.plain import jsonable
from ablate.study.ledger import Entry
from ablate.study.lock import Lock
from ablate.study.record import StudyRecord
from ablate.system.schema import checked

_CELL_COLUMNS: dict[str, Any] = {
    "cell": "", "arm": "", "seed": 0, "stream": 0, "status": "pending", "reason": "", "reused_from": "", "stale": False,
}  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """A study with its results. `factors` maps each grid factor to its values, in the study's order, as text."""

    study: StudyRecord
    frame: pd.DataFrame  # a row a cell; `point` names the cell's place in the grid ("" without a grid)
    history: pd.DataFrame  # a row a cell and epoch, with `point` and the `status` of its cell
    verdicts: list[Verdict]  # one a claim
    arms: list[str]
    factors: dict[str, list[str]]
    versions: dict[str, str] = field(default_factory=dict)  # of the packages that the results were made with
    certificates: list[Certificate] = field(default_factory=list)
    lock: Lock | None = None  # the claims as they stood before the first result
    ledger: list[Entry] = field(default_factory=list)  # the looks that were taken
    tables: list[ChartedTable] = field(default_factory=list)  # of probes and measurements, by cell

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.name

    @property
    def question(self) -> str:
        """What the study asks, or its name."""
        return self.study.question or self.name

    @property
    def source(self) -> str:
        """Where the claims come from, or empty."""
        return self.study.source

    def baseline(self, arm: str) -> str | None:
        """The arm that an arm is compared with, the first where the study does not say; None for a baseline itself."""
        known = self.study.baselines
        first = self.arms[0] if self.arms else None
        default = None if arm == first else first
        return known.get(arm, default)

    @cached_property
    def points(self) -> list[str]:
        """The places in the grid that have cells, the last factor changing slowest."""
        return list(dict.fromkeys(_in_grid_order(self.frame, self.factors)["point"]))

    @cached_property
    def varying(self) -> list[str]:
        """The grid factors that take more than one value."""
        return [name for name, values in self.factors.items() if len(values) > 1]

    @property
    def crossed(self) -> list[str]:
        """The columns of a factorial design: arms, where there are several, and the grid factors that vary."""
        return [*(["arm"] if len(self.arms) > 1 else []), *self.varying]

    @property
    def axis(self) -> str | None:
        """The factor that results are drawn against: the first that varies, or the first; None without a grid."""
        return next(iter(self.varying or self.factors), None)

    @cached_property
    def measured(self) -> list[str]:
        """The metrics that have a value in some cell: those of the claims, the standard ones, then all others."""
        columns = [str(name) for name in self.frame.columns]
        # A study of single cells has no grid, and its factors still stand between the arm and the seed.
        between = columns[columns.index("arm") : columns.index("seed")] if "seed" in columns else []
        skip = {*_CELL_COLUMNS, *self.factors, *between, *COSTS, *STATIC, "point"}
        numeric = self.frame.select_dtypes("number").dropna(axis="columns", how="all").columns
        have = [str(name) for name in numeric if name not in skip]
        wanted = [*(verdict.metric for verdict in self.verdicts), *STANDARD, *have]
        return [name for name in dict.fromkeys(wanted) if name in have]

    @cached_property
    def headline(self) -> list[str]:
        """The metrics that the study is about: those of its claims, and the test error."""
        wanted = dict.fromkeys([*(verdict.metric for verdict in self.verdicts), "test/error"])
        return [name for name in wanted if self._has(name)] or self.measured[:1]

    @cached_property
    def gated(self) -> list[str]:
        """The metrics that have a value and that gates of claims look at, beside those that the study is about."""
        wanted = dict.fromkeys(gate.metric for verdict in self.verdicts for gate in verdict.gates)
        return [name for name in wanted if name in self.measured and name not in self.headline]

    @cached_property
    def others(self) -> list[str]:
        """The standard metrics that the study is not about."""
        return [name for name in STANDARD if self._has(name) and name not in self.headline]

    def _has(self, metric: str) -> bool:
        recorded = metric in self.history and self.history[metric].notna().any()
        return metric in self.measured or bool(recorded)

    def cells(self, *statuses: str) -> pd.DataFrame:
        """The cells that have one of the statuses."""
        return self.frame[self.frame["status"].isin(statuses)]


def gather(
    study: Mapping[str, Any], frame: pd.DataFrame, history: pd.DataFrame | None = None, verdicts: Iterable[Any] = (),
    tables: Sequence[ChartedTable] = (),
) -> Inputs:  # fmt: skip
    """Brings a study, its frames, and its verdicts (objects with `to_dict()`, or dicts) into one form.

    Args:
        study: as `study.yaml` holds it, also in part; with `versions`, and `certificates`, `lock` and `ledger` as plain
            values.
        frame: a row a cell.
        history: a row a cell and epoch.
        verdicts: on its claims, or on some of them.
        tables: of probes and measurements.
    """
    plain = jsonable(study)
    record = StudyRecord.read({"name": "study", "cells": [], "claims": [], **_given(plain)})
    certificates = [Certificate.of(one) for one in plain.get("certificates") or []]
    grid = {str(name): values for name, values in record.grid.items() if name in frame.columns}
    cells = _cells(frame, list(grid))
    factors = {name: _ordered(values, cells[name]) for name, values in grid.items()}
    arms = _ordered(record.arms, cells["arm"])
    cells = _in_grid_order(cells, factors, arms)
    told = _of_every_claim(record.claims, certificates, verdicts)
    versions = {str(name): str(version) for name, version in (plain.get("versions") or {}).items()}
    lock = checked(plain["lock"], Lock) if plain.get("lock") else None
    ledger = [checked(entry, Entry) for entry in plain.get("ledger") or []]
    return Inputs(record, cells, _epochs(history, cells), told, arms, factors, versions, certificates, lock, ledger,
                  list(tables))  # fmt: skip


def _given(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if value is not None and value != ""}


def plain_verdict(verdict: Any) -> dict[str, Any]:
    """A verdict as plain values, whether it came as an object or as its dict."""
    given = verdict if isinstance(verdict, Mapping) else verdict.to_dict()
    return {str(key): jsonable(value) for key, value in given.items()}


def _of_every_claim(
    claims: Sequence[Mapping[str, Any]], certificates: Sequence[Certificate], verdicts: Iterable[Any]
) -> list[Verdict]:
    """The verdict on every claim of the study; a claim without one is there as not tested."""
    found = [Verdict.from_dict(plain_verdict(verdict)) for verdict in verdicts]
    named = {verdict.id for verdict in found}
    # A claim must not vanish from a report because nothing has judged it.
    rest = [claim for claim in claims if claim.get("id") not in named]
    found += [Verdict.from_dict({**claim, "notes": ["No verdict has been computed for this claim."]}) for claim in rest]
    return [one.replace(notes=[*one.notes, *arm_cautions(certificates, one.contrast)]) for one in found]


def _cells(frame: pd.DataFrame, grid: Sequence[str]) -> pd.DataFrame:
    cells = frame.reset_index(drop=True).copy()
    for name, default in _CELL_COLUMNS.items():
        if name not in cells:
            cells[name] = pd.Series([default] * len(cells), dtype=type(default))
    for name in ("reason", "reused_from"):
        cells[name] = cells[name].astype(object).where(cells[name].notna(), "").astype(str)
    cells["stale"] = cells["stale"].eq(True)  # an empty entry is not stale
    cells["arm"] = cells["arm"].astype(str)
    for name in grid:
        cells[name] = pd.Series([fmt.label(value) for value in cells[name]], dtype=object)
    named = zip(*(cells[name] for name in grid), strict=True) if grid else [()] * len(cells)
    texts = [", ".join(f"{name} {value}" for name, value in zip(grid, values, strict=True)) for values in named]
    cells["point"] = pd.Series(texts, dtype=object)
    return cells


def _ordered(planned: Iterable[Any], present: Iterable[Any]) -> list[str]:
    """What the study plans, in its order, then what only the results have; nothing that has no cell."""
    have = dict.fromkeys(str(value) for value in present)
    order = dict.fromkeys([*(fmt.label(value) for value in planned), *have])
    return [value for value in order if value in have]


def _in_grid_order(
    frame: pd.DataFrame, factors: Mapping[str, list[str]], arms: Sequence[str] | None = None
) -> pd.DataFrame:
    # By place in the study and not by value: as text, "110" stands before "20".
    ranks = {f"#{name}": frame[name].map(values.index) for name, values in reversed(list(factors.items()))}
    if arms is not None:
        ranks["#arm"] = frame["arm"].map(list(arms).index)
    if not ranks:
        return frame
    order = pd.DataFrame(ranks).sort_values(list(ranks), kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def _epochs(history: pd.DataFrame | None, cells: pd.DataFrame) -> pd.DataFrame:
    if history is None or history.empty or not {"cell", "epoch"} <= set(history.columns):
        return pd.DataFrame(columns=["cell", "arm", "point", "status", "seed", "epoch"])
    place = cells[["cell", "arm", "point", "status", "seed"]]
    rows = history.drop(columns=[name for name in place.columns if name != "cell" and name in history])
    rows = rows.drop_duplicates(["cell", "epoch"])  # two arms may share a cell, whose history then stands there twice
    return place.merge(rows, on="cell", how="inner")

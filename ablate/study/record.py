"""What `study.yaml` keeps of a planned study."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.network.profile import Network
    from ablate.study.cells import Cell
    from ablate.study.plan import Study


def study_content(study: Study, cells: Sequence[Cell], networks: Mapping[str, Network]) -> dict[str, Any]:
    """What is needed to judge and report a study, and to tell how it was planned, as plain values."""
    return {
        "name": study.name,
        "question": study.question,
        "source": study.source,
        "scale": study.scale,
        "command": shlex.join(["python", "-m", "ablate", *study.typed]),
        "overrides": study.typed,
        "arms": {name: arm.overrides for name, arm in study.arms.items()},
        "baselines": {name: arm.baseline for name, arm in study.arms.items()},
        "changes": {name: arm.changes for name, arm in study.arms.items()},
        "matched": _matched(study),
        "grid": study.grid,
        "zip": study.zipped,
        "exclude": study.exclude,
        "seeds": study.seeds.values,
        "looks": list(study.seeds.looks),
        "chosen": study.chosen,
        "claims": [asdict(claim) for claim in study.claims],
        "trains": study.trains,
        "cells": [
            {"id": c.id, "arm": c.arm, "factors": c.factors, "seed": c.seed, "code": c.code, **_static(c, networks)}
            for c in cells
        ],
    }


def _static(cell: Cell, networks: Mapping[str, Network]) -> dict[str, Any]:
    """What is known of a cell without training it; a cell with a result has that there."""
    network = networks.get(cell.id)
    return {"static": {"params": network.params, "flops": network.flops}} if network else {}


def _matched(study: Study) -> list[dict[str, Any]]:
    """How near each matched arm came to its baseline, by arm and point."""
    factors = {(cell.arm, cell.point): cell.factors for cell in study.cells}
    return [
        {
            "arm": place[0], "baseline": study.arms[place[0]].baseline, "factors": factors[place],
            **asdict(matched), "difference": matched.difference,
        }
        for place, matched in study.matched.items()
    ]  # fmt: skip

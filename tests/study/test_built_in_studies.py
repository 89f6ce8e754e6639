"""The studies of conf/exp: each plans at every scale, and none has a claim about trained networks without a gate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate.__main__ import main
from ablate.analysis import STATIC, as_claim
from ablate.analysis.selectors import parse_selector
from ablate.config.compose import hydra_context, prepare
from ablate.config.schema import Claim, Gate
from ablate.errors import InputError
from ablate.study.plan import plan_study
from ablate.study.section import as_filed, composed
from ablate.study.written_arms import arms_of
from ablate.system.paths import conf_dir

STUDIES = sorted(file.stem for file in (conf_dir() / "exp").glob("*.yaml"))
SCALES = sorted(file.stem for file in (conf_dir() / "scale").glob("*.yaml"))
TRAINED = 0.1  # of training error; a gate with a higher bound, or on something else, says why

each_study = pytest.mark.parametrize("name", STUDIES)
# A study changes little between scales, and composing all of them takes a minute.
at_each_scale = pytest.mark.parametrize(
    "scale", ["quick", *(pytest.param(scale, marks=pytest.mark.slow) for scale in SCALES if scale != "quick")]
)


def section_of(*overrides: str) -> dict[str, Any]:
    """The `study` section at a scale, without its cells, which take much longer to compose."""
    prepare()
    with hydra_context():
        return as_filed(composed(list(overrides)), [])


def lacking(section: Mapping[str, Any]) -> Iterator[str]:
    """What a study's claims about trained networks lack."""
    arms = arms_of(section)
    baseline = section["baseline"] or next(name for name, arm in arms.items() if arm.baseline is None)
    for claim in map(as_claim, section["claims"]):
        if claim.metric in STATIC:
            continue
        if not claim.margin_because:
            yield f"{claim.id}: no margin_because"
        if not any(is_on(gate, claim, baseline) for gate in claim.requires if is_strict(gate)):
            yield f"{claim.id}: no gate on {baseline}"


def is_strict(gate: Gate) -> bool:
    return bool(gate.because) or (gate.metric == "train/error" and gate.below is not None and gate.below <= TRAINED)


def is_on(gate: Gate, claim: Claim, baseline: str) -> bool:
    """Whether a gate asks something of the study's baseline; or, of a claim that is about others, of one of those."""
    selectors = [parse_selector(text) for text in claim.contrast]
    gated = parse_selector(gate.cells)
    if not gated.arms or baseline in gated.arms:
        return True
    is_about_others = all(selector.arms and baseline not in selector.arms for selector in selectors)
    return is_about_others and any(set(gated.arms) & set(selector.arms) for selector in selectors)


@each_study
@at_each_scale
def test_every_claim_about_trained_networks_has_a_gate_and_a_reason_for_its_margin(name: str, scale: str) -> None:
    assert list(lacking(section_of(f"+exp={name}", f"scale={scale}"))) == []


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("margin_because: why, requires: [{cells: a, metric: train/error, below: 0.1}]", []),
        ("margin_because: why, requires: [{cells: a, metric: train/error, below: 0.5, because: hard}]", []),
        ("margin_because: why, requires: [{cells: '*@depth=8', metric: train/error, below: 0.05}]", []),
        ("margin_because: why, requires: [{cells: b, metric: train/error, below: 0.1}]", ["c: no gate on a"]),
        ("margin_because: why, requires: [{cells: a, metric: train/error, below: 0.5}]", ["c: no gate on a"]),
        ("margin_because: why", ["c: no gate on a"]),
        ("requires: [{cells: a, metric: train/error, below: 0.1}]", ["c: no margin_because"]),
        ("metric: params", []),
    ],
)
def test_a_study_without_them_is_found(claim: str, expected: list[str], here: Path) -> None:
    (here / "conf" / "exp").mkdir(parents=True)
    (here / "conf" / "exp" / "mine.yaml").write_text(
        "# @package _global_\nstudy: {name: mine, grid: {depth: [8, 14]}, arms: {a: [], b: [order=pre]}, "
        f"claims: [{{id: c, contrast: {{a: 1, b: -1}}, expect: positive, margin: 0.1, {claim}}}]}}\n",
        encoding="utf-8",
    )
    assert list(lacking(section_of("+exp=mine"))) == expected


def test_what_a_scale_takes_away_is_missed(here: Path) -> None:
    (here / "conf" / "exp").mkdir(parents=True)
    gate = "requires: [{cells: a, metric: train/error, below: 0.1}]"
    (here / "conf" / "exp" / "mine.yaml").write_text(
        "# @package _global_\nstudy: {name: mine, arms: {a: [], b: [order=pre]}, claims: [{id: c, margin_because: why, "
        f"contrast: {{a: 1, b: -1}}, expect: positive, margin: 0.1, {gate}}}], "
        "scales: {paper: {claims: {c: {requires: []}}}}}\n",
        encoding="utf-8",
    )
    assert list(lacking(section_of("+exp=mine", "scale=quick"))) == []
    assert list(lacking(section_of("+exp=mine", "scale=paper"))) == ["c: no gate on a"]


@pytest.mark.slow
@each_study
@at_each_scale
def test_every_study_plans_at_every_scale(name: str, scale: str) -> None:
    try:
        study = plan_study([f"+exp={name}", f"scale={scale}", "study.seeds=1"])
    except InputError as error:
        pytest.fail(str(error))
    assert study.cells
    assert study.folder == (name if scale == "quick" else f"{name}-{scale}")


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU it takes minutes")
def test_a_plan_says_how_many_hours_the_medium_scale_takes_without_a_gpu(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "+exp=preact_vs_postact", "scale=medium"]) == 0
    (time,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("time: about ")]
    assert re.match(r"time: about \d+ h ", time), time
    assert list(here.iterdir()) == []

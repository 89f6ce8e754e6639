"""Gates in a study's file: planned, refused, and trained for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.analysis import as_claim
from ablate.errors import InputError
from ablate.study.plan import plan_study

STUDY = """# @package _global_
study:
  name: gated
  arms: {{a: [shortcut=identity], b: [shortcut=none]}}
  grid: {{depth: [8, 14]}}
  seeds: 1
  claims:
    - id: c
      metric: train/loss
      contrast: {{a@depth=8: 1, b@depth=8: -1}}
      expect: positive
      margin: 0.1
      margin_because: a tenth
      requires: {requires}
"""


def plan(folder: Path, monkeypatch: pytest.MonkeyPatch, requires: str, *typed: str):
    (folder / "conf" / "exp").mkdir(parents=True)
    (folder / "conf" / "exp" / "gated.yaml").write_text(STUDY.format(requires=requires))
    monkeypatch.chdir(folder)
    return plan_study(["+exp=gated", "scale=tiny", "width=0.1", *typed])


def test_a_gate_is_planned_with_its_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = plan(tmp_path, monkeypatch, '[{cells: "*@depth=14", metric: train/error, below: 0.1, because: easy}]')
    (claim,) = study.claims
    assert (claim.margin_because, claim.requires[0].because) == ("a tenth", "easy")
    assert as_claim(claim).requires[0].below == 0.1
    # The cells of the gate belong to the claim: they are trained as long as it is open.
    assert {(cell.arm, cell.factors["depth"]) for cell in study.cells_of([0], [claim])} == {
        ("a", 8), ("b", 8), ("a", 14), ("b", 14)
    }  # fmt: skip


def test_a_gate_on_what_only_some_of_its_cells_record_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = '[{cells: "*@depth=8", metric: "epochs_to/train/loss<0.5", below: 3}]'
    (tmp_path / "conf" / "exp").mkdir(parents=True)
    text = STUDY.format(requires=gate).replace(
        "b: [shortcut=none]", "b: [shortcut=none, 'trainer.epochs_to=[\"train/loss<0.5\"]']"
    )
    (tmp_path / "conf" / "exp" / "gated.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"a gate of claim 'c' is about .* and a@depth=8 does not record it"):
        plan_study(["+exp=gated", "scale=tiny", "width=0.1"])


@pytest.mark.parametrize(
    ("requires", "message"),
    [
        ("[{cells: a, metric: gradient_norm/total, below: 1}]", "record it with probes=[gradient_norm]"),
        ("[{cells: a, metric: train/eror, below: 0.1}]", "did you mean 'train/error'?"),
        ("[{cells: aa, metric: train/error, below: 0.1}]", "unknown arm 'aa'"),
        ('[{cells: "a@depth=9", metric: train/error, below: 0.1}]', "unknown value of depth '9'"),
        ("[{cells: a, metric: train/error, blow: 0.1}]", "blow"),
        ("[{cells: a, metric: train/error}]", "give one of below and above"),
        ("3", "must be a list"),
    ],
)
def test_what_no_gate_can_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requires: str, message: str
) -> None:
    with pytest.raises(InputError) as refused:
        plan(tmp_path, monkeypatch, requires)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)

"""Margins beside the size of one image."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.preflight.check import check
from ablate.study.plan import plan_study

STUDY = """# @package _global_
study:
  name: small
  arms: {{a: [shortcut=identity], b: [shortcut=none]}}
  seeds: 1
  claims: [{{id: c, metric: {metric}, contrast: {{a: 1, b: -1}}, expect: positive, margin: {margin}}}]
"""


@pytest.mark.parametrize(
    ("metric", "margin", "remarked"),
    [
        ("test/error", 0.002, True),  # one of 360 is 0.00278
        ("test/error", 0.003, False),
        ("test/error", 0.0, False),  # says on purpose that any difference matters
        ("train/error", 0.0006, True),  # one of 1,437 is 0.0007
        ("train/error", 0.002, False),
        ("test/loss", 0.0001, False),
    ],
)
def test_a_margin_below_one_image_is_remarked(
    metric: str, margin: float, remarked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "exp").mkdir(parents=True)
    (tmp_path / "conf" / "exp" / "small.yaml").write_text(STUDY.format(metric=metric, margin=margin))
    monkeypatch.chdir(tmp_path)
    study = plan_study(["+exp=small", "depth=8", "width=0.1"])
    notes = check(study, study.cells).notes
    assert bool(notes) is remarked
    if remarked:
        size = "0.278" if metric == "test/error" else "0.0696"
        assert f"is less than one image ({size})" in notes[0]

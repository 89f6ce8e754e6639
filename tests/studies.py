"""Studies of a test's own, planned in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ablate import InputError
from ablate.study.plan import Study, plan_study


def planned(text: str, *typed: str) -> Study:
    """The study that this text of its `study:` section describes, in one file of the working directory."""
    file = Path("conf/exp/mine.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"# @package _global_\nstudy: {{name: mine, {text}}}\n", encoding="utf-8")
    return plan_study(["+exp=mine", *typed])


def refusal(text: str, *typed: str) -> str:
    """The one line that refuses such a study."""
    with pytest.raises(InputError) as error:
        planned(text, *typed)
    assert "\n" not in str(error.value)
    return str(error.value)


def places(study: Study) -> list[tuple[Any, ...]]:
    """Arm and values of the factors of every cell."""
    return [(cell.arm, *cell.factors.values()) for cell in study.cells]

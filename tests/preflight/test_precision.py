"""bf16 where it is slow is told before training, and in the plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablate import Slot
from ablate.__main__ import main
from ablate.preflight import precision
from ablate.preflight.precision import slow_precision

BF16, FP32 = ({"trainer": {"precision": name}} for name in ("bf16", "fp32"))


@pytest.mark.parametrize(
    ("has", "configs", "device", "told"),
    [
        (False, [BF16, FP32, BF16], "cpu", True),
        (True, [BF16], "cpu", False),
        (None, [BF16], "cpu", False),
        (False, [FP32], "cpu", False),
        (False, [BF16], "cuda:0", False),
        (False, [], "cpu", False),
    ],
)
def test_bf16_is_told_of_where_a_cpu_has_no_units_for_it(
    monkeypatch: pytest.MonkeyPatch, has: bool | None, configs: list[dict], device: str, told: bool
) -> None:
    monkeypatch.setattr(precision, "has_bf16_units", lambda: has)
    lines = slow_precision(configs, [Slot(device, 1)])
    assert bool(lines) is told
    if told:
        assert lines[0].startswith("trainer.precision=bf16 for 2 cells, and this CPU has no units for bf16")


def test_plan_and_run_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(precision, "has_bf16_units", lambda: False)
    tiny = ["depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500", "trainer=bf16"]
    assert main(["plan", *tiny, "--json"]) == 0
    notes = json.loads(capfd.readouterr().out)["notes"]
    assert any("no units for bf16" in note for note in notes)
    assert main(tiny) == 0
    assert "no units for bf16" in capfd.readouterr().out
    assert main(tiny) == 0
    assert "no units for bf16" not in capfd.readouterr().out, "nothing is trained any more"

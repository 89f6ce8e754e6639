"""Each step of training tells that the cell makes progress, however it is taken; so does what is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from ablate import registry
from ablate.cell.run import run_cell
from ablate.system import heartbeat
from tests.cells import fit, frozen, tiny_cell, training_of

STEPS = 2 * 3  # epochs × batches of 1,437 images


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    for name in ("step", "progress", "compiling"):
        monkeypatch.setattr(heartbeat, name, lambda name=name: found.append(name))
    return found


@pytest.mark.parametrize("how", [(), ("trainer.resident=false", "trainer.workers=1")])
def test_steps_and_measured_batches(how: tuple[str, ...], told: list[str]) -> None:
    fit(training_of("data.batch_size=500", *how))
    assert told.count("step") == STEPS
    assert told.count("progress") > 2 * 2, "both splits are measured after each epoch"
    assert "compiling" not in told


class AtEachStep(pl.Callback):
    """Called at each step, which makes steps go one at a time."""

    def on_train_batch_end(self, *args: Any) -> None:
        pass


@pytest.mark.parametrize("looks", ["probes=[gradient_norm]", "callbacks=[at_each_step]"])
def test_steps_that_are_looked_at(looks: str, told: list[str], tmp_path: Path) -> None:
    with registry.isolated():
        registry.register("callback", "at_each_step")(AtEachStep)
        run_cell(frozen(tmp_path, tiny_cell("data.batch_size=500", looks)))
    assert told.count("step") == STEPS

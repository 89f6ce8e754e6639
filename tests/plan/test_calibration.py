"""How fast a network trains is measured with the steps that a cell takes."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor, nn

from ablate.interfaces.engine import Slot
from ablate.network.profile import Profile
from ablate.plan import calibration
from tests.cells import tiny_cell


class Late(nn.Module):
    """A part of it has its first gradient in the third step, as under stochastic depth."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.body, self.side = nn.Linear(64, 10), nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        self.steps += self.training
        logits: Tensor = self.body(images.flatten(1))
        return logits + self.side(images.flatten(1)) if self.steps > 2 else logits


def test_a_part_that_joins_later_is_measured_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    models: list[Late] = []

    def build(*arguments: Any) -> Late:
        models.append(Late())
        return models[-1]

    monkeypatch.setattr(calibration, "build_model", build)
    speed = calibration.measure(tiny_cell().config, Profile(1300, 1280), Slot("cpu", 1))
    assert models[0].steps > 3
    assert min(speed.step, speed.overhead, speed.evaluation) > 0

"""Steps that a probe looks at, taken on networks small enough to be worked out by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ablate import Course, Probe, Shortcut, StepLook
from ablate.interfaces.probe import EpochLook
from ablate.measure.probing import fetched
from ablate.network.loss import training_loss

COURSE = Course(epochs=2, steps_per_epoch=5)


class Add(Shortcut):
    """x + F(x)."""

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return x + residual


class Alone(Shortcut):
    """F(x)."""

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return residual


class Unit(nn.Module):
    """x -> act(x + w x)."""

    def __init__(self, factor: float, shortcut: type[Shortcut] = Add, act: nn.Module | None = None) -> None:
        super().__init__()
        self.branch = pointwise(factor)
        self.shortcut = shortcut()
        self.act = act or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.shortcut(x, self.branch(x)))  # type: ignore[no-any-return]


class Classifier(nn.Module):
    """Logits (a m, -a m), with m the mean of all values of an image."""

    def __init__(self, a: float = 1.0) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 2, bias=False)
        self.linear.weight.data = torch.tensor([[a], [-a]])

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.mean((1, 2, 3), keepdim=False)[:, None])  # type: ignore[no-any-return]


def pointwise(factor: float) -> nn.Conv2d:
    """A convolution that multiplies its one channel."""
    conv = nn.Conv2d(1, 1, 1, bias=False)
    conv.weight.data.fill_(factor)
    return conv


def batch(*images: list[float]) -> Tensor:
    """Images of one row of pixels, (B, 1, 1, W)."""
    return torch.tensor(images)[:, None, None, :]


def look_at(
    probe: Probe, model: nn.Module, images: Tensor, labels: Tensor | None = None, *, step: int = 0, rate: float = 0.0
) -> list[dict[str, Any]]:
    """Take an SGD step that the probe looks at; returns the rows of its table without epoch and step."""
    labels = torch.zeros(len(images), dtype=torch.long) if labels is None else labels
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    look = StepLook(1, step, COURSE, model, optimizer, (images, labels), rate=rate)
    probe.before_step(look)
    optimizer.zero_grad()
    look.loss = training_loss(model, images, labels)
    probe.after_forward(look)
    look.loss.backward()
    probe.after_backward(look)
    optimizer.step()
    look.seconds = {"forward": 1.0 + step, "backward": 2.0 + step, "update": 0.5}
    probe.after_update(look)
    return told(look)


def told(look: StepLook | EpochLook) -> list[dict[str, Any]]:
    """The rows of a look, as its table has them."""
    return [{k: v for k, v in row.items() if k not in {"epoch", "step"}} for row in fetched(look.rows)]

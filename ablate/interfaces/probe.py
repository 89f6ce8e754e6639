"""Probes: what is looked at while a cell trains. Nothing of what is trained may change by that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ablate.interfaces.chart import Chart

if TYPE_CHECKING:
    from ablate.interfaces.measurement import Trained

DECIDES_NUMBERS = False  # of training: a probe only looks on

Value = float | int | str | Tensor
"""What stands in a column of a table; a tensor of one element is fetched from its device at the end of the epoch."""


@dataclass(frozen=True)
class Course:
    """How long a cell trains.

    Attributes:
        epochs: passes over the training split.
        steps_per_epoch: optimiser steps in each.
    """

    epochs: int
    steps_per_epoch: int

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return self.epochs * self.steps_per_epoch


class _Rows:
    """Collects rows of a probe's table."""

    epoch: int
    step: int

    def __init__(self) -> None:
        self.rows: list[dict[str, Value]] = []

    def record(self, **values: Value) -> None:
        """Add a row to the probe's table, behind its columns `epoch` and `step`.

        Args:
            values: by column, such as `layer="stem.conv.weight", norm=gradient.norm()`.
        """
        self.rows.append({"epoch": self.epoch, "step": self.step, **values})


class StepLook(_Rows):
    """An optimiser step that a probe looks at, as far as it has been taken by now.

    Attributes:
        epoch: that the step belongs to, from 1 as in `history.csv`.
        step: steps taken before it, from 0: at step 0 the network is as it was initialised.
        course: how long the cell trains.
        model: (B, C, H, W) -> (B, classes) logits, in training mode; with auxiliary classifiers also a list of theirs.
        optimizer: over its parameters.
        images: (B, C, H, W), normalised and augmented.
        labels: (B,).
        rate: the learning rate of the step.
        loss: of the batch, with its graph until the backward pass; None before the forward pass.
        seconds: that the parts of the step took that are done, without what probes did: `forward`, `backward`,
            `update`. The device has finished with each, which is waited for in this step alone.
    """

    def __init__(
        self, epoch: int, step: int, course: Course, model: nn.Module, optimizer: torch.optim.Optimizer,
        batch: tuple[Tensor, Tensor], *, rate: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.epoch, self.step, self.course = epoch, step, course
        self.model, self.optimizer = model, optimizer
        self.images, self.labels = batch
        self.rate = rate
        self.loss: Tensor | None = None
        self.seconds: dict[str, float] = {}

    @contextmanager
    def undisturbed(self) -> Iterator[nn.Module]:
        """The network for passes of the probe's own, put back afterwards as it was.

        Parameters and buffers (the statistics of norms), gradients, modes, and what is drawn from. Forward hooks that
        were there before see nothing of such passes: they look at the step's own.
        """
        with kept(self.model):
            yield self.model


@dataclass
class EpochLook(_Rows):
    """The end of an epoch, after it was measured.

    Attributes:
        epoch: from 1.
        step: optimiser steps taken by now.
        course: how long the cell trains.
        row: of `history.csv`; without metrics where the epoch was not measured (`trainer.eval_every`).
        trained: the network as it stands, for what a measurement may do.
    """

    epoch: int
    step: int
    course: Course
    row: Mapping[str, float]
    trained: Trained
    rows: list[dict[str, Value]] = field(default_factory=list)


class Probe:
    """Something that is looked at while a cell trains. Built as `Probe(*, options)`, anew for each cell.

    A step is looked at where some probe asks for it; all others run as if there were no probes. What a probe may do:
    read, register hooks on modules (and remove them in the same step), keep what it needs. What it draws from PyTorch's
    random generators changes nothing; passes of its own through the network belong inside `look.undisturbed()`.

    Attributes:
        columns: names of the values that it has at the end, `PROBE/column` in results.
        reads_forward: it needs the modules' own forward pass, as hooks do. Such a step cannot be compiled.
        charts: of its table, in the report of a study; by default of its columns `place` and `value`, if it has them.
    """

    columns: tuple[str, ...] = ()
    reads_forward: ClassVar[bool] = False
    charts: ClassVar[tuple[Chart, ...]] = (Chart("value"),)

    def nothing_in(self, model: nn.Module) -> str:
        """Why there is nothing to look at in a network, such as "it has no residual units"; empty where there is.

        Such a cell trains as without the probe: its columns stay empty, and its log says so in one line.
        """
        return ""

    def steps(self, course: Course) -> Iterable[int]:
        """The optimiser steps to look at, from 0 to `course.steps - 1`; by default none."""
        return ()

    def before_step(self, look: StepLook) -> None:
        """Before the forward pass; gradients are still those of the step before."""

    def after_forward(self, look: StepLook) -> None:
        """Between the forward pass and the backward pass: `look.loss` has its graph."""

    def after_backward(self, look: StepLook) -> None:
        """Each parameter's `grad` is there, and nothing is updated yet."""

    def after_update(self, look: StepLook) -> None:
        """The step is done."""

    def epoch_end(self, look: EpochLook) -> None:
        """An epoch has ended and was measured."""

    def values(self) -> Mapping[str, float]:
        """The values of `columns` once the cell has ended; one that is lacking or no number is empty in results."""
        return {}

    def state(self) -> dict[str, Any]:
        """What `values` and later looks need of earlier ones, as plain values: kept in the cell's checkpoint."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave, in the process that goes on with the cell."""


@contextmanager
def kept(model: nn.Module) -> Iterator[None]:
    """Put a network back as it was, to the bit: values, gradients, modes, hooks; and all random generators."""
    tensors: list[Tensor] = [*model.parameters(), *model.buffers()]
    values = [one.detach().clone() for one in tensors]
    gradients = [one.grad for one in model.parameters()]
    requires = [one.requires_grad for one in model.parameters()]
    modes = [(one, one.training) for one in model.modules()]
    hooks = [_put_aside(one) for one in model.modules()]
    for parameter in model.parameters():
        parameter.grad = None
    with random_kept(next(iter(tensors)).device if tensors else torch.device("cpu")):
        try:
            yield
        finally:
            with torch.no_grad():
                for one, value in zip(tensors, values, strict=True):
                    if not torch.equal(one, value):
                        one.copy_(value)
            for parameter, gradient, was in zip(model.parameters(), gradients, requires, strict=True):
                parameter.grad = gradient
                parameter.requires_grad_(was)
            for module, training in modes:
                module.training = training
            for module, before in zip(model.modules(), hooks, strict=True):
                module.__dict__.update(before)


def _put_aside(module: nn.Module) -> dict[str, Any]:
    """Take the forward hooks of a module away: several probes may look at one step, and each at its own passes."""
    before = {name: module.__dict__[name] for name in ("_forward_hooks", "_forward_pre_hooks")}
    module.__dict__.update({name: OrderedDict() for name in before})
    return before


@contextmanager
def random_kept(device: torch.device) -> Iterator[None]:
    """Put the random generators of the CPU and of a device back as they were."""
    state = torch.get_rng_state()
    backend = None if device.type == "cpu" else torch.get_device_module(device)
    on_device = backend.get_rng_state(device) if backend else None
    try:
        yield
    finally:
        torch.set_rng_state(state)
        if backend:
            backend.set_rng_state(on_device, device)

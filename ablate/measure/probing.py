"""The probes of a cell: called at the steps that they ask for, their rows written, their state kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ablate.errors import InputError
from ablate.interfaces.measurement import Trained
from ablate.interfaces.probe import Course, EpochLook, Probe, StepLook, Value, kept, random_kept
from ablate.measure.asked import PROBES, note_of
from ablate.measure.build import build_probe
from ablate.measure.columns import finite
from ablate.training.feed import Batch
from ablate.training.history import Row
from ablate.training.module import Training
from ablate.training.step import EagerStep
from ablate.training.tables import TableFile
from ablate.training.watching import Watcher

DECIDES_NUMBERS = False

log = logging.getLogger(__name__)


class Probing(Watcher):
    """The probes of a cell.

    Args:
        nodes: name -> config node.
        course: how long the cell trains.
        folder: of the cell.
        trained: the network, as a probe is given it at an epoch's end.
    """

    def __init__(self, nodes: Mapping[str, Mapping[str, Any]], course: Course, folder: Path, trained: Trained) -> None:
        self.nodes, self.course, self._trained = nodes, course, trained
        self.probes = {name: build_probe(node) for name, node in nodes.items()}
        self._looking = {name: probe for name, probe in self.probes.items() if _finds_something(name, probe, trained)}
        self._steps = {name: _steps_of(name, probe, course) for name, probe in self._looking.items()}
        self._all: frozenset[int] = frozenset().union(*self._steps.values())
        self._tables = {name: TableFile(folder / PROBES / f"{name}.csv") for name in nodes}
        self._rows: dict[str, list[dict[str, Value]]] = {name: [] for name in nodes}
        self._begun = False

    def due(self, first: int, count: int) -> Collection[int]:
        """Those of these steps that some probe asks for."""
        return self._all.intersection(range(first, first + count))

    def watch(
        self, step: EagerStep, batch: Batch, *, epoch: int, number: int, rate: float,
        model: nn.Module, optimizer: torch.optim.Optimizer,
    ) -> Tensor:  # fmt: skip
        """Take a step, and let the probes that ask for it look at it."""
        looks = {
            name: StepLook(epoch + 1, number, self.course, model, optimizer, batch, rate=rate)
            for name, steps in self._steps.items()
            if number in steps
        }
        loss = step.observed(*batch, _Moments(self.probes, looks, batch[0].device))
        for name, look in looks.items():
            self._rows[name] += look.rows
        return loss

    def epoch_end(self, training: Training, row: Row) -> None:
        """Let the probes look at the end of an epoch, and write what they have recorded."""
        self._start_tables()
        step = (training.current_epoch + 1) * self.course.steps_per_epoch
        for name, probe in self._looking.items():
            look = EpochLook(training.current_epoch + 1, step, self.course, dict(row), self._trained)
            if type(probe).epoch_end is not Probe.epoch_end:
                with kept(training.model):
                    training.model.eval()
                    probe.epoch_end(look)
            self._tables[name].add(fetched([*self._rows[name], *look.rows]))
            self._rows[name] = []

    def state(self) -> dict[str, Any]:
        """Of each probe: how it is set, its own state, and how many rows its table has."""
        return {
            name: {**note_of("probe", self.nodes[name], table=False), "state": probe.state(),
                   "rows": self._tables[name].rows}
            for name, probe in self.probes.items()
        }  # fmt: skip

    def refuses(self, state: Mapping[str, Any]) -> str:
        """Why a cell cannot go on behind a checkpoint with this state; empty where it can."""
        for name, node in self.nodes.items():
            if name not in state or not note_of("probe", node, table=False).items() <= state[name].items():
                return f"probe {name} did not look on, or was set otherwise, or had other code"
            if not self._tables[name].has(state[name]["rows"]):
                return f"{self._tables[name].path} is not whole"
        return ""

    def load(self, state: dict[str, Any]) -> None:
        """Go on behind the rows of a checkpoint."""
        for name, probe in self.probes.items():
            probe.load(state[name]["state"])
            self._tables[name].keep_first(state[name]["rows"])
        self._begun = True

    def values(self) -> dict[str, float | None]:
        """The columns of results, once training has ended."""
        return {
            f"{name}/{column}": value
            for name, probe in self.probes.items()
            for column, value in finite(f"probe {name}", probe.columns, probe.values()).items()
        }

    def notes(self) -> dict[str, Any]:
        """What the result says of each probe."""
        return {
            name: note_of("probe", node, table=self._tables[name].rows > 0) for name, node in self.nodes.items()
        }  # fmt: skip

    def _start_tables(self) -> None:
        """Without a checkpoint, the tables of an earlier attempt are none."""
        if not self._begun:
            for table in self._tables.values():
                table.keep_first(0)
            self._begun = True


class _Moments:
    """Tells the probes of one step where it is, and keeps them from changing what is drawn."""

    def __init__(self, probes: Mapping[str, Probe], looks: Mapping[str, StepLook], device: torch.device) -> None:
        self._looking = [(probes[name], look) for name, look in looks.items()]
        self._device = device
        self._since = 0.0

    def before(self) -> None:
        self._tell(Probe.before_step)

    def after_forward(self, loss: Tensor) -> None:
        self._took("forward")
        for _, look in self._looking:
            look.loss = loss
        self._tell(Probe.after_forward)

    def after_backward(self) -> None:
        self._took("backward")
        self._tell(Probe.after_backward)

    def after_update(self) -> None:
        self._took("update")
        self._tell(Probe.after_update)

    def _tell(self, moment: Callable[[Probe, StepLook], None]) -> None:
        with random_kept(self._device):
            for probe, look in self._looking:
                getattr(probe, moment.__name__)(look)
        self._since = self._now()

    def _took(self, part: str) -> None:
        seconds = self._now() - self._since
        for _, look in self._looking:
            look.seconds[part] = seconds

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def fetched(rows: Sequence[Mapping[str, Value]]) -> list[dict[str, Any]]:
    """Rows with numbers in the place of tensors, which are fetched from each device at once.

    Raises:
        InputError: a tensor has several elements.
    """
    found = [(row, key, value) for row in rows for key, value in row.items() if isinstance(value, Tensor)]
    for _, key, value in found:
        if value.numel() != 1:
            raise InputError(f"column {key} of a table got a tensor of shape {tuple(value.shape)}; it takes one number")
    flat = [value.detach().reshape(()).double() for _, _, value in found]
    numbers = iter(torch.stack(flat).tolist() if flat else [])
    return [{key: next(numbers) if isinstance(value, Tensor) else value for key, value in row.items()} for row in rows]


def _finds_something(name: str, probe: Probe, trained: Trained) -> bool:
    if reason := probe.nothing_in(trained.model):
        log.warning("probe %s: %s, so its columns stay empty", name, reason)
    return not reason


def _steps_of(name: str, probe: Probe, course: Course) -> frozenset[int]:
    steps = frozenset(cast(Collection[int], probe.steps(course)))
    if outside := [step for step in steps if not 0 <= step < course.steps]:
        raise InputError(f"probe '{name}' asks for step {outside[0]}, and the steps are 0 to {course.steps - 1}")
    return steps

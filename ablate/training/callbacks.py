"""Lightning callbacks of the user's own: the steps that they are promised, and what they find at an epoch's end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import Logger
from torch import Tensor

from ablate.training.step import EagerStep
from ablate.training.tables import TableFile

if TYPE_CHECKING:
    from ablate.training.module import Training

# Hooks that Lightning calls in or around a step; a callback that has one is called at each step.
STEP_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)
LOGGED = "callbacks.csv"
LOG_EVERY = 50  # steps, as Lightning has it


def needs_single_steps(callbacks: Sequence[pl.Callback]) -> bool:
    """Whether one of these has a hook of its own in or around a step."""
    return any(_has(callback, hook) for callback in callbacks for hook in STEP_HOOKS)


def _has(callback: pl.Callback, hook: str) -> bool:
    own = getattr(callback, hook)
    return getattr(own, "__func__", own) is not getattr(pl.Callback, hook)


class LightningStep(EagerStep):
    """A step through Lightning's backward pass and optimiser, which call the hooks; the same numbers.

    Args:
        module: whose callbacks are called.
        optimizer: over the parameters of its model.
    """

    def __init__(self, module: Training, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(module.model, optimizer, module.numerics.precision)
        self._backward = module.manual_backward
        wrapped: Any = module.optimizers()
        self.update = wrapped.step

    def backward(self, loss: Tensor) -> None:
        """Fill in the gradients, as Lightning does."""
        self._backward(loss)


class MetricsFirst(pl.Callback):
    """Measures an epoch before other callbacks are called at its end, so that they find its metrics.

    Lightning calls a module's own hook behind those of most callbacks; so this one stands before them.

    Args:
        log: of what callbacks log.
    """

    def __init__(self, log: CallbackLog) -> None:
        self.log_file = log

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called by Lightning."""
        module: Any = pl_module
        module.end_epoch()
        metrics = {key: value for key, value in module.history[-1].items() if "/" in key}
        pl_module.log_dict(metrics, logger=False, batch_size=1)
        self.log_file.save()


class CallbackLog(Logger):
    """What callbacks log (a rate, a norm), a row a step, in `callbacks.csv` of the cell.

    Args:
        folder: of the cell.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._table = TableFile(folder / LOGGED)
        self._rows: dict[int, dict[str, float]] = {}
        self._begun = False

    @property
    def name(self) -> str:
        """Called by Lightning."""
        return "ablate"

    @property
    def version(self) -> str:
        """Called by Lightning."""
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """They are in `cell.yaml`."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep them until the epoch is over."""
        number = int(step or 0)
        if not self._begun:
            self._table.keep(lambda row: int(row["step"]) < number)  # what is behind the checkpoint comes again
            self._begun = True
        self._rows.setdefault(number, {}).update({key: float(value) for key, value in metrics.items()})

    def save(self) -> None:
        """Write what is new."""
        self._table.add([{"step": step, **values} for step, values in self._rows.items()])
        self._rows = {}

    def finalize(self, status: str) -> None:
        """Called by Lightning at the end."""
        self.save()

"""Training that ends where it does not get on any more."""

from typing import Any, Literal

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping as LightningEarlyStopping

from ablate import InputError, register


@register("callback", "early_stopping")
class EarlyStopping(LightningEarlyStopping):
    """Ends training where the training loss or error has not fallen for some epochs.

    By the training split alone: an end that is chosen by the test split would make its figures look better than they
    are. Epochs that are not measured (`trainer.eval_every`) do not count.

    Args:
        monitor: what is to fall.
        patience: measured epochs without a fall, after which training ends.
        min_delta: how much a fall must be, in the metric's unit.
    """

    def __init__(
        self, *, monitor: Literal["train/loss", "train/error"] = "train/loss", patience: int = 3, min_delta: float = 0.0
    ) -> None:
        if patience < 1 or min_delta < 0:
            raise InputError(
                f"callbacks.early_stopping: patience={patience} and min_delta={min_delta} must be positive"
            )
        super().__init__(monitor, min_delta=min_delta, patience=patience, mode="min", check_on_train_epoch_end=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if self.monitor in pl_module.history[-1]:
            super().on_train_epoch_end(trainer, pl_module)

"""The process that `start` measures. It imports nothing that a cell's own process does not have imported already."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from typing import Any

import pytorch_lightning as pl
import torch

from ablate.cell import build_trainer, build_training


class FirstStep(pl.Callback):
    """Tells when the first batch is about to be trained on, and ends the process there."""

    def __init__(self, tell: Connection) -> None:
        self.tell = tell

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Called by Lightning."""
        self.tell.send(time.monotonic())
        os._exit(0)


def train_one_step(config: dict[str, Any], device: str, tell: Connection) -> None:
    """Build a cell's training and run it up to its first step."""
    torch.set_num_threads(1)
    training = build_training(config, torch.device(device))
    build_trainer(config, device, FirstStep(tell)).fit(training)

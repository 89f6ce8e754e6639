"""The process that `start` measures. It imports nothing that a cell's own process does not have imported already."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from ablate.cell.run import run_cell
from ablate.run.process import quieten_lightning
from ablate.system.process_tree import end_with_parent
from ablate.system.processes import keep_freed_memory


class FirstStep(pl.Callback):
    """Tells when the first batch is about to be trained on, and ends the process there."""

    def __init__(self, tell: Connection) -> None:
        self.tell = tell

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Called by Lightning."""
        self.tell.send((time.monotonic(), time.process_time()))
        os._exit(0)


def train_one_step(folder: Path, device: str, tell: Connection) -> None:
    """Run the cell in `folder` up to its first step, as its process does: from its frozen config on."""
    end_with_parent()
    quieten_lightning()
    torch.set_num_threads(1)
    keep_freed_memory()
    run_cell(folder, device, FirstStep(tell))

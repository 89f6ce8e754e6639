"""A checkpoint after each epoch, from which a killed cell resumes."""

from __future__ import annotations

import io
import json
import logging
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from ablate.system.files import atomic
from ablate.training.history import HistoryFile
from ablate.training.module import WATCHER, Training
from ablate.training.packing import pack_checkpoint, unpack_checkpoint

NAME = "last.ckpt"
log = logging.getLogger(__name__)


class EpochEnd(pl.callbacks.Checkpoint):
    """After each epoch: its row in the history, and the checkpoint, which is whole or not there.

    Lightning calls callbacks of this base after the module's own hook, so that the epoch's row is there.

    Args:
        folder: of the cell.
        code: fingerprint of the code that trains; a checkpoint that other code made is not resumed.
    """

    def __init__(self, folder: Path, code: str) -> None:
        self.folder = folder
        self.code = code
        self._history = HistoryFile(folder / "history.csv")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Called by Lightning once the epoch is measured."""
        assert isinstance(pl_module, Training)
        self._history.update(pl_module.history)
        # Behind the last epoch, or one that diverged, there is nothing to go on with: the cell's result comes next.
        # Nor where a callback ends training: who comes back to it has the last epoch to do again, and ends there, too.
        if pl_module.current_epoch + 1 < pl_module.epochs and not trainer.should_stop:
            # Whole, and not lasting: a power cut may bring the one before back, from which the cell goes on as well.
            with atomic(self.folder / NAME, lasting=False) as temporary:
                trainer.save_checkpoint(temporary, weights_only=False)

    def rewrite(self, module: Training) -> None:
        """Write the history anew, once its last row has its metrics."""
        self._history = HistoryFile(self.folder / "history.csv")
        self._history.update(module.history)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say which code made it."""
        checkpoint["code"] = self.code


class LocalFile(TorchCheckpointIO):
    """Writes a checkpoint to a file of this machine, packed and in one go.

    Lightning's own goes through a layer for file systems of any kind, and makes the file whole by itself, which
    `EpochEnd` does already: that takes as long as all the rest, once an epoch.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Called by Lightning."""
        buffer = io.BytesIO()
        torch.save(pack_checkpoint(checkpoint), buffer)
        Path(path).write_bytes(buffer.getbuffer())

    def load_checkpoint(self, path: str | Path, *args: Any, **options: Any) -> dict[str, Any]:
        """Called by Lightning."""
        return unpack_checkpoint(super().load_checkpoint(path, *args, **options))


def resumable(folder: Path, code: str, refuses: Callable[[Mapping[str, Any]], str] | None = None) -> Path | None:
    """The cell's checkpoint, where there is a whole one that this code made.

    Args:
        folder: of the cell.
        code: fingerprint of the code that trains.
        refuses: says of the state of who looked on why there is no going on behind it; empty where there is.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        found = _read(path)
        made_by = str(found["code"])
    except Exception as error:  # what torch and pickle raise on a file that is not whole has no common kind
        log.warning("%s cannot be read (%r): the cell starts from its first epoch", path, error)
        return None
    if made_by != code:
        log.warning("%s was made by other code (%s, now %s): the cell starts from its first epoch", path, made_by, code)
        return None
    if refuses and (reason := refuses(json.loads(found.get(WATCHER, "{}")))):
        log.warning("%s: %s: the cell starts from its first epoch", path, reason)
        return None
    return path


def _read(path: Path) -> dict[str, Any]:
    """A checkpoint whose every byte is as it was written; torch itself does not check that."""
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"{damaged} is damaged")
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content

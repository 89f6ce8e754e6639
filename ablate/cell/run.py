"""Run one cell: from its frozen config to its result."""

from __future__ import annotations

import math
import platform
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from ablate import __version__, registry
from ablate.cell import loaded
from ablate.cell.besides import besides_metrics, build_probing
from ablate.cell.callbacks import build_callbacks
from ablate.cell.changes import refuse_changed_code, refuse_changes
from ablate.interfaces.data import Augment, DataSet, Evaluation
from ablate.interfaces.training import Optim, Schedule
from ablate.measure.weights import start_from
from ablate.network.build import build_model, count_flops, count_parameters
from ablate.registry.discovery import discover
from ablate.system.files import read_yaml, remove, settle_files, write_json
from ablate.system.processes import processor
from ablate.training.callbacks import CallbackLog, MetricsFirst, needs_single_steps
from ablate.training.checkpoints import NAME, EpochEnd, LocalFile, resumable
from ablate.training.history import METRICS, Row
from ablate.training.loading import build_feed
from ablate.training.module import Training
from ablate.training.numerics import Numerics
from ablate.training.options import threshold, threshold_name


def run_cell(folder: Path, device: str = "cpu", *callbacks: pl.Callback, cores: int = 1) -> dict[str, Any]:
    """Train the cell in `folder`, from its checkpoint where it has one, and write its result.

    Args:
        folder: holds `cell.yaml`; gets `history.csv`, and `result.json` last.
        device: such as `cpu` or `cuda:1`.
        callbacks: of Lightning, to look on.
        cores: CPU cores that are the cell's share, for the processes that read its data.

    Returns:
        What `result.json` holds: `status` (`done` or `diverged`), `metrics`, and what they were made with.
    """
    discover()
    cell = read_yaml(folder / "cell.yaml")
    config, code = cell["config"], cell["code"]
    refuse_changes(folder, cell)
    own = build_callbacks(config)
    training = build_training(config, torch.device(device), cores, folder=folder, own=own)
    if started := start_from(training.model, config, folder):
        print(started, flush=True)
    # Once more, now that all is imported: what was edited between the first look and the import would train else.
    loaded.remember()
    refuse_changed_code(folder, cell)
    epoch_end = EpochEnd(folder, code)
    trainer = build_trainer(config, device, epoch_end, *callbacks, own=own, folder=folder)
    refuses = training.watcher.refuses if training.watcher else None
    trainer.fit(training, ckpt_path=resumable(folder, code, refuses), weights_only=True)
    if training.complete():
        epoch_end.rewrite(training)
    besides = besides_metrics(cell, training, folder, torch.device(device), cores)
    result = {
        "id": cell["id"],
        "status": "diverged" if training.diverged else "done",
        "reason": _reason(training),
        "metrics": _metrics(config, training) | besides.values,
        **besides.notes,
        "code": code,
        "versions": versions(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "processor": processor(),
        "host": socket.gethostname(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    # All that belongs to a result is on the disk before it is: a power cut must not leave a result without its tables.
    settle_files(folder, NAME, "log.txt")
    write_json(folder / "result.json", result)
    remove(folder / NAME)
    remove(folder / "failure.json")
    return result


def build_training(
    config: Mapping[str, Any],
    device: torch.device,
    cores: int = 1,
    *,
    folder: Path | None = None,
    own: Sequence[pl.Callback] = (),
) -> Training:
    """The network, data, optimiser and schedule of a frozen config, ready to fit.

    Args:
        config: frozen.
        device: where it trains.
        cores: CPU cores for the processes that read the data.
        folder: of the cell, where its probes write; None: without them.
        own: callbacks of the user's.
    """
    data: DataSet = registry.build("data", config["data"])
    augment: Augment = registry.build("augment", config["augment"])
    evaluation: Evaluation = registry.build("evaluation", config["evaluation"])
    optim: Optim = registry.build("optim", config["optim"])
    schedule: Schedule = registry.build("schedule", config["schedule"])
    options = config["trainer"]
    numerics = Numerics.of(options)
    model = build_model(config, data)
    if numerics.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    feed = build_feed(data, augment, evaluation, options, config["seed"], device, cores=cores)
    return Training(
        model,
        feed,
        evaluation,
        optim,
        schedule,
        batch_size=data.batch_size,
        epochs=options["epochs"],
        eval_every=options["eval_every"],
        numerics=numerics,
        watcher=None if folder is None else build_probing(config, model, feed, folder, cores),
        single_steps=needs_single_steps(own),
    )


def build_trainer(
    config: Mapping[str, Any],
    device: str,
    *callbacks: pl.Callback,
    own: Sequence[pl.Callback] = (),
    folder: Path | None = None,
) -> pl.Trainer:
    """A Trainer that does nothing per step and writes nothing by itself.

    Args:
        config: frozen.
        device: such as `cpu` or `cuda:1`.
        callbacks: of the framework.
        own: callbacks of the user's; with them come the metrics and the logger that they may ask for.
        folder: of the cell; needed with `own`.
    """
    for_own: dict[str, Any] = {"logger": False}
    if own and folder is not None:
        log = CallbackLog(folder)
        callbacks = (MetricsFirst(log), *own, *callbacks)
        # In the first epoch of few steps Lightning would warn that a logger hears nothing.
        for_own = {"logger": log, "default_root_dir": folder, "log_every_n_steps": 1}
    checkpoints = any(isinstance(callback, pl.callbacks.Checkpoint) for callback in callbacks)
    kind, _, index = device.partition(":")
    return pl.Trainer(
        accelerator="gpu" if kind == "cuda" else kind,
        devices=[int(index or 0)] if kind == "cuda" else 1,
        max_epochs=config["trainer"]["epochs"],
        callbacks=list(callbacks),
        enable_checkpointing=checkpoints,  # else Lightning adds one of its own
        plugins=[LocalFile()],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **for_own,
    )


def versions() -> dict[str, str]:
    """Of what a result depends on."""
    return {
        "ablate": __version__,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "torch": torch.__version__,
        "pytorch-lightning": version("pytorch-lightning"),
    }


def _reason(training: Training) -> str:
    """Why training ended as it did, where that is not after its last epoch."""
    if training.diverged:
        return f"the loss was not finite in epoch {len(training.history)}"
    if len(training.history) < training.epochs:
        return f"a callback ended it after epoch {len(training.history)} of {training.epochs}"
    return ""


def _metrics(config: Mapping[str, Any], training: Training) -> dict[str, float | None]:
    """The values after the last epoch; null where training diverged or a threshold was not reached."""
    last = training.history[-1]
    metrics: dict[str, float | None] = {name: None if training.diverged else last[name] for name in METRICS}
    metrics["params"] = count_parameters(training.model)
    data: DataSet = registry.build("data", config["data"])
    metrics["flops"] = count_flops(training.model, (1, data.channels, *data.size))
    metrics["seconds"] = sum(row["seconds"] for row in training.history)
    for text in config["trainer"]["epochs_to"]:
        metric, value = threshold(text)
        metrics[f"epochs_to/{threshold_name(text)}"] = _first_below(training.history, metric, value)
    return metrics


def _first_below(history: list[Row], metric: str, value: float) -> float | None:
    reached = [row["epoch"] for row in history if row.get(metric, math.inf) < value]
    return reached[0] if reached else None

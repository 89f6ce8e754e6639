"""Tiny cells: planned, frozen, trained."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ablate.cell.run import build_trainer, build_training
from ablate.config.compose import compose, prepare
from ablate.interfaces.engine import CellPlace, Job
from ablate.run.store import Store
from ablate.study.plan import Cell, Study, plan_study
from ablate.study.section import container
from ablate.training.module import Training

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

# What `scale=quick` set in version 0.1: what was recorded or stored then is typed in full. The smallest cells keep it:
# no warm-up comes before what they show, images differ between epochs, and a change of the scale changes none of them.
FORMER_QUICK = (
    "augment=shift", "optim=he2015", "schedule=step", "schedule.warmup_epochs=0", "schedule.warmup_linear=false",
    "trainer.epochs=10",
)  # fmt: skip
TINY = (*FORMER_QUICK[:-1], "depth=8", "width=0.25", "trainer.epochs=2")


def last_wins(*overrides: str) -> list[str]:
    """The overrides without those whose key comes again."""
    return list({text.split("=")[0]: text for text in overrides}.values())


@cache
def planned(*overrides: str) -> dict[str, Any]:
    """The frozen config of a cell."""
    config = container(compose(["depth=8", *overrides]))
    del config["study"]
    return config


@cache
def tiny_study(*overrides: str) -> Study:
    """A study of the smallest network; later overrides win."""
    return plan_study(last_wins(*TINY, *overrides))


def tiny_cell(*overrides: str) -> Cell:
    return tiny_study(*overrides).cells[0]


def frozen(runs: Path, cell: Cell, study: str = "tiny") -> Path:
    """The cell's folder, ready for `run_cell`."""
    store = Store(runs, study)
    store.prepare()
    return store.freeze(cell)


def job_of(runs: Path, cell: Cell, study: str = "tiny", cost: float = 1.0) -> Job:
    """The cell as a job of its own, ready for an engine."""
    place = CellPlace(cell.id, frozen(runs, cell, study), Store(runs, study).lock_file(cell.id))
    return Job((place,), cost, threads=cell.config["trainer"]["threads"])


def training_of(*overrides: str) -> Training:
    return build_training(tiny_cell(*overrides).config, torch.device("cpu"))


def fit(training: Training) -> Training:
    """Train to the end, in memory."""
    config: dict[str, Any] = {"trainer": {"epochs": training.epochs}}
    build_trainer(config, "cpu").fit(training)
    return training


def fed(training: Training) -> list[Tensor]:
    """Train to the end and return the images (B, C, H, W) of every optimiser step, as the network got them."""
    batches: list[Tensor] = []

    def keep(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if module.training:
            batches.append(inputs[0].clone())

    handle = training.model.register_forward_pre_hook(keep)
    fit(training)
    handle.remove()
    return batches

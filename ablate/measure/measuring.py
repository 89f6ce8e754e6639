"""Measurements taken on a trained network: in the process of its cell, or later on the weights that it kept."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ablate.errors import InputError
from ablate.interfaces.measurement import Measured, Measurement, Trained
from ablate.interfaces.probe import random_kept
from ablate.measure.asked import MEASUREMENTS, note_of
from ablate.measure.build import build_measurement
from ablate.measure.columns import finite
from ablate.measure.probing import fetched
from ablate.measure.trained import CellNetwork
from ablate.training.tables import write_table

DECIDES_NUMBERS = False

log = logging.getLogger(__name__)


def take(
    nodes: Mapping[str, Mapping[str, Any]], trained: CellNetwork, folder: Path
) -> tuple[dict[str, float | None], dict[str, Any]]:
    """Take measurements on a network, each on a copy of it, and write their tables.

    Args:
        nodes: name -> config node.
        trained: the network.
        folder: of its cell.

    Returns:
        Values by column of results, and what the result says of each measurement.

    Raises:
        InputError: a measurement gives a column that it did not name.
    """
    values: dict[str, float | None] = {}
    notes: dict[str, Any] = {}
    for name, node in nodes.items():
        measurement = build_measurement(node)
        copied = trained.with_model(eval_copy(trained.model))
        with random_kept(trained.device):
            measured = _measured(name, measurement, copied)
        if not isinstance(measured, Measured):
            raise InputError(f"measurement '{name}' gives a {type(measured).__name__}, which is no ablate.Measured")
        write_table(folder / MEASUREMENTS / f"{name}.csv", fetched(measured.rows))
        found = finite(f"measurement {name}", measurement.columns, measured.values)
        values |= {f"{name}/{column}": value for column, value in found.items()}
        notes[name] = note_of("measurement", node, table=bool(measured.rows))
    return values, notes


def untaken(nodes: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, float | None], dict[str, Any]]:
    """The same for a network whose training diverged: there is nothing to measure on it."""
    columns = {f"{name}/{column}": None for name, node in nodes.items() for column in build_measurement(node).columns}
    return {**columns}, {name: note_of("measurement", node, table=False) for name, node in nodes.items()}


def _measured(name: str, measurement: Measurement, trained: Trained) -> Measured:
    """What it gives; nothing, and a line in the log, where there is nothing to measure."""
    if reason := measurement.nothing_in(trained):
        log.warning("measurement %s: %s, so its columns stay empty", name, reason)
        return Measured({})
    return measurement.measure(trained)


def eval_copy(model: nn.Module) -> nn.Module:
    """A copy in eval mode without gradients."""
    twin = copy.deepcopy(model).eval()
    for parameter in twin.parameters():
        parameter.grad = None
    return twin

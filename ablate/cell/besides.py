"""What a cell gives besides its metrics: columns and tables of probes and measurements, and its weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ablate import registry
from ablate.errors import InputError
from ablate.interfaces.data import DataSet
from ablate.interfaces.measurement import Trained
from ablate.interfaces.probe import Course
from ablate.measure.asked import MEASUREMENTS, PROBES, Asked
from ablate.measure.measuring import take, untaken
from ablate.measure.probing import Probing
from ablate.measure.trained import CellNetwork
from ablate.measure.weights import load_weights, save_weights
from ablate.network.build import build_model
from ablate.registry.discovery import discover
from ablate.system.files import read_json, read_yaml, remove, settle_files, write_json
from ablate.training.feed import Feed
from ablate.training.module import Training
from ablate.training.numerics import Numerics

DECIDES_NUMBERS = False


@dataclass(frozen=True)
class Besides:
    """What a cell gives besides its metrics.

    Attributes:
        values: by column of results.
        notes: what its `result.json` says of how they came about, by its key.
    """

    values: dict[str, float | None]
    notes: dict[str, Any]


def build_probing(
    config: Mapping[str, Any], model: nn.Module, feed: Feed, folder: Path, cores: int = 1
) -> Probing | None:
    """The probes of a cell; None where it has none.

    Args:
        config: frozen.
        model: that will be trained.
        feed: of its data.
        folder: of the cell.
        cores: CPU cores for the processes that read its data.

    Raises:
        InputError: an option makes no sense.
    """
    nodes = config.get(PROBES) or {}
    if not nodes:
        return None
    data: DataSet = registry.build("data", config["data"])
    course = Course(int(config["trainer"]["epochs"]), math.ceil(len(feed.train.labels) / data.batch_size))
    return Probing(nodes, course, folder, CellNetwork(model, config, feed, cores=cores))


def besides_metrics(
    cell: Mapping[str, Any], training: Training, folder: Path, device: torch.device, cores: int = 1
) -> Besides:
    """Take the measurements of a cell that has just been trained, and keep its weights where that is asked for.

    Args:
        cell: what its `cell.yaml` holds.
        training: that has ended.
        folder: of the cell.
        device: where it was trained.
        cores: CPU cores for the processes that read its data.
    """
    asked = Asked.of(cell["config"], cell.get("keep", ())).alone()
    values: dict[str, float | None] = {}
    notes: dict[str, Any] = {}
    if isinstance(training.watcher, Probing):
        values |= training.watcher.values()
        notes[PROBES] = training.watcher.notes()
    if asked.measurements:
        if training.diverged:
            found, taken = untaken(asked.measurements)
        else:
            trained = CellNetwork(training.model.to(device), cell["config"], training.data, cores=cores)
            found, taken = take(asked.measurements, trained, folder)
            trained.close()
        values |= found
        notes[MEASUREMENTS] = taken
    if "weights" in asked.keep:
        save_weights(training.model, folder)
    return Besides(values, notes)


def measure_cell(folder: Path, device: str = "cpu", *, cores: int = 1) -> dict[str, Any]:
    """Take measurements on the weights that a finished cell has kept, and add them to its result.

    Args:
        folder: of the cell, whose `cell.yaml` says which measurements are to be taken, and where other arms lie.
        device: such as `cpu` or `cuda:1`.
        cores: CPU cores for the processes that read its data.

    Returns:
        What `result.json` holds by now.

    Raises:
        InputError: there are no weights, they do not fit, or a measurement's input is wrong.
    """
    discover()
    cell = read_yaml(folder / "cell.yaml", measure=list)
    config = cell["config"]
    result = read_json(folder / "result.json", status=str, metrics=dict)
    nodes = {name: (config.get(MEASUREMENTS) or {})[name] for name in cell["measure"]}
    if result["status"] == "diverged":
        values, notes = untaken(nodes)
    else:
        others = _others(folder, cell.get("others", {}), device, cores)
        trained = stored_network(folder, config, device, cores, arm=cell.get("arm", ""), others=others)
        values, notes = take(nodes, trained, folder)
        trained.close()
    result["metrics"] |= values
    result[MEASUREMENTS] = {**result.get(MEASUREMENTS, {}), **notes}
    settle_files(folder, "log.txt")
    write_json(folder / "result.json", result)
    remove(folder / "failure.json")
    return result


def stored_network(
    folder: Path,
    config: Mapping[str, Any],
    device: str,
    cores: int = 1,
    *,
    arm: str = "",
    others: Callable[[str], Trained] | None = None,
) -> CellNetwork:
    """The network of a finished cell with the weights that it kept.

    Raises:
        InputError: there are none, or they do not fit.
    """
    data: DataSet = registry.build("data", config["data"])
    model = build_model(config, data)
    load_weights(model, folder)
    if Numerics.of(config["trainer"]).channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return CellNetwork(model.to(device).eval(), config, cores=cores, arm=arm, others=others)


def _others(folder: Path, cells: Mapping[str, str], device: str, cores: int) -> Callable[[str], Trained]:
    """The networks of other arms at the same point with the same seed: arm -> the folder's name."""

    def of_arm(arm: str) -> Trained:
        if arm not in cells:
            raise InputError(f"no arm {arm} at this point with this seed; there are: {', '.join(cells) or 'no others'}")
        place = folder.parent / cells[arm]
        return stored_network(place, read_yaml(place / "cell.yaml")["config"], device, cores, arm=arm)

    return of_arm

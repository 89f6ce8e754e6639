"""How two configs differ in effect: their networks are built, run and compared, and their recipes tried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ablate import registry
from ablate.interfaces.data import DataSet
from ablate.network.build import build_model
from ablate.preflight.certificate.behaviour import behaviour, compare, fixed_batch
from ablate.preflight.certificate.form import CANNOT_TELL, NOT_COMPARED, Evidence
from ablate.preflight.certificate.modules import module_changes
from ablate.preflight.certificate.recipe import initial_values_differ, optimisers_differ, reason, recipe_changes
from ablate.preflight.certificate.sharing import share_generic_values
from ablate.system.quotas import cores

Config = Mapping[str, Any]
MANY_FLOPS = 10**9  # of a forward pass of one image, from where on threads are worth their while


@dataclass(frozen=True)
class Sizes:
    """Parameters and multiply-adds of the baseline and of the arm."""

    params: tuple[int, int]
    flops: tuple[int, int]


def full_evidence(baseline: Config, arm: Config, difference: Iterable[str], sizes: Sizes) -> Evidence:
    """Everything, with both networks run on a fixed batch.

    A plugin that fails here is not refused: what it does in a cell is that cell's result, so the failure is noted.
    """
    keys = list(difference)
    recipe, unchecked = recipe_changes(baseline, arm, keys)
    with _fitting_threads(max(sizes.flops)):
        first, second = _built(baseline), _built(arm)
        # The order counts: comparing outputs overwrites initial values, and trying the optimiser the parameters.
        modules = module_changes(first, second)
        if initial_values_differ(first, second):
            recipe.insert(0, "initial values")
        found = _outputs(baseline, arm, first, second, same_modules=not modules)
        if any(key.startswith("optim.") for key in keys):
            recipe += _optimiser(baseline, arm, first, unchecked)
    return Evidence(sizes.params, sizes.flops, modules, recipe=recipe, unchecked=unchecked, **found)


def static_evidence(baseline: Config, arm: Config, difference: Iterable[str], sizes: Sizes, note: str) -> Evidence:
    """What can be said without running the networks, which `note` says the reason for."""
    recipe, unchecked = recipe_changes(baseline, arm, difference)
    with torch.device("meta"):
        modules = module_changes(_built(baseline), _built(arm))
    return Evidence(sizes.params, sizes.flops, modules, NOT_COMPARED, note=note, recipe=recipe, unchecked=unchecked)


def _built(config: Config) -> nn.Module:
    return build_model(config, registry.build("data", config["data"]))


def _outputs(
    baseline: Config, arm: Config, first: nn.Module, second: nn.Module, *, same_modules: bool
) -> dict[str, Any]:
    datas: list[DataSet] = [registry.build("data", config["data"]) for config in (baseline, arm)]
    images, others = ((data.channels, data.size, data.classes) for data in datas)
    # There is no batch that both would take.
    if images != others:
        return {"outputs": NOT_COMPARED, "note": "the data sets have images or classes of another shape"}
    # Not as they were initialised: zeros and ones would hide parts that do take effect in training.
    shared = share_generic_values(first, second)
    batch = fixed_batch(*images)
    try:
        found = compare(behaviour(first, *batch), behaviour(second, *batch), shared, same_modules=same_modules)
    except Exception as error:
        return {"outputs": CANNOT_TELL, "note": reason(error)}
    return {"outputs": found.outcome, "differences": found.differences, "note": found.note}


def _optimiser(baseline: Config, arm: Config, model: nn.Module, unchecked: list[str]) -> list[str]:
    try:
        return ["optimiser"] if optimisers_differ(baseline["optim"], arm["optim"], model) else []
    except Exception as error:
        unchecked.append(f"optimiser ({reason(error)})")
        return []


@contextmanager
def _fitting_threads(flops: int) -> Iterator[None]:
    """One thread for a small network: where other processes are busy, threads that wait for each other take seconds."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if flops < MANY_FLOPS else min(before, cores()))
    try:
        yield
    finally:
        torch.set_num_threads(before)

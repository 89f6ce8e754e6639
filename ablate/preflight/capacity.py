"""Whether networks fit into the memory of the machine that is to train them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ablate.errors import InputError
from ablate.interfaces.engine import Engine, slots_of
from ablate.network.profile import Profile

if TYPE_CHECKING:
    from ablate.study.plan import Cell

BYTES = 16  # of a parameter that is trained: its value, its gradient, and two numbers of the optimiser


def refuse_too_large(cells: Sequence[Cell], networks: Mapping[str, Profile], engine: Engine) -> None:
    """Refuse a network whose weights, gradients and optimiser state alone exceed the memory.

    Args:
        cells: of the study.
        networks: of these cells, by ID.
        engine: where it runs them; what it runs elsewhere is not looked at.

    Raises:
        InputError: there is one; says what it takes and what there is.
    """
    slots = slots_of(engine, 1)
    if not cells or not slots:
        return
    # By parameters alone: activations can be made smaller with the batch, and the weights are there whatever is set.
    largest = max(cells, key=lambda cell: networks[cell.id].params)
    params, device = networks[largest.id].params, slots[0].device
    memory = device_memory(device)
    if memory is not None and BYTES * params > memory:
        name, width = largest.config["backbone"]["name"], largest.config["width"]
        owner = "this machine" if device == "cpu" else device
        raise InputError(
            f"backbone {name} at width {width:g} has {params:,} parameters; with gradients and optimiser they take "
            f"{BYTES * params / 1e9:,.0f} GB, and {owner} has {memory / 1e9:,.0f} GB; choose a smaller network"
        )


def device_memory(device: str) -> int | None:
    """Bytes of memory of a device such as `cpu` or `cuda:1`; None where the system does not say."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    names = ("SC_PAGE_SIZE", "SC_PHYS_PAGES")
    if not set(names) <= set(getattr(os, "sysconf_names", {})):
        return None
    size, pages = map(os.sysconf, names)
    return size * pages

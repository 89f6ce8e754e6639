"""The machine at hand, as far as figures and bounds depend on its kind."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch

from ablate.system.cpu import has_bf16_units
from ablate.system.processes import processor
from ablate.system.quotas import cores

LOADED = 0.5  # of a core, by other processes, before the bench begins
TOPOLOGY = Path("/sys/devices/system/cpu")


def machine_of(device: str) -> dict[str, Any]:
    """What stands beside the figures, with the load average before them."""
    return {
        "device": torch.cuda.get_device_name(device) if device != "cpu" else processor(),
        "bf16_units": torch.cuda.is_bf16_supported(including_emulation=False) if device != "cpu" else has_bf16_units(),
        "cores": cores(),
        "physical_cores": physical_cores(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
    }


def in_words(machine: dict[str, Any]) -> str:
    """A line, and one more where other processes disturb."""
    units = {True: "bf16 units", False: "no bf16 units", None: "bf16 units unknown"}[machine["bf16_units"]]
    physical = machine["physical_cores"]
    shared = f" (threads of {physical} physical)" if physical is not None and physical < machine["cores"] else ""
    text = (
        f"{machine['device']}, {units}, {machine['cores']} CPU cores{shared}, "
        f"Python {machine['python']}, torch {machine['torch']}"
    )
    if machine["load"] > LOADED:
        text += f"\nload average {machine['load']:.1f}: other processes are at work here, and disturb what is measured"
    return text


def physical_cores(folder: Path = TOPOLOGY) -> int | None:
    """Cores of which this process may use at least one hardware thread; None where the system does not say."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    found = set()
    for number in os.sched_getaffinity(0):
        try:
            found.add((folder / f"cpu{number}/topology/thread_siblings_list").read_text(encoding="utf-8").strip())
        except OSError:
            return None
    return len(found)


def slots_share_cores() -> bool:
    """Whether slots with a thread each are hardware threads of the same cores, as far as the system says."""
    physical = physical_cores()
    return physical is not None and physical < cores()

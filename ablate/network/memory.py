"""GPU memory: what a cell's training will take, known without a GPU, and what the GPUs of this machine have."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from ablate.config.roles import pace_text
from ablate.errors import InputError
from ablate.network.profile import MetaNetwork
from ablate.system.files import read_yaml
from ablate.system.processes import start_process

# Of each process: CUDA's context, the libraries' workspaces, what the allocator keeps free, and a small data set.
PROCESS_BYTES = 2**30

_KNOWN: dict[str, int] = {}  # the seeds of an arm take the same


def training_memory_of(folder: Path) -> int:
    """Bytes of GPU memory that the cell in a folder will take, by its frozen config.

    Raises:
        InputError: its file is not whole.
    """
    return training_memory(read_yaml(folder / "cell.yaml", config=dict)["config"])


def training_memory(config: Mapping[str, Any]) -> int:
    """Bytes of GPU memory that training a config takes, an estimate: what a step holds, and `PROCESS_BYTES`.

    Raises:
        InputError: the network cannot be built so.
    """
    key = pace_text(config)
    if key not in _KNOWN:
        _KNOWN[key] = MetaNetwork(config).step_bytes + PROCESS_BYTES
    return _KNOWN[key]


def free_gpu_memory() -> dict[str, int]:
    """Free bytes of each GPU by device, such as `cuda:0`; asked in a process of its own, whose context ends.

    Raises:
        InputError: they cannot be asked.
    """
    process, here = start_process(_tell_free, daemon=True)
    try:
        found: dict[str, int] = here.recv()
    except EOFError:
        raise InputError("the process that asks for the free memory of the GPUs ended early") from None
    finally:
        process.join()
    return found


def _tell_free(tell: Connection) -> None:
    gpus = range(torch.cuda.device_count())
    tell.send({f"cuda:{index}": torch.cuda.mem_get_info(index)[0] for index in gpus})

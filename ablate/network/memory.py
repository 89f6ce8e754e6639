"""GPU memory: what a cell's training will take, known without a GPU, and what the GPUs of this machine have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ablate import registry
from ablate.config.identity import decisive
from ablate.network.build import build_model
from ablate.network.loss import training_loss
from ablate.system.files import read_yaml
from ablate.system.processes import preloaded_context

# Of each process: CUDA's context, the libraries' workspaces, what the allocator keeps free, and a small data set.
PROCESS_BYTES = 2**30

_KNOWN: dict[str, int] = {}  # the seeds of an arm take the same


def memory_of_cell(folder: Path) -> int:
    """Bytes of GPU memory that the cell in a folder will take, by its frozen config.

    Raises:
        InputError: its file is not whole.
    """
    return training_bytes(read_yaml(folder / "cell.yaml", config=dict)["config"])


def training_bytes(config: Mapping[str, Any]) -> int:
    """Bytes of GPU memory that training a config takes, an estimate: `step_bytes` and `PROCESS_BYTES`.

    Raises:
        InputError: the network cannot be built so.
    """
    key = json.dumps([decisive({**config, "seed": 0}), config["trainer"]["checkpoint_blocks"]], sort_keys=True)
    if key not in _KNOWN:
        _KNOWN[key] = step_bytes(config) + PROCESS_BYTES
    return _KNOWN[key]


def step_bytes(config: Mapping[str, Any]) -> int:
    """Bytes of weights, gradients, optimiser state, and of all that a step keeps for its backward pass.

    Counted from a step on the meta device, where nothing is computed. Under bf16 what is kept has half the bytes.

    Raises:
        InputError: the network cannot be built so.
    """
    data = registry.build("data", config["data"])
    with torch.device("meta"):
        model = build_model(config, data).train()
        images = torch.empty(data.batch_size, data.channels, *data.size)
        labels = torch.empty(data.batch_size, dtype=torch.int64)
    optimizer = registry.build("optim", config["optim"]).build(model)
    held = [*model.parameters(), *model.buffers()]
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        kept.append(tensor)  # else another tensor could be made in its place
        return tensor

    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = training_loss(model, images, labels)
    for tensor in (*held, images, labels):
        saved.pop(tensor.untyped_storage()._cdata, None)
    loss.backward()
    optimizer.step()
    state = [one for slot in optimizer.state.values() for one in slot.values() if isinstance(one, Tensor)]
    gradients = [one.grad for one in model.parameters() if one.grad is not None]
    width = 2 if config["trainer"]["precision"] == "bf16" else 1
    return _bytes([*held, *gradients, *state, images, labels]) + sum(saved.values()) // width


def free_gpu_memory() -> dict[str, int]:
    """Free bytes of each GPU by device, such as `cuda:0`; asked in a process of its own, whose context ends."""
    context = preloaded_context()
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_tell_free, args=(there,), daemon=True)  # type: ignore[attr-defined]
    process.start()
    there.close()
    try:
        found: dict[str, int] = here.recv()
    finally:
        process.join()
    return found


def _tell_free(tell: Connection) -> None:
    gpus = range(torch.cuda.device_count())
    tell.send({f"cuda:{index}": torch.cuda.mem_get_info(index)[0] for index in gpus})


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

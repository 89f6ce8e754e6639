"""The weights of a finished cell, in a file that holds tensors and nothing that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ablate.config.start import source_cell, source_file
from ablate.errors import InputError
from ablate.measure.asked import WEIGHTS
from ablate.system.files import atomic

DECIDES_NUMBERS = False


def save_weights(model: nn.Module, folder: Path) -> None:
    """Keep all parameters and buffers of a network in the folder of its cell.

    Raises:
        InputError: the disk does not take it.
    """
    from safetensors.torch import save

    # Laid out plainly, each in memory of its own: the file knows no other strides, and no shared memory.
    tensors = {name: one.detach().cpu().contiguous().clone() for name, one in model.state_dict().items()}
    content = save(tensors)
    with atomic(folder / WEIGHTS) as temporary:
        temporary.write_bytes(content)


def load_weights(model: nn.Module, folder: Path) -> None:
    """Put the weights that a cell has kept into its network.

    Raises:
        InputError: there are none, the file is not whole, or they belong to another network.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise InputError(f"{folder} has no weights: run its study with study.keep=weights")
    tensors = _read(path, "delete it and run the study again")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} does not fit the network that today's code builds ({reason}); rerun=stale trains it again"
        ) from error


@torch.no_grad()
def start_from(model: nn.Module, config: Mapping[str, Any], folder: Path) -> str:
    """Give a network the weights that its config has it start from, where names and shapes agree.

    What the source does not have keeps its initial values, and what the network does not have is left.

    Args:
        model: with its initial values.
        config: frozen; `start` names a file, or a cell of the same study.
        folder: of the cell.

    Returns:
        What was taken, in a line; empty where it starts from nothing.

    Raises:
        InputError: the file is not there or not whole, or no tensor of it fits.
    """
    cell, file = source_cell(config), source_file(config)
    if cell is not None:
        path = folder.parent / cell / WEIGHTS
        missing = f"the cell that it starts from, {cell}, has kept no weights; the study's command trains it"
    elif file is not None:
        path, missing = file, f"start={file}: no such file"
    else:
        return ""
    if not path.is_file():
        raise InputError(missing)
    given = _read(path, "it is to be a file of safetensors")
    own = model.state_dict()
    fitting = {name: one for name, one in given.items() if name in own and own[name].shape == one.shape}
    if not fitting:
        raise InputError(f"start: no tensor of {path} has the name and shape of one of this network")
    for name, one in fitting.items():
        own[name].copy_(one)
    return f"starts with {len(fitting)} tensors of {path}; {len(own) - len(fitting)} of its own are as initialised"


def _read(path: Path, remedy: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is not whole ({error}); {remedy}") from error

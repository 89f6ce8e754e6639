"""The weights of a finished cell, in a file that holds tensors and nothing that runs."""

from __future__ import annotations

from pathlib import Path

from torch import nn

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
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    if not path.is_file():
        raise InputError(f"{folder} has no weights: run its study with study.keep=weights")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is not whole ({error}); delete it and run the study again") from error
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} does not fit the network that today's code builds ({reason}); rerun=stale trains it again"
        ) from error

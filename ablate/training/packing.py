"""Many small tensors as a few large ones: a checkpoint of a deep narrow network is written several times faster."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Packed = dict[str, Any]


PLAIN = ("loops", "history")  # the parts of a checkpoint that are many small numbers with names


def pack_checkpoint(checkpoint: Mapping[str, Any]) -> Packed:
    """Lightning's checkpoint in few objects.

    To pickle many numbers one by one takes longer than to write all the tensors of a small network.
    """
    return {
        **{key: value for key, value in checkpoint.items() if key not in PLAIN},
        "state_dict": pack(checkpoint["state_dict"]),
        "optimizer_states": [
            {**one, "state": pack_optimizer(one["state"])} for one in checkpoint["optimizer_states"]
        ],
        "plain": json.dumps({key: checkpoint[key] for key in PLAIN}),
    }  # fmt: skip


def unpack_checkpoint(packed: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint as Lightning made it."""
    return {
        **{key: value for key, value in packed.items() if key != "plain"},
        "state_dict": unpack(packed["state_dict"]),
        "optimizer_states": [
            {**one, "state": unpack_optimizer(one["state"])} for one in packed["optimizer_states"]
        ],
        **json.loads(packed["plain"]),
    }  # fmt: skip


def pack(tensors: Mapping[str, Tensor]) -> Packed:
    """One flat tensor for each data type, and as text the names, shapes and strides that `unpack` needs.

    Args:
        tensors: none of which is part of a graph.
    """
    # One flat tensor for each type: `cat` over types would convert, and a counter of batches (int64) lose digits.
    parts: dict[torch.dtype, list[Tensor]] = {}
    layout = []
    for name, tensor in tensors.items():
        dense = _dense(tensor)
        # In the order of memory, not of the indices: `flatten` would copy a channels_last weight.
        flat = dense if dense.dim() == 1 else dense.as_strided((dense.numel(),), (1,))
        parts.setdefault(dense.dtype, []).append(flat)
        layout.append((name, str(dense.dtype), dense.shape, dense.stride()))
    return {"layout": json.dumps(layout), "flat": {str(kind): torch.cat(found) for kind, found in parts.items()}}


def unpack(packed: Packed) -> dict[str, Tensor]:
    """The tensors by name, in their order; each lies in memory as it did.

    The kernels that update all of a parameter at once take it and the optimiser's state as they lie in memory.
    """
    tensors: dict[str, Tensor] = {}
    taken = dict.fromkeys(packed["flat"], 0)
    for name, kind, shape, strides in json.loads(packed["layout"]):
        # A view into the flat tensor: `load_state_dict` copies out of it, so that nothing is copied twice.
        size = math.prod(shape)
        tensors[name] = packed["flat"][kind].narrow(0, taken[kind], size).as_strided(shape, strides)
        taken[kind] += size
    return tensors


def _dense(tensor: Tensor) -> Tensor:
    """The tensor with its values side by side in memory: itself, unless it is part of another or spread out."""
    # These two fill their memory without gaps; any other layout may be a window into a larger tensor.
    if tensor.is_contiguous() or (tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)):
        return tensor
    return tensor.contiguous()


def pack_optimizer(state: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """An optimiser's state by parameter, its tensors packed."""
    tensors: dict[str, Tensor] = {}
    others: dict[int, dict[str, Any]] = {}
    for index, slot in state.items():
        for key, value in slot.items():
            if isinstance(value, Tensor):
                tensors[f"{index}/{key}"] = value
            else:
                others.setdefault(index, {})[key] = value
    return {"tensors": pack(tensors), "others": others}


def unpack_optimizer(packed: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """An optimiser's state by parameter, as its `load_state_dict` takes it."""
    state: dict[int, dict[str, Any]] = {index: dict(slot) for index, slot in packed["others"].items()}
    for name, tensor in unpack(packed["tensors"]).items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = tensor.clone()  # the optimiser changes it in place
    return state

"""Many small tensors as a few large ones: a checkpoint of a deep narrow network is written several times faster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Packed = dict[str, Any]


def pack(tensors: Mapping[str, Tensor]) -> Packed:
    """One flat tensor for each data type, with the names, shapes and strides that `unpack` needs."""
    names: dict[str, list[str]] = {}
    for name, tensor in tensors.items():
        names.setdefault(str(tensor.dtype), []).append(name)
    return {
        "order": list(tensors),
        "names": names,
        "shapes": {name: tuple(tensor.shape) for name, tensor in tensors.items()},
        "strides": {name: tensor.stride() for name, tensor in tensors.items()},
        "flat": {
            kind: torch.cat([tensors[name].detach().reshape(-1) for name in found]) for kind, found in names.items()
        },
    }


def unpack(packed: Packed) -> dict[str, Tensor]:
    """The tensors by name, in their order; each lies in memory as it did.

    The kernels that update all of a parameter at once take it and the optimiser's state as they lie in memory.
    """
    tensors: dict[str, Tensor] = {}
    for kind, names in packed["names"].items():
        shapes = [torch.Size(packed["shapes"][name]) for name in names]
        parts = packed["flat"][kind].split([shape.numel() for shape in shapes])
        for name, part, shape in zip(names, parts, shapes, strict=True):
            tensors[name] = _strided(part.reshape(shape), packed["strides"][name])
    return {name: tensors[name] for name in packed["order"]}


def _strided(tensor: Tensor, strides: tuple[int, ...]) -> Tensor:
    if tensor.stride() == strides:
        return tensor
    return torch.empty_strided(tensor.shape, strides, dtype=tensor.dtype, device=tensor.device).copy_(tensor)


def pack_optimizer(state: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """An optimiser's state by parameter, its tensors packed."""
    tensors = {f"{index}/{key}": value for index, slot in state.items() for key, value in _tensors(slot).items()}
    others = {
        index: {key: value for key, value in slot.items() if key not in _tensors(slot)} for index, slot in state.items()
    }
    return {"tensors": pack(tensors), "others": others}


def unpack_optimizer(packed: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """An optimiser's state by parameter, as its `load_state_dict` takes it."""
    state: dict[int, dict[str, Any]] = {index: dict(slot) for index, slot in packed["others"].items()}
    for name, tensor in unpack(packed["tensors"]).items():
        index, _, key = name.partition("/")
        state[int(index)][key] = tensor.clone()  # the optimiser changes it in place
    return state


def _tensors(slot: Mapping[str, Any]) -> dict[str, Tensor]:
    return {key: value for key, value in slot.items() if isinstance(value, Tensor)}

"""What a cell's training will take of a GPU's memory, against what autograd keeps of a real step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from ablate import free_gpu_memory
from ablate.network.memory import PROCESS_BYTES, training_memory, training_memory_of
from ablate.network.profile import MetaNetwork
from tests.cells import frozen, tiny_cell, training_of
from tests.memory import saved_bytes

OPTIONS = ("depth=14", "data.batch_size=32")


def taken(*overrides: str, tensors_of_state: int) -> int:
    """Bytes of weights, gradients and state, and of what a step on the CPU keeps; counted here."""
    model = training_of(*OPTIONS, *overrides).model.train()
    weights = sum(one.numel() * one.element_size() for one in model.parameters())
    buffers = sum(one.numel() * one.element_size() for one in model.buffers())
    images, labels = torch.randn(32, 1, 8, 8), torch.zeros(32, dtype=torch.int64)
    with saved_bytes([*model.parameters(), *model.buffers(), images, labels]) as saved:
        F.cross_entropy(model(images), labels)
    batch = images.nbytes + labels.nbytes
    return weights * (2 + tensors_of_state) + buffers + batch + sum(saved.values())


@pytest.mark.parametrize(("override", "tensors_of_state"), [("optim=sgd", 1), ("optim=adamw", 2)])
def test_a_step_is_counted_without_being_computed(override: str, tensors_of_state: int) -> None:
    estimate = MetaNetwork(tiny_cell(*OPTIONS, override).config).step_bytes
    assert estimate == pytest.approx(taken(override, tensors_of_state=tensors_of_state), rel=0.02)


def test_what_takes_less_memory_is_estimated_at_less() -> None:
    deep = ["depth=32", "width=1", "data.batch_size=128"]
    full = MetaNetwork(tiny_cell(*deep).config).step_bytes
    assert MetaNetwork(tiny_cell(*deep, "trainer.precision=bf16").config).step_bytes < 0.7 * full
    assert MetaNetwork(tiny_cell(*deep, "trainer.checkpoint_blocks=true").config).step_bytes < 0.6 * full
    assert MetaNetwork(tiny_cell(*deep, "data.batch_size=64").config).step_bytes < 0.7 * full


def test_a_process_takes_more_than_its_step(tmp_path: Path) -> None:
    cell = tiny_cell(*OPTIONS)
    assert training_memory_of(frozen(tmp_path, cell)) == MetaNetwork(cell.config).step_bytes + PROCESS_BYTES
    assert training_memory(cell.config) == training_memory({**cell.config, "seed": 7})


def test_free_memory_is_asked_of_every_gpu() -> None:
    free = free_gpu_memory()
    assert list(free) == [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    assert all(size > 0 for size in free.values())

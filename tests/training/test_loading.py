"""Which feed a data set gets, and what it is refused for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ablate import Framing, InputError, Samples, Split, Splits
from ablate.training.loading import is_resident
from tests.cells import tiny_cell

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Files(Samples):
    labels = torch.tensor([0, 1])

    def read(self, index: int, size: tuple[int, int], framing: Framing) -> Tensor:
        raise NotImplementedError


def split(samples: int = 5) -> Split:
    return Split(torch.zeros(samples, 3, 4, 4, dtype=torch.uint8), torch.zeros(samples, dtype=torch.int64))


WHOLE = Splits(split(), split(3))


@pytest.mark.parametrize(("choice", "expected"), [(None, True), (True, True), (False, False)])
def test_what_is_in_memory_is_kept_on_the_cpu_unless_it_is_not_to(choice: bool | None, expected: bool) -> None:
    assert is_resident(WHOLE, choice, CPU) is expected


@pytest.mark.parametrize("choice", [None, False])
def test_files_are_streamed(choice: bool | None) -> None:
    assert is_resident(Splits(Files(), Files()), choice, CPU) is False


def test_files_cannot_be_kept_on_the_device() -> None:
    with pytest.raises(InputError, match=r"trainer\.resident=true: .* read from files"):
        is_resident(Splits(Files(), Files()), True, CPU)


@pytest.mark.parametrize(("free", "expected"), [(2 * 8 * 48, True), (2 * 8 * 48 - 1, False)])
def test_a_gpu_keeps_what_takes_half_of_its_free_memory(
    free: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight images of 48 bytes."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
    assert is_resident(WHOLE, None, CUDA) is expected
    assert is_resident(WHOLE, True, CUDA), "what is asked for is done"


@pytest.mark.parametrize("change", [["trainer.resident=true"], ["trainer.resident=false"], ["trainer.workers=3"]])
def test_how_data_is_read_is_no_part_of_a_cell(change: list[str]) -> None:
    assert tiny_cell(*change).id == tiny_cell().id

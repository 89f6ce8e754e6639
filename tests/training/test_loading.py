"""Which feed a data set gets, and what it is refused for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ablate import DataSet, Framing, InputError, Samples, Split, Splits
from ablate.training.loading import check_splits, is_resident
from tests.cells import tiny_cell

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Coloured(DataSet):
    channels, size, classes, batch_size = 3, (4, 4), 10, 2

    def load(self) -> Splits:
        raise NotImplementedError


class Files(Samples):
    labels = torch.tensor([0, 1])

    def read(self, index: int, size: tuple[int, int], framing: Framing) -> Tensor:
        raise NotImplementedError


def split(samples: int = 5) -> Split:
    return Split(torch.zeros(samples, 3, 4, 4, dtype=torch.uint8), torch.zeros(samples, dtype=torch.int64))


WHOLE = Splits(split(), split(3))


def test_a_whole_data_set_passes() -> None:
    check_splits(Coloured(), WHOLE)
    check_splits(Coloured(), Splits(Files(), Files()))


WRONG: list[tuple[Splits, str]] = [
    (replace(WHOLE, test=split(0)), "its test split is empty"),
    (
        replace(WHOLE, train=replace(split(), images=torch.zeros(5, 1, 4, 4, dtype=torch.uint8))),
        r"its train split holds images of uint8 \(5, 1, 4, 4\) \(N, C, H, W\), not uint8 \(5, 3, 4, 4\)",
    ),
    (replace(WHOLE, train=replace(split(), images=torch.zeros(5, 3, 4, 4))), "holds images of float32"),
    (replace(WHOLE, test=replace(split(3), images=split(2).images)), r"not uint8 \(3, 3, 4, 4\)"),
    (
        replace(WHOLE, train=replace(split(), labels=torch.tensor([0, 1, 10, 2, 11]))),
        "its train split has label 10 at image 2; labels are 0 to 9",
    ),
    (replace(WHOLE, test=replace(split(3), labels=torch.tensor([0, -1, 2]))), "its test split has label -1 at image 1"),
    (
        replace(WHOLE, train=replace(split(), labels=torch.zeros(5, dtype=torch.int32))),
        r"its train split has labels of int32 \(5,\), not int64 \(N,\): a class's number for each image",
    ),
    (replace(WHOLE, test=replace(split(3), labels=torch.zeros(3, 10).long())), r"labels of int64 \(3, 10\), not int64"),
    (replace(WHOLE, test=replace(split(3), labels=[0, 1, 2])), "labels of list, not int64"),
    (replace(WHOLE, test=Files()), "one split is in memory and the other is not"),
]


@pytest.mark.parametrize(("splits", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_breaks_its_promise_is_refused_in_one_line(splits: Splits, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        check_splits(Coloured(), splits)
    assert "Coloured" in str(error.value)
    assert "\n" not in str(error.value)


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

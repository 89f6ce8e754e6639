"""Which cell starts on which device: slots, memory, cells that need a device of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate import InputError, Job, Slot
from ablate.interfaces.engine import CellPlace
from ablate.run.placement import Placement

GIB = 2**30


def placement(
    slots: list[Slot], limits: dict[str, int] | None = None, needs: dict[str, int] | None = None
) -> Placement:
    return Placement(slots, limits or {}, needs or {})


def job(name: str) -> Job:
    return Job((CellPlace(name, Path(name), Path(f"{name}.lock")),), cost=1.0)


A, B, C = map(job, "abc")
GPU, OTHER = Slot("cuda:0", 1), Slot("cuda:1", 1)


def test_a_device_takes_as_many_cells_as_it_has_slots() -> None:
    machine = placement([GPU, OTHER, GPU])
    places = []
    for one in (A, B, C):
        places.append(machine.place(one))
        machine.take(one, places[-1])
    assert places == [GPU, OTHER, GPU]
    assert machine.place(job("d")) is None
    machine.release(B, OTHER)
    assert machine.place(job("d")) == OTHER


def test_a_cell_waits_for_memory_and_a_smaller_one_goes_first() -> None:
    machine = placement([GPU, GPU], {"cuda:0": 10 * GIB}, {"a": 7 * GIB, "b": 4 * GIB, "c": 3 * GIB})
    machine.take(A, GPU)
    assert machine.place(B) is None
    assert machine.place(C) == GPU
    machine.release(A, GPU)
    assert machine.place(B) == GPU


def test_a_cell_that_must_be_alone_waits_for_an_empty_device_and_keeps_others_off() -> None:
    machine = placement([GPU, GPU, OTHER])
    machine.take(A, GPU)
    machine.take(C, OTHER)
    machine.alone.add("b")
    assert machine.place(B) is None
    machine.release(A, GPU)
    assert machine.place(B) == GPU
    machine.take(B, GPU)
    assert machine.place(A) is None
    assert machine.release(B, GPU) is False, "nothing was beside it"


def test_it_is_known_who_had_company_also_when_it_has_gone() -> None:
    machine = placement([GPU, GPU])
    machine.take(A, GPU)
    machine.take(B, GPU)
    assert machine.release(A, GPU) is True
    assert machine.release(B, GPU) is True
    machine.take(B, GPU)
    assert machine.release(B, GPU) is False


def test_a_reduced_share_is_told_in_one_line() -> None:
    machine = placement([GPU] * 4, {"cuda:0": 10 * GIB}, {"a": 4 * GIB})
    assert (
        machine.reduced(A)
        == "cells as large as a need about 4.0 GiB of GPU memory each: at a time run 2 of 4 on cuda:0"
    )
    assert placement([GPU] * 2, {"cuda:0": 10 * GIB}, {"a": 4 * GIB}).reduced(A) == ""


def test_a_cell_that_fits_on_no_device_is_refused() -> None:
    machine = placement([GPU, OTHER], {"cuda:0": 10 * GIB, "cuda:1": 8 * GIB}, {"a": 11 * GIB})
    with pytest.raises(InputError, match=r"a needs about 11\.0 GiB of GPU memory, and 10\.0 GiB are free; a smaller"):
        machine.reduced(A)

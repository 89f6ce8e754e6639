"""Networks that no memory holds are refused before anything is trained."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ablate import InputError, Slot
from ablate.__main__ import main
from ablate.network.profile import Profile
from ablate.preflight import capacity
from ablate.preflight.capacity import device_memory, refuse_too_large
from ablate.testing import make_parts

CELL: Any = SimpleNamespace(id="one", config={"backbone": {"name": "resnet"}, "width": 3.0})


def engine(*devices: str) -> Any:
    return SimpleNamespace(slots=lambda jobs, threads: [Slot(device, 1) for device in devices])


@pytest.mark.parametrize("command", [["plan"], []])
def test_a_network_beyond_this_machines_memory_is_refused(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*command, "depth=8", "width=100000"]) == 2
    error = capsys.readouterr().err
    pattern = (
        r"ablate: backbone resnet at width 100000 has [\d,]{19} parameters; with gradients and optimiser they take "
        r"[\d,]+ GB, and (this machine|cuda:0) has [\d,]+ GB; choose a smaller network\n"
    )
    assert re.fullmatch(pattern, error)
    assert list(tmp_path.iterdir()) == []


def test_describing_it_is_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "depth=8", "width=100000"]) == 0


@pytest.mark.parametrize("command", ["plan", "describe"])
def test_a_width_that_cannot_even_be_counted_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "depth=8", "width=1e9"]) == 2
    line = "ablate: width=1e+09 makes 16,000,000,000 channels in place of 16; 16,777,216 are the most\n"
    assert capsys.readouterr().err == line


def test_the_widest_network_is_as_wide_as_it_says() -> None:
    assert make_parts(width=2.0**20).scaled(16) == 2**24
    with pytest.raises(InputError, match=r"16,777,216 are the most"):
        make_parts(width=2.0**20).scaled(17)


@pytest.mark.parametrize(("params", "fits"), [(1000, True), (1001, False)])
def test_sixteen_bytes_a_parameter_are_counted(params: int, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "device_memory", lambda device: 16_000)
    networks = {"one": Profile(params, 1)}
    if fits:
        refuse_too_large([CELL], networks, engine("cpu"))
    else:
        with pytest.raises(InputError, match=r"backbone resnet at width 3 has 1,001 parameters"):
            refuse_too_large([CELL], networks, engine("cpu"))


def test_the_memory_of_a_gpu_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=16))
    assert device_memory("cuda:1") == 16
    with pytest.raises(InputError, match=r"and cuda:1 has 0 GB"):
        refuse_too_large([CELL], {"one": Profile(2, 1)}, engine("cuda:1"))


def test_what_runs_elsewhere_or_on_a_system_that_does_not_say_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = {"one": Profile(10**15, 1)}
    refuse_too_large([CELL], networks, engine())
    monkeypatch.setattr(capacity.os, "sysconf_names", {})
    assert device_memory("cpu") is None
    refuse_too_large([CELL], networks, engine("cpu"))

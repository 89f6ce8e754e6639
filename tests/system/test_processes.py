from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ablate import InputError, registry
from ablate.system import processes
from ablate.system.processes import preloaded_context, start_process
from ablate.system.quotas import cores

ROOT = Path(__file__).resolve().parents[2]


def modules(names: list[str], answer: multiprocessing.SimpleQueue) -> None:
    answer.put([name in sys.modules for name in names])


def test_a_process_starts_with_torch_lightning_and_the_data_sets_imports() -> None:
    context = preloaded_context()
    answer = context.SimpleQueue()
    names = ["torch", "pytorch_lightning", "ablate.cell.run", "ablate.plugins.data.digits", "sklearn.datasets"]
    process = context.Process(target=modules, args=(names, answer))
    process.start()
    process.join()
    assert answer.get() == [True] * len(names)


def read_already(answer: multiprocessing.SimpleQueue) -> None:
    preload = registry.lookup("data", "digits").factory.preload
    answer.put(preload.__globals__["read"].cache_info().currsize)


def test_the_server_has_read_the_embedded_digits() -> None:
    context = preloaded_context()
    answer = context.SimpleQueue()
    process = context.Process(target=read_already, args=(answer,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert answer.get() == 1


def test_starting_the_server_leaves_this_process_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    handler = signal.getsignal(signal.SIGINT)
    preloaded_context()
    assert os.environ["PYTHONPATH"] == "/somewhere"
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.parametrize("other_threads", [0, 1])
def test_an_interrupt_while_the_server_starts_is_not_lost(other_threads: int) -> None:
    """Nor is it seen too early, where a second thread that has not masked it takes the signal."""
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    over = threading.Event()
    threads = [threading.Thread(target=over.wait, daemon=True) for _ in range(other_threads)]
    for thread in threads:
        thread.start()
    try:
        with processes._interrupts_held():
            os.kill(os.getpid(), signal.SIGINT)
            assert seen == []
        assert seen == [signal.SIGINT]
    finally:
        over.set()
        signal.signal(signal.SIGINT, before)


def tell_own_number(number: int, tell: Connection) -> None:
    tell.send(number)


def test_a_process_tells_something_and_then_that_it_has_ended() -> None:
    process, here = start_process(tell_own_number, 7)
    assert here.recv() == 7
    with pytest.raises(EOFError):
        here.recv()
    process.join()
    assert process.exitcode == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (EOFError("unexpected EOF"), "it was killed, or a plugin ends it while it imports"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (OSError(24, "Too many open files"), "Too many open files"),
    ],
)
def test_a_server_that_ends_each_time_is_one_line(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def die(self: object) -> None:
        tries.append(1)
        raise error

    monkeypatch.setattr(processes, "PAUSE_S", 0.0)
    monkeypatch.setattr(type(preloaded_context().Process()), "start", die)  # type: ignore[attr-defined]
    with pytest.raises(InputError) as refused:
        start_process(tell_own_number, 7)
    assert len(tries) == 5
    assert str(refused.value) == (
        f"the process that cells are forked from ended 5 times before it had started one: {reason}"
    )


@pytest.mark.slow
def test_a_long_tmpdir_is_no_matter(tmp_path: Path) -> None:
    """Addresses of sockets have at most 107 characters, and lie in a folder of the temporary ones."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    command = [sys.executable, "-m", "ablate", "depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500"]
    command += ["trainer.resident=false", "trainer.workers=1", "runs=runs"]
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_cores_are_those_that_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    assert cores() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


PAGES = """
import resource, sys, torch
from ablate.system.processes import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()

torch.set_num_threads(1)
model = torch.nn.Sequential(*(torch.nn.Conv2d(16, 16, 3, padding=1) for _ in range(4)))
images = torch.zeros(int(sys.argv[2]), 16, 32, 32)  # each layer keeps as much, for the backward pass

def step():
    model(images).sum().backward()

for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
@pytest.mark.parametrize(
    "images",
    [pytest.param(64, id="4 MiB", marks=pytest.mark.slow), pytest.param(640, id="40 MiB", marks=pytest.mark.slow)],
)
def test_pages_of_freed_tensors_are_not_cleared_again_for_the_next_ones(images: int) -> None:
    def faults(how: str) -> int:
        command = [sys.executable, "-c", PAGES, how, str(images)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("kept") < faults("given back") / 20  # some, where the heap still grows

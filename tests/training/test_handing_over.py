"""Processes that read data: without shared memory, killed, or hanging. Training goes on, or ends with one line."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ablate import InputError, Job
from ablate.system import heartbeat
from ablate.system.heartbeat import Pulse
from ablate.testing.engine import Recorder
from ablate.training.handing_over import about_readers, check_semaphores, plain, taken
from tests.training.test_streaming import epoch, noise, same, streamed
from tests.workshops import run, workshop

__all__ = ["run", "workshop"]  # fixtures

ROOT = Path(__file__).resolve().parents[2]
STREAMED = ("trainer.resident=false", "trainer.workers=2", "trainer.epochs=3")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shared memory is left: torch says so of every tensor, in this process and in those that it forks."""

    def none_left(*args: object, **options: object) -> None:
        raise RuntimeError(
            "unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left on device (28)"
        )

    monkeypatch.setattr(Tensor, "share_memory_", none_left)
    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", none_left)
    monkeypatch.setattr(heartbeat, "_page", heartbeat._page)


@pytest.mark.parametrize("augment", ["shift", "scale_jitter", "chain"])
def test_without_shared_memory_batches_are_the_same(augment: str, full: None) -> None:
    pulse = Pulse()
    pulse.told_here()
    feed = streamed(noise(), augment, workers=2)
    for number in range(2):
        assert same(epoch(feed, number, 10), epoch(streamed(noise(), augment), number, 10))
    assert len(list(feed.evaluation_batches(feed.test))) == 1
    assert pulse.reads_by_pipe
    feed.close()


def test_with_shared_memory_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_page", heartbeat._page)
    pulse = Pulse()
    pulse.told_here()
    feed = streamed(noise(), "shift", workers=2)
    epoch(feed, 0, 10)
    assert not pulse.reads_by_pipe
    assert pulse.moved > 0
    feed.close()


def test_where_there_is_no_room_for_a_queue_the_line_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(multiprocessing, "Lock", none_left)
    with pytest.raises(InputError, match=r"\(No space left on device\).* memory \(/dev/shm\).*trainer\.workers=0"):
        check_semaphores(2)


def test_a_value_goes_through_a_pipe_as_it_is() -> None:
    import pickle

    value = [torch.arange(6).view(2, 3), {"half": torch.ones(2, dtype=torch.bfloat16)}, "text", None]
    numbers, named, text, none = pickle.loads(plain(value))
    assert torch.equal(numbers, value[0])  # type: ignore[arg-type]
    assert torch.equal(named["half"], torch.ones(2, dtype=torch.bfloat16))
    assert (text, none) == ("text", None)
    images, labels = taken((np.zeros((2, 3), dtype=np.uint8), torch.arange(2)))
    assert images.dtype == torch.uint8
    assert torch.equal(labels, torch.arange(2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DataLoader worker (pid 12) is killed by signal: Killed. ", "is killed by signal: Killed"),
        ("DataLoader worker (pid(s) 1, 2) exited unexpectedly", "exited unexpectedly"),
        ("DataLoader worker (pid 3) exited unexpectedly with exit code 9. Details are lost", "with exit code 9"),
    ],
)
def test_what_torch_says_of_a_dead_worker_is_known(text: str, said: str) -> None:
    assert said in about_readers(RuntimeError(text))
    assert about_readers(ValueError(text)) == about_readers(RuntimeError("other")) == ""


def test_a_reader_that_is_killed_is_one_line(workshop: Callable[..., list[Job]], run: Callable[..., Recorder]) -> None:
    kill = "import multiprocessing\nfor one in multiprocessing.active_children(): os.kill(one.pid, signal.SIGKILL)"
    job, _ = workshop(kill, *STREAMED)
    report = run(job, retries=1)
    assert report.whats(job) == ["started", "again", "started", "failed"], "memory may be there at the next try"
    for number, reason in enumerate(report.reasons, start=1):
        assert reason.startswith(f"process ended with code 1 in attempt {number}; its log ends: a process that reads ")
        assert reason.endswith("trainer.workers=0 reads in the cell's own process")


@pytest.mark.slow
def test_a_reader_that_makes_no_progress_is_one_line(
    workshop: Callable[..., list[Job]], run: Callable[..., Recorder]
) -> None:
    stop = "import multiprocessing\nfor one in multiprocessing.active_children(): os.kill(one.pid, signal.SIGSTOP)"
    job, _ = workshop(stop, *STREAMED)
    (reason,) = run(job, cell_timeout=3.0).reasons
    assert reason.startswith("cut in attempt 1; its log ends: no step for ")
    assert "; it waits for the processes that read its data; it stood in " in reason
    assert "engine.cell_timeout" in reason


# with a small /dev/shm, as containers have it; needs root


def has_own_mounts() -> bool:
    try:
        return subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not has_own_mounts(), reason="mounts a /dev/shm of its own, as root, by unshare")
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("size=1m", 0, "shared memory is full: batches of data go through pipes"),
        ("size=64m,ro", 1, "trainer.workers=0 reads without"),
    ],
)
def test_a_small_shared_memory_trains_or_is_named(options: str, code: int, said: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for split, count in (("train", 160), ("val", 3)):
        for name in "ab":
            folder = tmp_path / "many" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
                image.fromarray(pixels).save(folder / f"{number}.png")
    command = (
        f"mount -t tmpfs -o {options} tmpfs /dev/shm && exec {sys.executable} -m ablate depth=8 width=0.25 "
        "trainer.epochs=1 data=imagefolder data.classes=2 data.root=many augment=resized_crop trainer.workers=1 "
        "data.size=160 data.resize=160 data.batch_size=30"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=200,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert said in " ".join((done.stdout + done.stderr).split())
    assert len(list(tmp_path.rglob("result.json"))) == 1 - code

"""Cells as processes: slots, retries, what is left when they are stopped."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from ablate import InputError, Job, Slot, cores, registry
from ablate.config.compose import prepare
from ablate.run import scheduling
from ablate.run.process import is_taken
from ablate.run.results import read_result
from ablate.run.scheduling import run_jobs
from ablate.study.plan import plan_study
from ablate.testing.engine import Recorder, has_result
from tests.cells import TINY, job_of, last_wins, tiny_cell

QUICK = ("trainer.epochs=1", "data.batch_size=500")


def engine(**options: Any) -> Any:
    prepare()
    return registry.build("engine", {"name": "local", **options})


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks often, so that what a test does to a cell comes before the cell's end."""
    monkeypatch.setattr(scheduling, "POLL_SECONDS", 0.02)


def run(jobs: list[Job], report: Recorder | None = None, **options: Any) -> Recorder:
    """Let the engine run jobs; gives what was told."""
    report = report or Recorder()
    run_jobs(engine(**options), jobs, report, has_result)
    return report


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Job]:
    def make(*overrides: str, cost: float = 1.0) -> Job:
        return job_of(tmp_path / "runs", tiny_cell(*QUICK, *overrides), cost=cost)

    return make


def log_of(job: Job) -> str:
    return (job.folder / "log.txt").read_text()


def test_all_cells_are_trained_the_longest_first(job: Callable[..., Job]) -> None:
    jobs = [job(f"seed={seed}", cost=cost) for seed, cost in enumerate([2.0, 3.0, 1.0])]
    report = run(jobs, slots=1)
    order = [jobs[1].id, jobs[0].id, jobs[2].id]
    assert report.told == [(what, one) for one in order for what in ("started", "ended")]
    assert all(read_result(one.folder / "result.json")["status"] == "done" for one in jobs)


def test_no_more_cells_than_slots_run_at_a_time(job: Callable[..., Job]) -> None:
    jobs = [job(f"seed={seed}") for seed in range(4)]
    report = run(jobs, slots=2)
    running = [
        sum({"started": 1, "ended": -1}[what] for what, _ in report.told[:n]) for n in range(len(report.told) + 1)
    ]
    assert max(running) == 2
    assert running[-1] == 0


def test_a_cell_may_read_its_data_in_processes_of_its_own(tmp_path: Path) -> None:
    found = []
    for n, how in enumerate([(), ("trainer.resident=false", "trainer.workers=2")]):
        one = job_of(tmp_path / str(n), tiny_cell(*QUICK, *how))
        report = run([one], slots=1, retries=0)
        assert report.reasons == []
        metrics = read_result(one.folder / "result.json")["metrics"]
        found.append({name: value for name, value in metrics.items() if name != "seconds"})
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("options", "jobs", "threads", "slots"),
    [
        ({"slots": 1}, 1, 3, 1),
        ({"slots": 4 * cores()}, 4 * cores(), 1, 4 * cores()),
        ({}, 1, 1, 1),
        ({}, 10_000, 1, cores()),
        ({}, 10_000, cores(), 1),
        ({}, 10_000, 4 * cores(), 1),
        ({"slots": 2}, 10_000, 4 * cores(), 2),
    ],
)
def test_the_cores_are_shared_out_among_the_slots(options: dict[str, Any], jobs: int, threads: int, slots: int) -> None:
    """As many as have room for the threads of a cell, each with its share of the cores."""
    assert engine(**options).slots(jobs, threads) == [Slot("cpu", max(1, cores() // slots))] * slots


def test_a_cell_has_its_own_threads_whatever_the_slots(job: Callable[..., Job]) -> None:
    one = job("trainer.threads=3")
    run([one], slots=1)
    assert log_of(one).endswith("on cpu, 3 threads\n")


def test_the_threads_are_no_option_of_the_engine_any_more() -> None:
    with pytest.raises(InputError, match=r"engine\.threads.*trainer\.threads"):
        plan_study([*TINY, "engine.threads=1"])


@pytest.mark.parametrize(
    ("gpus", "options", "jobs", "devices"),
    [
        (0, {"slots": 3}, 9, ["cpu"] * 3),
        (0, {"slots": 3}, 2, ["cpu"] * 2),
        (0, {}, 10_000, ["cpu"] * cores()),
        (2, {}, 9, ["cuda:0", "cuda:1"]),
        (2, {}, 1, ["cuda:0"]),
        (2, {"cells_per_gpu": 2}, 9, ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]),
        (4, {"slots": 2}, 9, ["cuda:0", "cuda:1"]),
        (2, {"slots": 5}, 9, ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]),
    ],
)
def test_slots_share_out_the_gpus(
    gpus: int, options: dict[str, Any], jobs: int, devices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    local = engine(**options)
    monkeypatch.setattr(type(local), "gpus", lambda self: gpus)
    assert [slot.device for slot in local.slots(jobs)] == devices


def test_torch_is_asked_for_gpus_only_where_there_may_be_some(monkeypatch: pytest.MonkeyPatch) -> None:
    local = engine()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    for may, gpus in ((True, 3), (False, 0)):
        monkeypatch.setattr(f"{type(local).__module__}.may_have_gpus", lambda may=may: may)
        assert local.gpus() == gpus


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cells_that_share_a_gpu(job: Callable[..., Job]) -> None:
    jobs = [job(f"seed={seed}") for seed in range(2)]
    run(jobs, cells_per_gpu=2)
    names = [read_result(one.folder / "result.json")["device"] for one in jobs]
    assert names == [torch.cuda.get_device_name(0)] * 2


@pytest.mark.parametrize(("option", "value"), [("slots", 0), ("cells_per_gpu", 0), ("retries", -1)])
def test_options_that_make_no_sense_are_refused(option: str, value: int) -> None:
    with pytest.raises(InputError, match=rf"engine\.{option}={value}: must be at least {value + 1}"):
        engine(**{option: value})


# cells whose process dies


@pytest.mark.parametrize("value", [0, -1, -0.5, float("nan"), float("-inf")])
def test_a_timeout_that_makes_no_sense_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=rf"^engine\.cell_timeout={value:g}: must be more than 0 seconds; null for "):
        engine(cell_timeout=value)


@pytest.mark.parametrize("value", [None, 0.5, 3600, float("inf")])
def test_a_timeout_is_an_option(value: float | None) -> None:
    assert engine(cell_timeout=value).cell_timeout == value


def children() -> list[Any]:
    return multiprocessing.active_children()


def test_a_killed_cell_goes_on_from_its_checkpoint_and_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    cell = tiny_cell("trainer.epochs=40", "data.batch_size=500", "shortcut=dropout")
    job, undisturbed = job_of(tmp_path / "one", cell), job_of(tmp_path / "other", cell)
    killed_at: list[int] = []

    def kill_once() -> None:
        if not killed_at and (job.folder / "last.ckpt").exists():
            killed_at.append(len((job.folder / "history.csv").read_text().splitlines()) - 1)
            (child,) = children()
            child.kill()

    report = Recorder(kill_once)
    run([job], report, slots=1)
    report.on_tick = lambda: None
    run([undisturbed], report, slots=1)

    assert report.whats(job) == ["started", "again", "started", "ended", "started", "ended"]
    assert report.reasons[0].startswith("killed by signal 9 (Killed) in attempt 1; its log ends: ")
    assert 1 <= killed_at[0] < 40
    frames = [pd.read_csv(one.folder / "history.csv").drop(columns="seconds") for one in (job, undisturbed)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[Job]]]:
    """A folder with an augmentation of one's own; gives a job that uses it, and a healthy one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()

    def make(draw: str) -> list[Job]:
        (tmp_path / "plugins" / "mine.py").write_text(
            "import os, signal, time\n"
            "from ablate import Augment, register\n\n"
            "@register('augment', 'mine')\n"
            "class Mine(Augment):\n"
            "    def draw(self, samples, generator):\n"
            f"        {draw}\n"
            "    def apply(self, images, choices):\n"
            "        return images\n"
        )
        cells = [plan_study(last_wins(*TINY, *QUICK, *more)).cells[0] for more in (["augment=mine"], [])]
        return [job_of(tmp_path / "runs", cell, cost=cost) for cell, cost in zip(cells, (2.0, 1.0), strict=True)]

    with registry.isolated():
        yield make


@pytest.mark.parametrize(
    ("draw", "ending"),
    [
        ("os.kill(os.getpid(), 9)", "killed by signal 9 (Killed)"),
        ("raise ValueError('no such thing')", "process ended with code 1"),
    ],
)
def test_a_cell_that_always_dies_has_failed_and_the_others_end(
    draw: str, ending: str, workshop: Callable[[str], list[Job]]
) -> None:
    bad, good = workshop(f"print('last words', flush=True); {draw}")
    report = run([bad, good], slots=1)
    assert report.whats(bad) == ["started", "again", "started", "failed"]
    assert report.whats(good) == ["started", "ended"]
    first, last = report.reasons
    assert first.startswith(f"{ending} in attempt 1; its log ends: ")
    assert last.startswith(f"{ending} in attempt 2; its log ends: ")
    assert "last words" in last or "ValueError: no such thing" in last
    assert "\n" not in last


def test_a_cell_whose_input_is_wrong_is_not_tried_again(workshop: Callable[[str], list[Job]]) -> None:
    bad, _ = workshop("from ablate import InputError; raise InputError('no such thing')")
    report = run([bad], slots=1)
    assert report.whats(bad) == ["started", "failed"]
    assert report.reasons == ["refused its input in attempt 1; its log ends: no such thing"]


@pytest.mark.parametrize("retries", [0, 2])
def test_a_cell_is_tried_again_as_often_as_told(retries: int, workshop: Callable[[str], list[Job]]) -> None:
    bad, _ = workshop("os._exit(7)")
    report = run([bad], slots=1, retries=retries)
    assert report.whats(bad) == ["started", "again"] * retries + ["started", "failed"]


# being stopped


def test_an_interrupt_leaves_no_process_no_lock_and_no_half_file(tmp_path: Path) -> None:
    jobs = [job_of(tmp_path, tiny_cell("trainer.epochs=2000", f"seed={seed}")) for seed in range(3)]

    def interrupt() -> None:
        if sum((job.folder / "last.ckpt").exists() for job in jobs) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(jobs, Recorder(interrupt), slots=2)
    assert children() == []
    assert not any(is_taken(job) for job in jobs)
    left = {path.name for job in jobs for path in job.folder.iterdir()}
    assert left == {"cell.yaml", "history.csv", "last.ckpt", "log.txt"}


def test_a_process_that_will_not_stop_is_killed(
    workshop: Callable[[str], list[Job]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deaf, _ = workshop("signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w').close(); time.sleep(600)")
    monkeypatch.setattr(scheduling, "GRACE_SECONDS", 0.2)

    def interrupt() -> None:
        if (tmp_path / "deaf").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([deaf], Recorder(interrupt), slots=1)
    assert children() == []


# cells that run out of GPU memory; what raises that is simulated, on slots that share one device

OUT_OF_MEMORY = "raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')"


def test_a_cell_that_runs_out_of_memory_beside_others_is_started_again_alone(
    workshop: Callable[[str], list[Job]], tmp_path: Path
) -> None:
    first = tmp_path / "first"
    bad, good = workshop(
        f"import torch, pathlib; first = pathlib.Path({str(first)!r})\n        "
        f"if not first.exists(): first.touch(); {OUT_OF_MEMORY}"
    )
    report = run([bad, good], slots=2, retries=0)
    assert report.whats(bad) == ["started", "again", "started", "ended"]
    assert report.whats(good) == ["started", "ended"]
    assert report.reasons == ["out of memory beside other cells on cpu; next it has the device to itself"]
    again = max(place for place, told in enumerate(report.told) if told == ("started", bad.id))
    assert report.told.index(("ended", good.id)) < again, "the device was empty by then"


def test_a_cell_that_runs_out_of_memory_alone_has_failed_at_once(workshop: Callable[[str], list[Job]]) -> None:
    bad, good = workshop(f"import torch; {OUT_OF_MEMORY}")
    report = run([bad, good], slots=1, retries=2)
    assert report.whats(bad) == ["started", "failed"]
    assert report.whats(good) == ["started", "ended"]
    (reason,) = report.reasons
    assert reason.startswith("out of memory with the device to itself in attempt 1; its log ends: ")
    assert "CUDA out of memory. Tried to allocate 2.00 GiB." in reason


@pytest.mark.parametrize("text", ["CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x"])
def test_libraries_have_errors_of_their_own_for_it(text: str, workshop: Callable[[str], list[Job]]) -> None:
    bad, _ = workshop(f"raise RuntimeError({text!r})")
    report = run([bad], slots=1)
    assert report.reasons[0].startswith("out of memory with the device to itself")

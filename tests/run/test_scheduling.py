"""What is done for every job whatever the engine, with one that starts nothing: its jobs end as a test tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from ablate import InputError
from ablate.interfaces.engine import Attempt, CellPlace, Ending, Engine, Job, Slot
from ablate.run import scheduling
from ablate.run.scheduling import run_jobs
from ablate.testing.engine import Recorder
from tests.cells import job_of, tiny_cell

GIB = 2**30


class Told(Attempt):
    """Ends when it is looked at for the second time, with a code that was told beforehand; None: never by itself."""

    def __init__(self, code: int | None, log: Path, words: str) -> None:
        self.code = code
        self.looks = 0
        self.asked: list[str] = []
        with log.open("a") as file:
            file.write(f"2026-01-02 03:04:05 on cpu, 1 threads\n{words}\n")

    def ending(self) -> int | None:
        self.looks += 1
        return self.code if self.looks > 1 else None

    def stop(self) -> None:
        self.asked.append("stop")

    def kill(self) -> None:
        self.asked.append("kill")


class Fake(Engine):
    """Its attempts end in this process, by the codes that stand for a cell in `codes`, then DONE."""

    def __init__(self, *devices: str, retries: int = 1, limits: dict[str, int] | None = None) -> None:
        self.places = [Slot(device, 1) for device in devices or ("cpu",)]
        self.retries = retries
        self.memory = limits or {}
        self.codes: dict[str, list[int | None]] = {}
        self.attempts: list[Told] = []
        self.where: list[tuple[str, str]] = []
        self.asked: list[tuple[int, int]] = []
        self.words, self.notes = "last words", list[str]()

    def start(self, job: Job, slot: Slot) -> Attempt:
        left = self.codes.get(job.id, [])
        code = left.pop(0) if left else Ending.DONE
        if code == Ending.DONE:
            finish(job)
        self.where.append((job.id, slot.device))
        self.attempts.append(Told(code, job.folder / "log.txt", self.words))
        self.attempts[-1].notes = self.notes
        return self.attempts[-1]

    def slots(self, jobs: int, threads: int = 1) -> list[Slot]:
        self.asked.append((jobs, threads))
        return self.places

    def limits(self, slots: Sequence[Slot]) -> dict[str, int]:
        return self.memory


def finish(job: Job) -> None:
    (job.folder / "result.json").touch()


def is_done(job: Job) -> bool:
    return (job.folder / "result.json").exists()


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(scheduling, "GRACE_SECONDS", 0.01)


Jobs = Callable[..., list[Job]]


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    """Makes jobs of one cell each; the last one costs most."""

    def make(*names: str, threads: int = 1) -> list[Job]:
        for name in names:
            (tmp_path / name).mkdir()
        places = [CellPlace(name, tmp_path / name, tmp_path / f"{name}.lock") for name in names]
        return [Job((place,), cost=float(cost), threads=threads) for cost, place in enumerate(places)]

    return make


def run(engine: Fake, jobs: Sequence[Job], report: Recorder | None = None) -> Recorder:
    report = report or Recorder()
    run_jobs(engine, jobs, report, is_done)
    return report


def test_the_longest_job_starts_first_and_no_more_run_than_there_are_slots(jobs: Jobs) -> None:
    report = run(Fake(), jobs("a", "b", "c"))
    assert report.told == [(what, name) for name in "cba" for what in ("started", "ended")]
    assert report.ticks > 0


def test_slots_are_asked_for_with_the_threads_of_the_largest_job(jobs: Jobs) -> None:
    engine = Fake()
    run(engine, [*jobs("a"), *jobs("b", "c", threads=3)])
    assert engine.asked == [(3, 3)]


def test_slots_are_all_used_and_used_again(jobs: Jobs) -> None:
    engine = Fake("cuda:0", "cuda:1")
    report = run(engine, jobs("a", "b", "c", "d"))
    assert {name for name, _ in engine.where} == set("abcd")
    assert [device for _, device in engine.where[:2]] == ["cuda:0", "cuda:1"]
    steps = [{"started": 1, "ended": -1}[what] for what, _ in report.told]
    assert max(sum(steps[:n]) for n in range(len(steps) + 1)) == 2


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_job_is_tried_again_as_often_as_the_engine_says(retries: int, jobs: Jobs) -> None:
    bad, good = jobs("bad", "good")
    engine = Fake(retries=retries)
    engine.codes["bad"] = [Ending.FAILED] * 9
    report = run(engine, [bad, good])
    assert report.whats(bad) == ["started", "again"] * retries + ["started", "failed"]
    assert report.whats(good) == ["started", "ended"]
    words = [f"process ended with code 1 in attempt {n + 1}; its log ends: last words" for n in range(retries + 1)]
    assert report.reasons == words


def test_a_job_that_succeeds_at_its_second_try_has_ended(jobs: Jobs) -> None:
    (job,) = jobs("a")
    engine = Fake()
    engine.codes["a"] = [-9]
    report = run(engine, [job])
    assert report.whats(job) == ["started", "again", "started", "ended"]
    assert report.reasons == ["killed by signal 9 (Killed) in attempt 1; its log ends: last words"]


def test_a_process_that_says_done_and_leaves_no_result_has_failed(jobs: Jobs) -> None:
    (job,) = jobs("a")
    engine = Fake(retries=0)
    engine.codes["a"] = [Ending.DONE]
    report = Recorder()
    run_jobs(engine, [job], report, lambda one: False)
    assert report.whats(job) == ["started", "failed"]
    assert report.reasons == ["process ended with code 0 in attempt 1; its log ends: last words"]


@pytest.mark.parametrize(
    ("code", "words"),
    [(Ending.REFUSED, "refused its input"), (Ending.OUT_OF_MEMORY, "out of memory with the device to itself")],
)
def test_what_would_end_the_same_is_not_tried_again(code: Ending, words: str, jobs: Jobs) -> None:
    (job,) = jobs("a")
    engine = Fake(retries=3)
    engine.codes["a"] = [code]
    report = run(engine, [job])
    assert report.whats(job) == ["started", "failed"]
    assert report.reasons == [f"{words} in attempt 1; its log ends: last words"]


def test_a_job_out_of_memory_beside_others_gets_the_device_to_itself(jobs: Jobs) -> None:
    bad, good = jobs("bad", "good")
    engine = Fake("cuda:0", "cuda:0", retries=0)
    engine.codes["bad"] = [Ending.OUT_OF_MEMORY]
    report = run(engine, [bad, good])
    assert report.whats(bad) == ["started", "again", "started", "ended"]
    assert report.reasons == ["out of memory beside other cells on cuda:0; next it has the device to itself"]
    again = max(place for place, told in enumerate(report.told) if told == ("started", "bad"))
    assert report.told.index(("ended", "good")) < again, "the device was empty by then"


def test_a_job_that_another_study_ends_meanwhile_is_not_started(jobs: Jobs) -> None:
    theirs, own = jobs("theirs", "own")
    finish(theirs)
    report = run(Fake(), [theirs, own])
    assert report.whats(theirs) == ["ended"]
    assert report.whats(own) == ["started", "ended"]


def test_a_job_that_another_study_trains_is_waited_for_and_the_others_go_on(jobs: Jobs) -> None:
    own, theirs = jobs("own", "theirs")  # theirs costs more
    lock = FileLock(theirs.cells[0].lock, thread_local=False)
    lock.acquire()

    def release_after_the_other() -> None:
        if report.whats(own) == ["started", "ended"] and lock.is_locked:
            finish(theirs)
            lock.release()

    report = Recorder(release_after_the_other)
    run(Fake(), [own, theirs], report)
    assert report.told == [("started", "own"), ("ended", "own"), ("ended", "theirs")]


def test_a_job_that_another_study_gave_up_is_trained_here(jobs: Jobs) -> None:
    (job,) = jobs("a")
    lock = FileLock(job.cells[0].lock, thread_local=False)
    lock.acquire()
    report = Recorder()
    report.on_tick = lambda: lock.release() if report.ticks == 3 else None
    run(Fake(), [job], report)
    assert report.whats(job) == ["started", "ended"]
    assert report.ticks > 3


def test_a_job_waits_for_all_its_cells_that_others_train(jobs: Jobs) -> None:
    one, other = jobs("one", "other")
    job = Job((*one.cells, *other.cells), cost=1.0)
    lock = FileLock(other.cells[0].lock, thread_local=False)
    lock.acquire()
    report = Recorder()
    report.on_tick = lambda: lock.release() if report.ticks == 3 else None
    run(Fake(), [job], report)
    assert report.ticks > 3
    assert report.told == [("started", "one"), ("ended", "one")]


def test_a_job_that_finds_its_cell_taken_waits_and_that_is_no_attempt(jobs: Jobs) -> None:
    (job,) = jobs("a")
    engine = Fake(retries=0)
    engine.codes["a"] = [Ending.BUSY, Ending.BUSY]
    report = run(engine, [job])
    assert report.whats(job) == ["started", "started", "started", "ended"]
    assert report.reasons == []


def test_an_interrupt_asks_what_runs_to_stop_and_then_ends_it(jobs: Jobs) -> None:
    engine = Fake("cpu", "cpu")
    engine.codes = {name: [None] for name in "abc"}

    def interrupt() -> None:
        if len(engine.attempts) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(engine, jobs("a", "b", "c"), Recorder(interrupt))
    assert [one.asked for one in engine.attempts] == [["stop", "kill"]] * 2


def test_an_engine_that_cannot_start_a_job_ends_the_study_and_what_runs(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Fake("cpu", "cpu")
    engine.codes = {"b": [None]}
    start = engine.start

    def refuse(job: Job, slot: Slot) -> Attempt:
        if job.id == "a":
            raise InputError("no such queue")
        return start(job, slot)

    monkeypatch.setattr(engine, "start", refuse)
    with pytest.raises(InputError, match=r"^no such queue$"):
        run(engine, jobs("a", "b"))
    assert [one.asked for one in engine.attempts] == [["stop", "kill"]]


def test_a_cell_that_was_cut_has_tried_once_and_its_reason_is_the_last_line_of_its_log(jobs: Jobs) -> None:
    (job,) = jobs("a")
    engine = Fake(retries=1)
    engine.codes["a"] = [Ending.CUT, Ending.CUT]
    engine.words = "first words\nno step for 600 s"
    report = run(engine, [job])
    assert report.whats(job) == ["started", "again", "started", "failed"]
    assert report.reasons == [f"cut in attempt {n}; its log ends: no step for 600 s" for n in (1, 2)]


def test_what_several_cells_have_to_say_is_said_once(jobs: Jobs) -> None:
    engine, report = Fake(), Noted()
    engine.notes = ["shared memory is full", "and so on"]
    run(engine, jobs("a", "b", "c"), report)
    assert report.notes == ["shared memory is full", "and so on"]


# memory, by the estimate for tiny cells: about 1 GiB each


@pytest.fixture
def cells(tmp_path: Path) -> list[Job]:
    made = [job_of(tmp_path, tiny_cell("trainer.epochs=1", "data.batch_size=500", f"seed={n}")) for n in range(3)]
    for job in made:
        job.folder.mkdir(exist_ok=True)
    return made


class Noted(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_jobs_that_do_not_fit_together_run_one_after_the_other(cells: list[Job]) -> None:
    report = Noted()
    run(Fake("cuda:0", "cuda:0", limits={"cuda:0": 3 * GIB // 2}), cells, report)
    assert [what for what, _ in report.told] == ["started", "ended"] * 3
    (note,) = report.notes
    assert "need about 1.0 GiB of GPU memory each: at a time run 1 of 2 on cuda:0" in note


def test_jobs_that_fit_together_run_together_and_nothing_is_noted(cells: list[Job]) -> None:
    report = Noted()
    run(Fake("cuda:0", "cuda:0", limits={"cuda:0": 5 * GIB // 2}), cells, report)
    assert [what for what, _ in report.told][:2] == ["started", "started"]
    assert report.notes == []


def test_several_cells_of_one_job_need_the_memory_of_all(cells: list[Job]) -> None:
    side_by_side = Job(tuple(place for job in cells for place in job.cells), cost=1.0)
    report = Recorder()
    with pytest.raises(InputError, match=r"needs about 3\.0 GiB of GPU memory, and 2\.5 GiB are free"):
        run(Fake("cuda:0", limits={"cuda:0": 5 * GIB // 2}), [side_by_side], report)
    assert report.told == []


def test_a_job_that_fits_nowhere_is_refused_before_any_is_started(cells: list[Job]) -> None:
    report = Recorder()
    with pytest.raises(InputError, match=r"needs about 1\.0 GiB of GPU memory, and 0\.5 GiB are free"):
        run(Fake("cuda:0", limits={"cuda:0": GIB // 2}), cells, report)
    assert report.told == []

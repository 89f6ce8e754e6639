"""Cells that hang, end their own process, leave others behind, or print without end: the study goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablate import Job
from ablate.interfaces.engine import Ending, Slot
from ablate.run import process as worker
from ablate.run.process import is_taken
from ablate.system.process_tree import is_visible
from ablate.system.processes import preloaded_context, start_process
from ablate.testing.engine import Recorder
from tests.workshops import LINE

Workshop = Callable[..., list[Job]]
Run = Callable[..., Recorder]

PATIENT_S = 3.0  # longer than a cell takes from its start to its first step, also where all cores are busy

needs_proc = pytest.mark.skipif(not is_visible(), reason="looks for processes in /proc")


def until(condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# hanging


@pytest.mark.parametrize(
    "hangs",
    [
        "time.sleep(600)",
        pytest.param("while True: pass", marks=pytest.mark.slow),
        pytest.param("threading.Event().wait()", marks=pytest.mark.slow),
        # Holds the interpreter: no thread of the process could do anything.
        pytest.param(
            "lock, one = ctypes.PyDLL(None).pthread_mutex_lock, ctypes.create_string_buffer(64); lock(one); lock(one)",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); time.sleep(600)", marks=pytest.mark.slow
        ),
    ],
)
def test_a_cell_that_hangs_is_cut_and_it_is_said_where_it_stood(
    hangs: str, workshop: Workshop, run: Run, tmp_path: Path
) -> None:
    bad, good = workshop(hangs)
    report = run(bad, good, cell_timeout=PATIENT_S)
    assert report.whats(bad) == ["started", "failed"]
    assert report.whats(good) == ["started", "ended"]
    (reason,) = report.reasons
    assert reason.startswith("cut in attempt 1; its log ends: no step for ")
    assert f"it stood in draw ({tmp_path}/plugins/mine.py line {LINE})" in reason
    assert reason.endswith("; engine.cell_timeout sets how long a cell is given")
    assert "\n" not in reason


@pytest.mark.slow
def test_a_cell_that_takes_its_steps_is_not_cut(workshop: Workshop, run: Run) -> None:
    # In all far longer than it is given; each epoch is shorter.
    slow, _ = workshop("time.sleep(1)", "trainer.epochs=4")
    assert run(slow, cell_timeout=PATIENT_S).whats(slow) == ["started", "ended"]


def test_a_cell_that_is_cut_goes_on_from_its_checkpoint(workshop: Workshop, run: Run) -> None:
    once = "if Path('last.ckpt').exists() or list(Path('runs').rglob('last.ckpt')) and not Path('hung').exists():\n"
    job, _ = workshop(f"{once}    Path('hung').touch(); time.sleep(600)", "trainer.epochs=3")
    report = run(job, cell_timeout=PATIENT_S, retries=1)
    assert report.whats(job) == ["started", "again", "started", "ended"]
    assert len((job.folder / "history.csv").read_text().splitlines()) == 4


# a plugin that ends the process


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        *((f"sys.exit({code})", f"SystemExit: {code}") for code in (0, 1, int(Ending.BUSY), int(Ending.REFUSED))),
        ("sys.exit()", "SystemExit"),
        ("raise SystemExit('no more')", "SystemExit: no more"),
        ("os._exit(0)", "os._exit(0)"),
        ("os._exit(75)", "os._exit(75)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_a_plugin_that_ends_the_process_has_failed_and_is_named(
    ends: str, words: str, workshop: Workshop, run: Run, tmp_path: Path
) -> None:
    bad, _ = workshop(ends)
    report = run(bad, retries=1)
    assert report.whats(bad) == ["started", "again", "started", "failed"]
    said = f"a plugin ends the process, by {words} ({tmp_path}/plugins/mine.py line {LINE})"
    assert report.reasons[-1] == f"process ended with code 1 in attempt 2; its log ends: {said}"


@pytest.mark.parametrize("code", [0, int(Ending.BUSY), int(Ending.REFUSED)])
def test_compiled_code_that_ends_the_process_is_no_ending(code: int, workshop: Workshop, run: Run) -> None:
    bad, _ = workshop(f"posix._exit({code})")
    report = run(bad, retries=1)
    assert report.whats(bad) == ["started", "again", "started", "failed"]
    assert f"a plugin or a library has ended the process, with code {code}" in report.reasons[0]


def test_a_plugin_may_fork_and_end_what_it_forked(workshop: Workshop, run: Run) -> None:
    job, _ = workshop("child = os.fork()\nif not child: os._exit(3)\nassert os.waitpid(child, 0)[1] == 3 << 8")
    assert run(job).whats(job) == ["started", "ended"]


# what a plugin leaves behind


def test_a_thread_that_is_no_daemon_keeps_no_slot(workshop: Workshop, run: Run) -> None:
    threaded, good = workshop("threading.Thread(target=time.sleep, args=(600,)).start()")
    report = run(threaded, good)
    assert report.told == [(what, job.id) for job in (threaded, good) for what in ("started", "ended")]


LEAVES = {
    "fork": "pid = os.fork()\nif not pid: time.sleep(600)\nPath('pid').write_text(str(pid))",
    "daemon": "if not os.fork():\n    os.setsid()\n    if os.fork(): os._exit(0)\n    signal.signal(signal.SIGTERM, "
    "signal.SIG_IGN)\n    Path('pid').write_text(str(os.getpid())); time.sleep(600)\n"
    "while not Path('pid').exists(): time.sleep(0.01)",
    "command": "pid = subprocess.Popen(['sleep', '600'], start_new_session=True).pid; Path('pid').write_text(str(pid))",
}
ENDS = {
    "well": "",
    "badly": "raise ValueError('no')",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "cut": "time.sleep(600)",
}


@needs_proc
@pytest.mark.parametrize("ends", [pytest.param(one, marks=[pytest.mark.slow] if one == "cut" else []) for one in ENDS])
@pytest.mark.parametrize(
    "leaves", ["fork", *(pytest.param(one, marks=pytest.mark.slow) for one in ("daemon", "command"))]
)
def test_what_a_cell_has_started_ends_with_it(
    leaves: str, ends: str, workshop: Workshop, run: Run, tmp_path: Path
) -> None:
    job, _ = workshop(f"{LEAVES[leaves]}\n{ENDS[ends]}")
    report = run(job, cell_timeout=PATIENT_S)
    assert report.whats(job) == ["started", "ended" if ends == "well" else "failed"]
    assert not is_alive(int((tmp_path / "pid").read_text()))
    assert not is_taken(job)


def study_that_dies(job: Job, how: int, tell: object) -> None:
    start_process(worker.work, job, Slot("cpu", 1), os.getcwd(), None)
    until((Path("pid")).exists)
    os.kill(os.getpid(), how)


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("leaves", LEAVES)
def test_what_a_cell_has_started_ends_with_a_study_that_is_killed(
    leaves: str, workshop: Workshop, tmp_path: Path
) -> None:
    job, _ = workshop(f"{LEAVES[leaves]}\ntime.sleep(600)")
    study, _ = start_process(study_that_dies, job, signal.SIGKILL)
    study.join(60)
    assert study.exitcode == -signal.SIGKILL
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not is_alive(pid))
    until(lambda: not is_taken(job))


@needs_proc
@pytest.mark.slow
def test_processes_that_read_data_end_with_a_study_that_is_killed(workshop: Workshop, tmp_path: Path) -> None:
    options = ("trainer.resident=false", "trainer.workers=2", "trainer.epochs=2000")
    job, _ = workshop("Path('pid').write_text(str(os.getpid()))", *options)
    study, _ = start_process(study_that_dies, job, signal.SIGKILL)
    study.join(60)
    left = int((tmp_path / "pid").read_text())
    until(lambda: not is_alive(left))
    until(lambda: not is_taken(job))  # readers hold the lock, too, as long as they live


# the server that cells are forked from


def server() -> int:
    preloaded_context()
    pid = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    assert isinstance(pid, int)
    return pid


@pytest.fixture
def others_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Other tests get a server that knows nothing of this one's plugins."""
    here = Path.cwd()
    yield
    os.chdir(tmp_path_factory.mktemp("empty"))
    before = server()
    os.kill(before, signal.SIGKILL)
    until(lambda: server() != before)
    os.chdir(here)


@pytest.mark.usefixtures("others_server")
@pytest.mark.slow
def test_a_server_that_is_killed_is_started_again_and_what_runs_goes_on(workshop: Workshop, run: Run) -> None:
    killed: list[int] = []

    def kill_once() -> None:
        if not killed and (first.folder / "history.csv").exists():
            killed.append(server())
            os.kill(killed[0], signal.SIGKILL)

    first, second = workshop("time.sleep(0.3)", "trainer.epochs=3")
    report = run(first, second, report=Recorder(kill_once))
    assert killed
    assert report.told == [(what, job.id) for job in (first, second) for what in ("started", "ended")]


@pytest.mark.usefixtures("others_server")
@pytest.mark.slow
def test_a_server_that_is_killed_while_it_imports_is_started_again(workshop: Workshop, run: Run) -> None:
    job, _ = workshop("pass")
    os.kill(server(), signal.SIGKILL)
    os.kill(until_new(), signal.SIGKILL)  # it has just been started, and imports
    assert run(job).whats(job) == ["started", "ended"]


def until_new() -> int:
    before = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    until(lambda: server() != before)
    return server()

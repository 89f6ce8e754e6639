"""The process of one cell, for any engine: its log, its lock, its end with the study's."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from datetime import datetime
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from ablate.errors import InputError
from ablate.interfaces.engine import CellPlace, Ending, Job, Slot
from ablate.measure.asked import Asked
from ablate.run.store import Store
from ablate.study.record import CellRecord
from ablate.system.files import read_yaml, sweep
from ablate.system.processes import keep_freed_memory

STOPPED = 128 + signal.SIGTERM
LOG = "log.txt"
LOG_TAIL_LINES = 5
START = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d on \S+, \d+ threads")
MARKS = re.compile(r"[\s^~]+")  # what Python draws below a line of a traceback
LOCK_PATIENCE_S = 1.0  # other studies hold a lock for an instant to see whether it is free


def work(job: Job, slot: Slot, cwd: str) -> None:
    """Train the cells of a job and exit with an `Ending`; the target of a process that ends with the study's.

    Args:
        job: the cells.
        slot: the device, and the share of the cores.
        cwd: the study's working directory, where its own plugins lie.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the study decides what stops
    signal.signal(signal.SIGTERM, _stop)
    os.chdir(cwd)
    # Before anything that takes long: a study killed in these moments would leave a process that trains for nobody.
    _die_with_parent()
    try:
        _log_to(job.folder / LOG)
    except OSError:
        sys.exit(Ending.FAILED)  # the study cannot write there either, and says so
    quieten_lightning()
    print(f"{datetime.now():%Y-%m-%d %H:%M:%S} on {slot.device}, {job.threads} threads", flush=True)
    sys.exit(attempt(job, slot))


def attempt(job: Job, slot: Slot) -> Ending:
    """Train the cells of a job in this process, one after the other; those that have a result are skipped.

    Returns:
        How it ended; errors are printed to stderr.
    """
    for cell in job.cells:
        ending = _attempt(cell, job, slot)
        if ending is not Ending.DONE:
            return ending
    return Ending.DONE


def _attempt(cell: CellPlace, job: Job, slot: Slot) -> Ending:
    import torch

    try:
        with FileLock(cell.lock, timeout=LOCK_PATIENCE_S):
            if (task := _task(cell)) is not None:
                # Under the lock nobody else writes here: every temporary file is one of a process that was killed.
                sweep(cell.folder)
                torch.set_num_threads(job.threads)
                keep_freed_memory()
                task(cell.folder, slot.device, cores=slot.cores)
        return Ending.DONE
    except Timeout:
        return Ending.BUSY
    except InputError as error:
        print(error, file=sys.stderr)
        return Ending.REFUSED
    # Not BaseException: the SystemExit of SIGTERM has to pass, and lets go of the lock on its way.
    except Exception as error:
        traceback.print_exc()
        return Ending.OUT_OF_MEMORY if _is_out_of_memory(error) else Ending.FAILED


def _is_out_of_memory(error: Exception) -> bool:
    """Of the GPU: told by torch's allocator, by CUDA, or by a library that got no workspace."""
    import torch

    signs = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in signs)


def is_taken(job: Job) -> bool:
    """Whether some process trains a cell of this job right now."""
    for cell in job.cells:
        try:
            with FileLock(cell.lock, blocking=False):
                pass
        except Timeout:
            return True
    return False


def log_tail(folder: Path) -> str:
    """The last lines that a cell's last process printed, for the reason of a failure."""
    try:
        text = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"no log ({error.strerror})"
    lines = [line.strip() for line in text.splitlines() if not MARKS.fullmatch(line) and line.strip()]
    starts = [place for place, line in enumerate(lines) if START.fullmatch(line)]
    # Of the last process only: earlier ones have written to the same file.
    last = lines[starts[-1] + 1 :] if starts else lines
    return " | ".join(last[-LOG_TAIL_LINES:]) or "nothing printed"


def _task(cell: CellPlace) -> Callable[..., object] | None:
    """What is to be done, if anything.

    Asked under the lock: another study may have ended the cell since this process was started.
    """
    from ablate.cell.besides import measure_cell
    from ablate.cell.run import run_cell

    content = read_yaml(cell.folder / "cell.yaml", code=str, config=dict)
    if content.get("measure"):
        return measure_cell
    asked = Asked.of(content["config"], content.get("keep", ())).alone()
    found = Store.of(cell.folder).find(CellRecord(cell.id, "", {}, 0), content["code"], asked)
    return run_cell if found is None or asked.lacking(found.folder, found.result) else None


def _stop(number: int, frame: FrameType | None) -> None:
    """End as an exception does, so that no half-written file stays."""
    sys.exit(STOPPED)


def _log_to(path: Path) -> None:
    """Send everything that the process prints, also from compiled code, to the cell's log."""
    # Appended: what an earlier attempt said before it was killed is worth reading.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def quieten_lightning() -> None:
    """Silence Lightning's tips, and its own use of deprecated functions: neither says anything of the cell."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning, module="pytorch_lightning")


def _die_with_parent() -> None:
    """End at once when the study's process is gone: nobody else would free this slot."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        # Not `sys.exit`, which in a thread ends the thread alone.
        os._exit(Ending.FAILED)

    threading.Thread(target=watch, daemon=True).start()

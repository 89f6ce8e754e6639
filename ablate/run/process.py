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
from datetime import datetime
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from ablate.errors import InputError
from ablate.interfaces.run import Job
from ablate.run.store import Store
from ablate.system.files import read_yaml, sweep
from ablate.system.processes import keep_freed_memory

# Exit codes: EX_TEMPFAIL, EX_CONFIG and EX_OSERR of sysexits.h.
DONE, FAILED, BUSY, REFUSED, OUT_OF_MEMORY = 0, 1, 75, 78, 71
STOPPED = 128 + signal.SIGTERM
LOG = "log.txt"
LOG_TAIL_LINES = 5
START = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d on \S+, \d+ threads")
MARKS = re.compile(r"[\s^~]+")  # what Python draws below a line of a traceback
LOCK_PATIENCE_S = 1.0  # other studies hold a lock for an instant to see whether it is free


def work(job: Job, device: str, threads: int, cwd: str) -> None:
    """Train a cell and exit, with the error in the log where it does not end.

    The exit code is `DONE`, `FAILED`, `REFUSED` when the input is wrong and another try would end the same,
    `OUT_OF_MEMORY`, or `BUSY` when another process has it.

    Args:
        job: the cell.
        device: such as `cpu` or `cuda:1`.
        threads: CPU threads for this cell.
        cwd: the study's working directory, where its own plugins lie.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the study decides what stops
    signal.signal(signal.SIGTERM, _stop)
    os.chdir(cwd)
    _die_with_parent()
    try:
        _log_to(job.folder / LOG)
    except OSError:
        sys.exit(FAILED)  # the study cannot write there either, and says so
    quieten_lightning()
    print(f"{datetime.now():%Y-%m-%d %H:%M:%S} on {device}, {threads} threads", flush=True)
    sys.exit(attempt(job, device, threads))


def attempt(job: Job, device: str, threads: int) -> int:
    """Train a cell in this process and return its exit code."""
    import torch

    from ablate.cell.run import run_cell

    try:
        with FileLock(job.lock, timeout=LOCK_PATIENCE_S):
            if not _is_finished(job):
                sweep(job.folder)
                torch.set_num_threads(threads)
                keep_freed_memory()
                run_cell(job.folder, device)
        return DONE
    except Timeout:
        return BUSY
    except InputError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except Exception as error:
        traceback.print_exc()
        if _is_out_of_memory(error):
            return OUT_OF_MEMORY
    return FAILED


def _is_out_of_memory(error: Exception) -> bool:
    """Of the GPU: told by torch's allocator, by CUDA, or by a library that got no workspace."""
    import torch

    signs = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in signs)


def is_taken(job: Job) -> bool:
    """Whether some process trains this cell right now."""
    try:
        with FileLock(job.lock, blocking=False):
            return False
    except Timeout:
        return True


def log_tail(folder: Path) -> str:
    """The last lines that a cell's last process printed, for the reason of a failure."""
    try:
        text = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"no log ({error.strerror})"
    lines = [line.strip() for line in text.splitlines() if not MARKS.fullmatch(line) and line.strip()]
    starts = [place for place, line in enumerate(lines) if START.fullmatch(line)]
    last = lines[starts[-1] + 1 :] if starts else lines
    return " | ".join(last[-LOG_TAIL_LINES:]) or "nothing printed"


def _is_finished(job: Job) -> bool:
    """Asked under the lock: another study may have ended the cell since this process was started."""
    code = read_yaml(job.folder / "cell.yaml", code=str)["code"]
    return Store.of(job.folder).result(job.id, code) is not None


def _stop(number: int, frame: FrameType | None) -> None:
    """End as an exception does, so that no half-written file stays."""
    sys.exit(STOPPED)


def _log_to(path: Path) -> None:
    """Send everything that the process prints, also from compiled code, to the cell's log."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def quieten_lightning() -> None:
    """Its tips and notices say nothing of the cell, and what it uses that is deprecated is its own affair."""
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
        os._exit(FAILED)

    threading.Thread(target=watch, daemon=True).start()

"""The process of one cell, for any engine: its log, its lock, its end with the study's."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import Connection

from ablate.errors import AblateError, InputError
from ablate.interfaces.engine import CellPlace, Ending, Job, Slot
from ablate.measure.asked import Asked
from ablate.run.keeping import Keeper, Stopped, exit_with
from ablate.run.logs import LOG, Log
from ablate.run.patience import Patience
from ablate.run.store import Store
from ablate.study.record import CellRecord
from ablate.system.exits import ended_by_plugin, guard_exit
from ablate.system.files import read_yaml, sweep
from ablate.system.locks import Busy, locked
from ablate.system.processes import keep_freed_memory
from ablate.system.text import REASON, bounded, in_words

LOCK_PATIENCE_S = 1.0  # other studies hold a lock for an instant to see whether it is free


def work(job: Job, slot: Slot, cwd: str, cell_timeout: float | None = None, tell: Connection | None = None) -> None:
    """Train the cells of a job in a process that is kept, and exit as it did; the target of an engine's process.

    What they print goes to the log of the job. They are cut when they hang, end when the process that has started this
    one does, and leave no process behind; SIGTERM lets them end in order.

    Args:
        job: the cells.
        slot: the device, and the share of the cores.
        cwd: the study's working directory, where its own plugins lie.
        cell_timeout: seconds without progress after which they are cut; None: the default rule (`Engine.cell_timeout`).
        tell: where to send how it ended, besides this process's exit code, and what the user should know of it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the study decides what stops
    try:
        log = Log(job.folder / LOG)
    except OSError:
        sys.exit(Ending.FAILED)  # the study cannot write there either, and says so
    for stream in (1, 2):
        os.dup2(log.fileno(), stream)
    log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} on {slot.device}, {job.threads} threads\n".encode())
    try:
        os.chdir(cwd)
    except OSError as error:  # its own plugins lie there
        log.write(f"the working folder {cwd} cannot be entered: {error.strerror}\n".encode())
        sys.exit(Ending.REFUSED)
    keeper = Keeper(log, Patience(cell_timeout))

    def train() -> Ending:
        if tell is not None:
            tell.close()  # who is forked from here on must not look like the keeper
        guard_exit()
        quieten_lightning()
        return attempt(job, slot)

    code = keeper.keep(train)
    if tell is not None:
        with suppress(OSError):
            tell.send((code, keeper.notes()))
    exit_with(code)


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

    from ablate.training.handing_over import about_readers

    try:
        with locked(cell.lock, LOCK_PATIENCE_S):
            if (task := _task(cell)) is not None:
                # Under the lock nobody else writes here: every temporary file is one of a process that was killed.
                sweep(cell.folder)
                torch.set_num_threads(job.threads)
                keep_freed_memory()
                task(cell.folder, slot.device, cores=slot.cores)
        return Ending.DONE
    except Busy:
        return Ending.BUSY
    except InputError as error:
        _say(str(error))
        return Ending.REFUSED
    except AblateError as error:
        _say(str(error))
        return Ending.FAILED
    except Stopped:
        raise  # lets go of the lock on its way
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None  # which Lightning answers so
        if not (line := ended_by_plugin(error)):
            raise
        _say(line)
        return Ending.FAILED  # whatever code it names: that is no `Ending`
    except Exception as error:
        if line := about_readers(error):
            _say(line)
            return Ending.FAILED
        traceback.print_exc()
        if len(text := in_words(error)) > REASON:
            print(bounded(text), file=sys.stderr)  # the end of the log, and of the reason, is where it begins, too
        return Ending.OUT_OF_MEMORY if _is_out_of_memory(error) else Ending.FAILED


def _say(text: str) -> None:
    """Print what the reason of a failure is to end with: of a very long text, once more with its middle left out."""
    for one in dict.fromkeys([text, bounded(text)]):
        print(one, file=sys.stderr)


def _is_out_of_memory(error: Exception) -> bool:
    """Of the GPU: told by torch's allocator, by CUDA, or by a library that got no workspace."""
    import torch

    signs = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(sign in in_words(error) for sign in signs)


def is_taken(job: Job) -> bool:
    """Whether some process trains a cell of this job right now.

    Raises:
        InputError: the file system of the store has no locks.
    """
    for cell in job.cells:
        try:
            with locked(cell.lock, 0):
                pass
        except Busy:
            return True
    return False


def _task(cell: CellPlace) -> Callable[..., object] | None:
    """What is to be done, if anything.

    Asked under the lock: another study may have ended the cell since this process was started.
    """
    from ablate.cell.besides import measure_cell
    from ablate.cell.run import run_cell

    if not (cell.folder / "cell.yaml").exists():
        # No wrong input: whoever starts the next attempt freezes the cell anew.
        raise AblateError(f"{cell.folder} was removed")
    content = read_yaml(cell.folder / "cell.yaml", code=str, config=dict)
    if content.get("measure"):
        return measure_cell
    asked = Asked.of(content["config"], content.get("keep", ())).alone()
    found = Store.of(cell.folder).find(CellRecord(cell.id, "", {}, 0), content["code"], asked)
    return run_cell if found is None or asked.lacking(found.folder, found.result) else None


def quieten_lightning() -> None:
    """Silence Lightning's tips, and its own use of deprecated functions: neither says anything of the cell."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning, module="pytorch_lightning")

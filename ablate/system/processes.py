"""Processes that start with torch and Lightning imported."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker, util
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from ablate.errors import InputError
from ablate.system.paths import PACKAGE

DECIDES_NUMBERS = False

PRELOAD = "ablate.run.preload"
# To start a process: each try may find that somebody has killed the server, or that it is dying, which takes a moment.
TRIES, PAUSE_S = 5, 0.3
# Of an address of a socket, 107 characters are allowed, and its folder's name and its own take 40.
LONGEST_TMPDIR, SHORT_TMPDIR = 60, "/tmp"

# Options of glibc's mallopt, from malloc.h: no block has a mapping of its own (M_MMAP_MAX, -4), all come from the heap,
# of which M_TRIM_THRESHOLD (-1) bytes may lie free at its end, and which grows by M_TOP_PAD (-2) at a time.
MALLOC = {-4: 0, -1: 2**31 - 1, -2: 2**26}


def preloaded_context() -> BaseContext:
    """A context whose processes are forked from a server with the imports done (spawned where there is no fork).

    The first call starts the server and returns at once; the imports go on beside the caller.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    _keep_addresses_short()
    # The server is a fresh Python that must find this package, also in a checkout that is not installed.
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    resource_tracker.ensure_running()  # by itself, since it lets interrupts through when it has started
    with _environment("PYTHONPATH", path), _interrupts_held():
        forkserver.ensure_running()
    return context


def start_process(target: Callable[..., None], *args: Any, daemon: bool = False) -> tuple[BaseProcess, Connection]:
    """Start a process that is forked from the server; one that was killed is started again.

    Args:
        target: called with `args` and, last, with the end of a pipe to tell something through.
        args: that can be pickled.
        daemon: it is ended with this process, and may have no processes of its own.

    Returns:
        The process, and the end of the pipe to hear it by. It is at its end (EOFError) when the process has ended.

    Raises:
        InputError: no process can be started, or the server ends each time while it imports.
    """
    reason = ""
    for _ in range(TRIES):
        context = preloaded_context()
        here, there = context.Pipe(duplex=False)
        process: BaseProcess = context.Process(target=target, args=(*args, there), daemon=daemon)  # type: ignore[attr-defined]
        try:
            process.start()
        except (EOFError, OSError) as error:  # the server has ended before it answered
            here.close()
            reason = getattr(error, "strerror", None) or "it was killed, or a plugin ends it while it imports"
            time.sleep(PAUSE_S)
            continue
        finally:
            # With its end open here, too, who hears would wait for ever for a process that has died.
            there.close()
        return process, here
    raise InputError(f"the process that cells are forked from ended {TRIES} times before it had started one: {reason}")


def _keep_addresses_short() -> None:
    """Let sockets between processes have a folder whose path is not too long for an address, where TMPDIR is.

    Children inherit it: those that read data have such sockets, too.
    """
    if len(tempfile.gettempdir()) > LONGEST_TMPDIR and "tempdir" not in multiprocessing.current_process()._config:  # type: ignore[attr-defined]
        before = tempfile.tempdir
        tempfile.tempdir = SHORT_TMPDIR
        try:
            util.get_temp_dir()  # makes it, once, and removes it with this process
        finally:
            tempfile.tempdir = before


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A variable of the environment, set for the processes that are started inside."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started inside never see Ctrl-C, this one sees it afterwards.

    A server that is interrupted while it imports would print a traceback. The mask of this thread is what such a
    process inherits; another thread of this process may still take the signal, so it is kept for later besides.
    """
    held: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()  # no other thread may set or run handlers
    handler = signal.signal(signal.SIGINT, lambda number, frame: held.append(number)) if in_main else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        # In this order: a signal that waited is delivered as the mask goes, to `held`, and is raised once more below
        # for the handler of before.
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if in_main:
            signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(signal.SIGINT)


def keep_freed_memory() -> None:
    """Let this process keep the memory that tensors free, for the tensors of the next step.

    By default glibc hands large blocks back to the system, which then has to clear every page of them anew: a fifth of
    the time of a ResNet-20's step on a CPU. Where another C library is in use, nothing is changed.
    """
    library = ctypes.CDLL(None) if os.name == "posix" else None
    if library is None or not hasattr(library, "mallopt"):
        return
    for option, value in MALLOC.items():
        library.mallopt(option, value)


def processor() -> str:
    """The name of the CPU, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()

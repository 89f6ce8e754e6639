"""Who keeps a cell's process: takes its output, ends it with the study, cuts it when it hangs, leaves nothing of it.

The keeper is the process that an engine starts; it forks the one that trains, and computes nothing itself. A thread
beside training could do none of this: a plugin may hold the interpreter for ever, end the process, or fork.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from ablate.interfaces.engine import Ending
from ablate.run.logs import Log
from ablate.run.patience import Patience, stood_in
from ablate.system import heartbeat
from ablate.system.exits import ended_by_plugin
from ablate.system.heartbeat import Pulse
from ablate.system.process_tree import (
    Used,
    adopt_orphans,
    descendants,
    end_with_parent,
    kill_descendants,
    reap,
    used_by,
)

STOPPED = 128 + signal.SIGTERM
# Asks a keeper to end its cell at once. None of those that schedulers send as a warning.
KILL_NOW = signal.SIGRTMIN if sys.platform == "linux" else signal.SIGUSR2
DUMP = signal.SIGQUIT  # asks a cell's processes to write to its log what they are doing
DUMP_S = 2.0  # at most, for that
BY_PIPE = (
    "shared memory is full: batches of data go through pipes, which takes longer; a larger /dev/shm (docker run "
    "--shm-size=1g) or trainer.workers=0 does without"
)
READ, READS = 2**16, 64  # bytes of output that are taken at a time, and how often before all else has its turn


class Keeper:
    """Runs a function in a process of its own and keeps it.

    Args:
        log: takes all that the process and those that it starts print.
        patience: decides when it is cut.
    """

    def __init__(self, log: Log, patience: Patience) -> None:
        self.log, self.patience = log, patience
        self.pulse = Pulse()
        self._stopped = self._kill = False
        self._code: int | None = None  # of the process, once it has ended
        self._dump = b""  # what it printed when it was asked what it is doing

    def keep(self, train: Callable[[], int]) -> int:
        """Let the function run; returns how it ended, when nothing of it is left.

        Args:
            train: returns an exit code.

        Returns:
            An `Ending`, `STOPPED`, or minus the number of the signal that has ended the process.
        """
        adopt_orphans()
        output, its_output = os.pipe()
        woken, wake = os.pipe()
        for end in (output, woken, wake):
            os.set_blocking(end, False)
        # Before the fork, so that none is lost; held until each of the two processes has its own answer to them.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, KILL_NOW})
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(KILL_NOW, self._end)
        keeper = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            try:
                signal.set_wakeup_fd(-1)
                for end in (output, woken, wake):
                    os.close(end)
                _be_kept(train, self.pulse, its_output, keeper, held)
            finally:
                os._exit(Ending.FAILED)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        os.close(its_output)
        self._watch(output, woken)
        kill_descendants()
        self._take(output)
        return self._ending()

    def notes(self) -> list[str]:
        """What the user should know of how it went, a line each."""
        return [BY_PIPE] if self.pulse.reads_by_pipe else []

    def _watch(self, output: int, woken: int) -> None:
        """Until the process has ended, or is to be."""
        parent = multiprocessing.parent_process()
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            if parent is not None:
                selector.register(parent.sentinel, selectors.EVENT_READ)
            look = time.monotonic()
            while self._code is None and not self._kill:
                ready = {key.fd for key, _ in selector.select(max(0.0, look - time.monotonic()))}
                if woken in ready:
                    with suppress(BlockingIOError):
                        os.read(woken, READ)
                    self._code = reap().get(self._pid)
                if output in ready and not self._take(output):
                    selector.unregister(output)  # it has closed all its output, and goes on
                if parent is not None and parent.sentinel in ready:
                    return  # nobody else would free this slot
                if time.monotonic() >= look:
                    if self._code is None and self.patience.is_over(self.pulse, self._used):
                        self._ask_what_it_does(output)
                        return
                    look = time.monotonic() + self.patience.interval(self.pulse.slowest)

    def _used(self) -> Used:
        # Of all that it has started, as what was orphaned counts for this process; not of this process.
        return used_by(descendants(os.getpid()))

    def _ask_what_it_does(self, output: int) -> None:
        """Let its processes write their stacks to the log: first the one that trains, then those that it started."""
        self._dump = self._stacks_of([self._pid], output)
        self._stacks_of([pid for pid in descendants(os.getpid()) if pid != self._pid], output)

    def _stacks_of(self, pids: Sequence[int], output: int) -> bytes:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, DUMP)
        deadline = time.monotonic() + (DUMP_S if pids else 0.0)
        text = b""
        while time.monotonic() < deadline:
            time.sleep(DUMP_S / 10)
            if not (more := self._read(output)):
                break
            text += more
        return text

    def _take(self, output: int) -> bool:
        """Write to the log what was printed; False where nothing more can come."""
        return self._read(output) is not None

    def _read(self, output: int) -> bytes | None:
        """What was printed, which is in the log by now; None where nothing more can come."""
        text = b""
        # Not until there is no more: one that prints without end must not keep this process from everything else.
        for _ in range(READS):
            try:
                part = os.read(output, READ)
            except BlockingIOError:
                break
            if not part:
                return text or None
            self.log.write(part)
            text += part
        return text

    def _ending(self) -> int:
        if self.patience.cut:
            where = stood_in(self._dump.decode(errors="replace"))
            self._say(f"{self.patience.cut}{where}; engine.cell_timeout sets how long a cell is given")
            return Ending.CUT
        if self._code is not None and self._code < 0 and not self._stopped:
            return self._code
        told = self.pulse.code
        if told is not None:
            return told
        if self._stopped or self._kill or self._code is None:
            return STOPPED
        self._say(f"a plugin or a library has ended the process, with code {self._code}, by os._exit or its like")
        return Ending.FAILED

    def _say(self, line: str) -> None:
        self.log.write(f"{line}\n".encode())

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Let it end as an exception does, so that no half-written file stays."""
        self._stopped = True
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._kill = True


class Stopped(SystemExit):
    """A cell's process was asked to end; no plugin's own `sys.exit`."""


def _be_kept(train: Callable[[], int], pulse: Pulse, output: int, keeper: int, mask: Iterable[int]) -> NoReturn:
    """What the process does that is kept: everything that it prints goes to `output`, also from compiled code."""
    code: int = Ending.FAILED
    try:
        end_with_parent()
        if os.getppid() != keeper:
            os._exit(code)  # it ended before it could be known that this one is to end with it
        pulse.told_here()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(KILL_NOW, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, _stop)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(output)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        faulthandler.register(DUMP, file=2, all_threads=True)
        code = train()
    except Stopped:
        code = STOPPED
    except BaseException as error:
        if line := ended_by_plugin(error):
            print(line, file=sys.stderr)
        else:
            traceback.print_exc()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        heartbeat.ends_with(code)
        # At once: a thread that a plugin has started would else keep the slot for as long as it likes.
        os._exit(code)


def exit_with(code: int) -> NoReturn:
    """End this process with a code, or by the signal whose number it is, with a minus."""
    if code < 0:
        # Without a second image of memory: who was ended by it first has left the one that there is to look at.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would cut short what the first has begun to tidy up
    raise Stopped(STOPPED)

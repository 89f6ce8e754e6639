"""Processes of the bench, like those that cells have. None of them outlives what it was started for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from ablate.errors import AblateError
from ablate.system.processes import start_process


@contextmanager
def started(target: Callable[..., None], *args: Any) -> Iterator[Connection]:
    """A process that is waited for when the block ends, and killed where an interrupt or an error ends it.

    Args:
        target: called with `args` and, last, the end of a pipe to tell something through.
        args: that can be pickled.

    Returns:
        The end of the pipe to hear it by (`hear`).
    """
    process, here = start_process(target, *args)
    try:
        yield here
    except BaseException:
        process.kill()  # nothing of it is to be left tidy
        raise
    finally:
        process.join()
        here.close()


def hear(pipe: Connection) -> Any:
    """What a process tells next.

    Raises:
        AblateError: it has ended instead.
    """
    try:
        return pipe.recv()
    except EOFError:
        raise AblateError("a process of the bench ended early; what it printed stands above") from None

"""Plugins that end the process: `sys.exit`, `os._exit`, a KeyboardInterrupt of their own. Each is told as an error."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from ablate.errors import InputError
from ablate.system.text import in_words

DECIDES_NUMBERS = False

# Modules that hold plugins, and packages whose modules do; whoever imports or registers a plugin adds its own.
PLUGINS = {"ablate.plugins"}


class Ended(SystemExit):
    """What `os._exit` raises in a plugin."""


def ended_by_plugin(error: BaseException) -> str:
    """What to say of an exception that would end the process, where a plugin has raised it; else nothing."""
    place = plugin_line(error)
    return f"a plugin ends the process, by {exit_in_words(error)} ({place})" if place else ""


def plugin_line(error: BaseException) -> str:
    """The file and line of a plugin that is nearest to where an exception was raised; empty where there is none."""
    one: BaseException | None = error
    seen: list[BaseException] = []
    while one is not None and one not in seen:  # a chain may lead back into itself
        seen.append(one)
        found = [f"{file} line {line}" for file, line, module in _frames(one.__traceback__) if is_plugin(module)]
        if found:
            return found[-1]
        one = one.__context__  # Lightning answers a KeyboardInterrupt with `sys.exit`
    return ""


def is_plugin(module: str) -> bool:
    """Whether a module is a plugin, or one that plugins of its folder import."""
    return any(module == one or module.startswith(f"{one}.") for one in PLUGINS)


@contextmanager
def ends_told() -> Iterator[None]:
    """Turn what would end the process into an error, where a plugin has raised it.

    Raises:
        InputError: names the plugin's file and line.
    """
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and (line := ended_by_plugin(error)):
            raise InputError(line) from error
        raise


def guard_exit() -> None:
    """Let `os._exit` raise `Ended` where a plugin calls it in this process's main thread: else nobody could tell of it.

    In processes that a plugin forks it ends them as ever.
    """
    process, end = os.getpid(), getattr(os._exit, "of_the_system", os._exit)

    def guarded(status: int) -> None:
        frame = sys._getframe(1) if threading.current_thread() is threading.main_thread() else None
        if frame is not None and os.getpid() == process and is_plugin(str(frame.f_globals.get("__name__"))):
            raise Ended(f"os._exit({status})")
        end(status)

    guarded.of_the_system = end  # type: ignore[attr-defined]
    os._exit = guarded  # type: ignore[assignment]


def exit_in_words(error: BaseException) -> str:
    """What was called or raised, as a plugin has it."""
    if isinstance(error, Ended):
        return str(error)
    return in_words(error)


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, int, str]]:
    while traceback is not None:
        frame = traceback.tb_frame
        yield frame.f_code.co_filename, traceback.tb_lineno, str(frame.f_globals.get("__name__"))
        traceback = traceback.tb_next

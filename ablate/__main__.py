"""The command line: `python -m ablate [VERB] [overrides]`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from ablate.system.interrupts import (  # little is imported before signals are answered
    INTERRUPTED,
    Interrupts,
    end_process,
)
from ablate.system.output import OutputLost, watched_output

WRONG = 2

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code; an error that a user can mend is one line on stderr."""
    arguments = sys.argv[1:] if argv is None else argv
    interrupts = Interrupts("".join(arguments[:1]))
    try:
        interrupts.listen()
        with watched_output():
            return _run(arguments, interrupts)
    except OutputLost as lost:
        return lost.tell()
    except (Exception, KeyboardInterrupt):
        if not interrupts.seen:
            raise
        interrupts.tell()
        return INTERRUPTED


def cli() -> NoReturn:
    """The console script `ablate`."""
    end_process(main())


def _run(arguments: Sequence[str], interrupts: Interrupts) -> int:
    from ablate.cli.commands import dispatch
    from ablate.errors import AblateError
    from ablate.system.exits import ends_told, guard_exit

    guard_exit()
    try:
        with ends_told():
            dispatch(arguments)
    except AblateError as error:
        if interrupts.seen:
            raise  # an import that was cut short looks like a broken plugin
        _tell(str(error))
        return error.exit_code
    except (OSError, MemoryError) as error:
        from ablate.system.machine import in_one_line

        if interrupts.seen or not (line := in_one_line(error)):
            raise
        _tell(line)
        return WRONG
    return 0


def _tell(text: str) -> None:
    """Print the error that is being handled as one line, or as a traceback where that is asked for."""
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        import traceback

        traceback.print_exc()
    else:
        from ablate.system.text import ERROR, bounded, printable

        line = " ".join(f"ablate: {text}".split("\n"))
        print(printable(bounded(line, ERROR)), file=sys.stderr)


if __name__ == "__main__":
    cli()

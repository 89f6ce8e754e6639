"""The command line: `python -m ablate [VERB] [overrides]`."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code; an error that a user can mend is one line on stderr."""
    from ablate.commands import dispatch
    from ablate.errors import AblateError

    arguments = sys.argv[1:] if argv is None else argv
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        dispatch(arguments)
    except AblateError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exc()
        else:
            print(f"ablate: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("ablate: interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    return 0


def cli() -> NoReturn:
    """The console script `ablate`."""
    sys.exit(main())


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A scheduler's SIGTERM stops a study as cleanly as Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    cli()

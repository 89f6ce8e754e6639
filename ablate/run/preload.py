"""What a cell's process imports, for a forkserver to import once: a cell forked from it starts in milliseconds.

Nothing is computed here: a thread pool or a CUDA context made now would not survive the fork.
"""

import importlib
import warnings
from contextlib import suppress

import ablate.cell.run
import ablate.run.process  # noqa: F401
from ablate.cell.loaded import remember
from ablate.errors import InputError
from ablate.registry.discovery import import_all
from ablate.registry.registration import entries


def _prepare_for_data() -> None:
    """What data sets import or read late, so that a study with nothing to train need not wait for it."""
    for entry in entries("data"):
        for module in getattr(entry.factory, "imports", ()):
            with suppress(ImportError):  # an extra that is not installed; a cell that needs it says so
                importlib.import_module(module)
        # A cell that needs the data reads it again, and says what is wrong.
        with suppress(Exception, SystemExit, KeyboardInterrupt):
            getattr(entry.factory, "preload", lambda: None)()


# Of a library of one of the data sets, where there is no shared memory; what it does in parallel is not used here.
warnings.filterwarnings("ignore", message=".*joblib will operate in serial mode")
# The study has imported the same plugins and reports a broken one; a cell that needs it fails with the reason.
with suppress(InputError, KeyboardInterrupt):
    import_all()
_prepare_for_data()
remember()

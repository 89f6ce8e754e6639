"""This side of the process that talks to wandb."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._stored import plain, redacted

# What names one run of somebody's script is not for the runs of a study.
OF_ONE_RUN = (
    "WANDB_RUN_ID", "WANDB_RESUME", "WANDB_NAME", "WANDB_RUN_GROUP", "WANDB_JOB_TYPE", "WANDB_TAGS", "WANDB_NOTES",
    "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_CONFIG_PATHS", "WANDB_SERVICE",
)  # fmt: skip
SWEEP = ("WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_RUN_ID")


class Unanswered(ConnectionError):
    """wandb could not do what it was asked for; says why."""


class Client:
    """Starts the process, and asks it.

    Args:
        keep: variables of the environment that it shall see of those that name one run.
        patience_s: how long an answer may take.
    """

    def __init__(self, keep: tuple[str, ...], patience_s: float) -> None:
        self.patience_s = patience_s
        environment = {name: value for name, value in os.environ.items() if name in keep or name not in OF_ONE_RUN}
        environment.setdefault("WANDB_ERROR_REPORTING", "false")
        self._folder = tempfile.mkdtemp(prefix="ablate-wandb-")
        self._process = subprocess.Popen(
            # `-P`: beside the file lie modules that are called as those that it imports.
            [sys.executable, "-P", str(Path(__file__).with_name("_wandb_process.py")), self._folder],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # an interrupt of the study lets it end what is open
        )
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="answers of wandb", daemon=True)
        self._reader.start()

    def ask(self, do: str, **given: Any) -> Mapping[str, Any]:
        """What it answers.

        Raises:
            Unanswered: it failed, or has not answered in time; then it is ended.
        """
        assert self._process.stdin
        try:
            left = json.dumps({"do": do, **_as_utf8(given)}, default=str).encode() + b"\n"
            while left:
                left = left[self._process.stdin.write(left) :]
            line = self._answers.get(timeout=self.patience_s + 15)  # its own patience ends first
        except OSError:
            line = b""
        except queue.Empty:
            self.end()
            raise Unanswered(f"wandb has not answered in {self.patience_s:g} s") from None
        if not line:
            self.end()
            raise Unanswered("the process that talks to wandb has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Unanswered(redacted(answer["error"]))
        return answer

    def end(self) -> None:
        """End it, whatever it does."""
        assert self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # at which it removes its files
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        shutil.rmtree(self._folder, ignore_errors=True)  # where it was killed

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as answers:
            for line in answers:
                self._answers.put(line)
        self._answers.put(b"")


def _as_utf8(value: Any) -> Any:
    """A value whose texts UTF-8 takes: wandb would fail where it does not, as in the name of a file."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {plain(str(key)): _as_utf8(one) for key, one in value.items()}
    return [_as_utf8(one) for one in value] if isinstance(value, list | tuple) else value

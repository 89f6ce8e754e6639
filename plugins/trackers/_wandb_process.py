"""The process that talks to wandb, run by its path: a line of JSON for each request, and one for each answer.

Its argument is a temporary folder for files of runs, which it removes when it ends by itself.

wandb keeps a service process, threads, exit hooks and variables of the environment for the process that imports it, may
wait for hours when that ends, and raises where its service dies. All of that stays here, apart from the process that
trains: this one can be killed at any time, and ends by itself with the one that started it.

Imports nothing of ablate, and wandb only when it is asked for something.
"""

from __future__ import annotations

import io
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

Request = dict[str, Any]
Answer = dict[str, Any]
WRITTEN_S = 10.0  # until a run that has ended is in its file
# What wandb 0.31 prints, and neither raises nor returns, where a server has refused rows or files for good.
LOST = re.compile(r"fatal error|not be synced|failed to upload|ERROR", re.IGNORECASE)


@dataclass
class Opened:
    """A run that is open.

    Attributes:
        run: of wandb.
        file: in which an offline run is kept; empty for others.
        rows: of its history that were put into it.
    """

    run: Any
    file: str = ""
    rows: int = 0


class Runs:
    """The runs that are open, by ID, and what is done with them: a method for each request."""

    def __init__(self, said: io.StringIO, folder: str) -> None:
        self._open: dict[str, Opened] = {}
        self._folder = folder  # for files of runs, until they are put elsewhere
        self._said = said  # what wandb writes for people

    def standing(self, *, reach_s: float | None) -> Answer:
        """Its settings: those of the environment, of the user and of the folder; and what keeps it from sending.

        Args:
            reach_s: to wait for its server; None: what keeps it from sending is not asked for.
        """
        import wandb

        settings = wandb.setup().settings
        mode = {"run": "online", "dryrun": "offline"}.get(settings.mode, settings.mode)
        is_asked = mode == "online" and reach_s is not None
        hindrance = _hindrance(settings.base_url, reach_s or 0.0) if is_asked else ""
        return {"mode": mode, "url": settings.base_url, "project": settings.project or "", "hindrance": hindrance}

    def open(self, *, id: str, own: bool, tags: list[str], resume: bool, timeout_s: float, **given: Any) -> Answer:
        """Open a run, which may be there already; `step` is the first that it lacks.

        Args:
            id: by which it is called here.
            own: it is called so by wandb, too; else as the agent of a sweep has named it.
            tags: that it has, besides those that it may have.
            resume: what is there of it goes on.
            timeout_s: how long wandb tries to reach its server, here and at the end.
            given: as `wandb.init` takes it.
        """
        import wandb

        settings = wandb.Settings(**_quiet(), finish_timeout=timeout_s, finish_timeout_raises=True)
        settings.init_timeout = timeout_s
        if own:
            given["id"] = id
        else:
            given = {key: value for key, value in given.items() if key not in ("project", "entity")}
        sent = {key: value for key, value in given.items() if value not in (None, "")}
        sent |= {"dir": self._folder, "settings": settings, "reinit": "create_new"}
        run = wandb.init(resume="allow" if resume else None, **sent)
        folder = os.path.dirname(run.dir)
        offline = given["mode"] == "offline"
        self._open[id] = Opened(run, os.path.join(folder, f"run-{run.id}.wandb") if offline else "")
        # Those that others have given it stay: `init(tags=...)` would replace them.
        if missing := [tag for tag in tags if tag not in (run.tags or ())]:
            run.tags = (*(run.tags or ()), *missing)
        about = {"url": run.url or "", "files": folder}
        return {"step": run.starting_step, "summary": _plain_values(run.summary), **about}

    def rows(self, *, id: str, rows: list[dict[str, Any]]) -> Answer:
        """Rows of the history, each with its `step`."""
        for row in rows:
            self._log(id, row["values"], row["step"])
        return {}

    def pages(self, *, id: str, step: int, values: Mapping[str, Any], pages: Mapping[str, str]) -> Answer:
        """A row with pages in it: files of HTML or SVG, by name -> path."""
        import wandb

        # Written by the study itself, and whole: nothing of wandb's style is put into it.
        texts = {name: Path(path).read_text(encoding="utf-8") for name, path in pages.items()}
        shown = {name: wandb.Html(text, inject=False, data_is_not_path=True) for name, text in texts.items()}
        self._log(id, {**values, **shown}, step)
        return {}

    def summary(self, *, id: str, values: Mapping[str, Any]) -> Answer:
        """Values of the summary."""
        self._open[id].run.summary.update(dict(values))
        return {}

    def finish(self, *, id: str, exit_code: int) -> Answer:
        """End a run; returns when all of it has arrived, or is in its file.

        Raises:
            ConnectionError: wandb says that some of it has not arrived. It only warns of that, and ends as usual.
            OSError: its file is not whole, of which wandb says nothing.
        """
        opened = self._open.pop(id)
        opened.run.finish(exit_code=exit_code)
        lost = [line for line in self._said.getvalue().splitlines() if LOST.search(line)]
        self._said.truncate(self._said.seek(0))
        if lost:
            raise ConnectionError(" ".join(lost).replace("wandb: ", ""))
        if opened.file:
            _check(opened)
        return {}

    def _log(self, id: str, values: Mapping[str, Any], step: int) -> None:
        self._open[id].run.log(values, step=step, commit=True)
        self._open[id].rows += 1


def _check(opened: Opened) -> None:
    """Wait for an offline run to be in its file: it may be written only after wandb has said that the run has ended."""
    end = time.monotonic() + WRITTEN_S
    while True:
        rows, is_whole = _written(opened.file)
        if is_whole and rows == opened.rows:
            return
        if time.monotonic() > end:
            raise OSError(f"{opened.file} has {rows} of {opened.rows} rows{'' if is_whole else ', and no end'}")
        time.sleep(0.05)


def _written(file: str) -> tuple[int, bool]:
    """How many rows of a history are in the file of a run, and whether its end is; by wandb's own reader."""
    from wandb.util import get_core_path

    command = [get_core_path(), "leet", "inspect", "--no-observability", "--json", "--run-file", file]
    done = subprocess.run([*command, os.path.dirname(os.path.dirname(file))], capture_output=True, check=False)
    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    return kinds.count("history"), "exit" in kinds


def _quiet() -> dict[str, Any]:
    """Settings of a run that is a mirror: nothing of this machine, of the code, of the terminal."""
    off = ("disable_git", "disable_code", "disable_job_creation", "label_disable", "silent")
    off_inside = ("x_disable_stats", "x_disable_meta", "x_disable_machine_info")
    on = dict.fromkeys((*off, *off_inside), True)
    # A link in a study's folder is refused: who writes there would write somewhere else.
    return {**on, "console": "off", "x_save_requirements": False, "symlink": False, "host": "", "program": "ablate"}


def _hindrance(url: str, reach_s: float) -> str:
    """Why nothing can be sent; empty where it can."""
    import wandb

    if not wandb.login(prompt=False, verify=False):
        return "no key; `wandb login` asks for one"
    place = urlsplit(url)
    if (proxy := getproxies().get(place.scheme)) and not proxy_bypass(place.hostname or ""):
        place = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    try:
        socket.create_connection((place.hostname, place.port or {"http": 80}.get(place.scheme, 443)), reach_s).close()
    except OSError:
        return f"{url} cannot be reached"
    return ""


def _plain_values(summary: Any) -> dict[str, Any]:
    return {key: value for key, value in dict(summary).items() if isinstance(value, str | int | float)}


def _read(lines: TextIO, into: queue.Queue[Request], folder: str) -> None:
    """Requests, until there is nobody any more who makes some: then end, whatever is being waited for."""
    for line in lines:
        into.put(json.loads(line))
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def main() -> None:
    """Answer requests, one after the other."""
    # What wandb and its service print goes nowhere: who starts this process reads answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for one in (0, 1, 2):
        os.dup2(nowhere, one)
    said = io.StringIO()
    sys.stdout = sys.stderr = said
    waiting: queue.Queue[Request] = queue.Queue()
    folder = tempfile.tempdir = sys.argv[1]  # wandb's own temporary files go there, too
    threading.Thread(target=_read, args=(requests, waiting, folder), daemon=True).start()
    runs = Runs(said, folder)
    while True:
        request = waiting.get()
        try:
            answer = getattr(runs, request.pop("do"))(**request)
        except Exception as error:  # whatever it is, who asked is told
            answer = {"error": " ".join(str(error).split()) or type(error).__name__, "kind": type(error).__name__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""MLflow's own server on 127.0.0.1, and a door before it that can be shut in several ways."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

TOKEN = "token-of-a-test"


class Door(ThreadingHTTPServer):
    """Lets requests through to a server, or answers them by itself.

    Attributes:
        behind: port of the server; None: there is none, and all is refused with 502.
        answers: status that all requests get instead; 0: none do.
        open_for: so many requests are let through from now on; the others end without an answer. None: all.
        closed_for: so many end without an answer, and then all are let through again; None: all.
        answers_lost: the first of these reaches the server all the same.
        slow_s: that each request waits.
        token: that requests must bring; empty: none.
        calls: the paths that were asked for.
    """

    daemon_threads = True

    def __init__(self, behind: int | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind, self.answers, self.slow_s, self.token = behind, 0, 0.0, ""
        self.open_for: int | None = None
        self.closed_for: int | None = None
        self.answers_lost = False
        self.calls: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no fault."""


class _Handler(BaseHTTPRequestHandler):
    server: Door

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _pass_on(self) -> None:
        door = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        door.calls.append(self.path.partition("?")[0])
        time.sleep(door.slow_s)
        if door.open_for is not None:
            door.open_for -= 1
            if door.open_for < 0 and (door.closed_for is None or -door.open_for <= door.closed_for):
                self.close_connection = True
                if door.answers_lost and door.open_for == -1:
                    self._ask(body)
                return
        if door.token and self.headers.get("Authorization") != f"Bearer {door.token}":
            self._answer(401, b'{"error_code": "UNAUTHENTICATED", "message": "You are not authenticated."}')
        elif door.answers or door.behind is None:
            self._answer(door.answers or 502, b"out of order")
        else:
            self._answer(*self._ask(body))

    def __getattr__(self, name: str) -> Any:
        """Each method of HTTP: `do_GET`, `do_POST`, ..."""
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)

    def _ask(self, body: bytes) -> tuple[int, bytes, str]:
        """What the server answers."""
        assert self.server.behind is not None
        connection = HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, content, response.headers.get("Content-Type") or "application/json"

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def door(behind: int | None = None) -> Iterator[Door]:
    """A door that listens."""
    made = Door(behind)
    thread = Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """MLflow's server with its database and files in a folder; its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as free:
        port = free.server_address[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "files"),
    ]  # fmt: skip
    # Without the processes that it starts for jobs of its own.
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        _wait(port, process, folder / "server.log")
        yield port
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError(log.read_text())

"""A server of wandb on 127.0.0.1, as far as the tracker and the dashboards need one.

It answers what `wandb` 0.31 asks for runs (`Viewer`, `ServerFeaturesQuery`, `RunResumeStatus`, `UpsertBucket`,
`CreateRunFiles`, `file_stream`, uploads by `PUT`, `RunState`) and for workspaces (`UpsertView2`), and keeps what it was
given where a test can look at it. Use the fixture `wandb_server` (`from tests.wandb_server import wandb_server`), or:

    with WandbServer() as server:
        environment = server.environment()      # WANDB_BASE_URL, WANDB_API_KEY, ...: for `subprocess`, or monkeypatch
        ...
        run = server.runs["cell-id"]            # by run id; `run.rows`, `run.summary`, `run.config`, `run.state`, ...
        server.views                            # what workspaces and reports were saved, as their variables
        server.asked("UpsertBucket")            # the variables of each such request, in their order
        server.answers["MyQuery"] = lambda variables: {"data": ...}     # one that it does not know yet

Faults: `server.fault = 500` answers everything with that status, `server.delay_s` waits before each answer,
`server.refuse()` stops listening and `server.listen()` begins again on the same port, with all that was kept.
`python -m tests.wandb_server` runs one, to try things by hand.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

KEY = "0123456789abcdef0123456789abcdef01234567"  # the form of one: 40 characters
ENTITY = "somebody"
Answer = dict[str, Any]


@dataclass
class Run:
    """A run as the server has it.

    Attributes:
        id: of the run, unique in its project.
        project: of the run.
        given: the variables of its `UpsertBucket` requests put together: `groupName`, `jobType`, `displayName`, ...
        lines: what was streamed to each file, by its place in it: `wandb-history.jsonl`, `wandb-summary.json`, ...
        streamed: how many lines of the history were sent in all, also more than once.
        exit_code: of the run; None while it is not finished.
        files: that were uploaded, by name.
    """

    id: str
    project: str
    given: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    streamed: int = 0
    exit_code: int | None = None
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its history, in the order of its file."""
        return [json.loads(line) for line in self.lines.get("wandb-history.jsonl", [])]

    @property
    def summary(self) -> dict[str, Any]:
        """What its last summary says."""
        lines = self.lines.get("wandb-summary.json") or [self.given.get("summaryMetrics") or "{}"]
        summary: dict[str, Any] = json.loads(lines[-1])
        return summary

    @property
    def config(self) -> dict[str, Any]:
        """Its config, without what wandb adds of its own."""
        plain = json.loads(self.given.get("config") or "{}")
        return {key: one["value"] for key, one in plain.items() if key != "_wandb"}

    @property
    def tags(self) -> list[str]:
        return list(self.given.get("tags") or [])

    @property
    def state(self) -> str:
        """`running`, `finished` or `failed`, as the server derives it from the exit code."""
        if self.exit_code is None:
            return "running"
        return "failed" if self.exit_code else "finished"


class WandbServer:
    """Listens while it is used as a context.

    Args:
        key: the only one that is let in.
    """

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.runs: dict[str, Run] = {}
        self.views: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []  # operation or path, with its variables or body
        self.unknown: list[str] = []  # operations that it has no answer for
        self.answers: dict[str, Callable[[dict[str, Any]], Answer]] = {}
        self.fault = 0
        self.delay_s = 0.0
        self._lock = threading.RLock()
        self._port = 0
        self._http: _Http | None = None

    def __enter__(self) -> WandbServer:
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def environment(self) -> dict[str, str]:
        """What makes wandb talk to it."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": self.key, "WANDB_ERROR_REPORTING": "false"}

    def listen(self) -> None:
        """Begin to answer, on the same port as before."""
        self._http = _Http(("127.0.0.1", self._port), _Handler)
        self._http.wandb = self
        self._port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def refuse(self) -> None:
        """Stop listening: connections are refused, and those that are open end."""
        if self._http:
            self._http.shutdown()
            self._http.close_all()
            self._http = None

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """The variables of all requests of an operation, or the bodies of those of a path."""
        return [variables for name, variables in list(self.requests) if name == operation]

    def answer(self, operation: str, variables: dict[str, Any]) -> Answer:
        """To a query of GraphQL."""
        with self._lock:
            self.requests.append((operation, variables))
            known = self.answers.get(operation) or getattr(self, f"_{operation}", None)
            if known is None:
                self.unknown.append(operation)
                return {"data": None, "errors": [{"message": f"the stub does not know {operation}"}]}
            answer: Answer = known(variables)
            return answer

    def stream(self, run: Run, body: Mapping[str, Any]) -> Answer:
        """Lines of a run's files."""
        with self._lock:
            self.requests.append(("file_stream", {"run": run.id, **body}))
            for name, chunk in (body.get("files") or {}).items():
                kept, at, lines = run.lines.setdefault(name, []), int(chunk["offset"]), chunk["content"]
                assert at <= len(kept), f"{run.id}: {name} has a gap before line {at}, of {len(kept)}"
                kept[at : at + len(lines)] = lines
                run.streamed += len(lines) if name == "wandb-history.jsonl" else 0
            if body.get("complete"):
                run.exit_code = int(body.get("exitcode") or 0)
            return {"exitcode": None, "limits": {}}

    # Answers by operation, named as wandb names them

    def _Viewer(self, variables: Mapping[str, Any]) -> Answer:  # noqa: N802
        teams = {"edges": [{"node": {"name": ENTITY}}]}
        about = {"id": "1", "entity": ENTITY, "username": ENTITY, "email": "", "flags": "{}", "admin": False}
        return {"data": {"viewer": {**about, "teams": teams, "apiKeys": {"edges": []}}}}

    def _ServerFeaturesQuery(self, variables: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {"data": {"serverInfo": {"features": []}}}

    def _RunResumeStatus(self, variables: Mapping[str, Any]) -> Answer:  # noqa: N802
        run = self.runs.get(variables["name"])
        project = variables.get("project") or "uncategorized"
        model = {"id": project, "name": project, "entity": {"id": ENTITY, "name": variables.get("entity") or ENTITY}}
        return {"data": {"model": {**model, "bucket": _resumed(run) if run else None}}}

    def _UpsertBucket(self, variables: Mapping[str, Any]) -> Answer:  # noqa: N802
        named = variables.get("name") or next(id for id in self.runs if _storage(id) == variables.get("id"))
        inserted = named not in self.runs
        project = variables.get("project") or (self.runs[named].project if not inserted else "uncategorized")
        run = self.runs.setdefault(named, Run(named, project))
        if not inserted and variables.get("name"):
            run.exit_code = None  # it goes on
        run.given |= {key: value for key, value in variables.items() if value is not None}
        owner = {"id": ENTITY, "name": variables.get("entity") or ENTITY}
        bucket = {
            "id": _storage(named), "name": named, "displayName": run.given.get("displayName") or named,
            "description": "", "config": run.given.get("config") or "{}", "sweepName": run.given.get("sweep"),
            "project": {"id": project, "name": project, "entity": owner},
            "historyLineCount": len(run.lines.get("wandb-history.jsonl", [])),
        }  # fmt: skip
        return {"data": {"upsertBucket": {"bucket": bucket, "inserted": inserted}}}

    def _CreateRunFiles(self, variables: Mapping[str, Any]) -> Answer:  # noqa: N802
        names = variables["files"]
        files = [{"name": name, "uploadUrl": f"{self.url}/upload/{variables['run']}/{name}"} for name in names]
        run = _storage(variables["run"])
        return {"data": {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}}

    def _MarkRunFilesUploaded(self, variables: Mapping[str, Any]) -> Answer:  # noqa: N802
        return {"data": {"markRunFilesUploaded": {"success": True}}}

    def _RunState(self, variables: Mapping[str, Any]) -> Answer:  # noqa: N802
        run = self.runs.get(variables["run"])
        found = {"id": _storage(run.id), "state": run.state} if run else None
        return {"data": {"project": {"run": found}}}

    def _UpsertView2(self, variables: dict[str, Any]) -> Answer:  # noqa: N802
        self.views.append(variables)
        view = {"id": f"view{len(self.views)}", "name": variables.get("name") or f"view{len(self.views)}"}
        return {"data": {"upsertView": {"view": view, "inserted": True}}}


class _Http(ThreadingHTTPServer):
    """Whose connections can be ended from outside."""

    daemon_threads = True
    allow_reuse_address = True
    wandb: WandbServer

    def __init__(self, *given: Any) -> None:
        self._open: set[Any] = set()
        super().__init__(*given)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One who hangs up is no error of the test's."""

    def close_all(self) -> None:
        self.server_close()
        for request in list(self._open):
            self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *given: Any) -> None:
        """Nobody reads it."""

    def do_POST(self) -> None:
        body, wandb = self._body(), self.server.wandb
        if self._refused():
            return
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts == ["graphql"]:
            query = json.loads(body)
            name = re.search(r"(?:query|mutation)\s+(\w+)", query["query"])
            operation = query.get("operationName") or (name[1] if name else "")
            self._send(200, wandb.answer(operation, query.get("variables") or {}))
        elif parts[-1] == "file_stream" and parts[-2] in wandb.runs:
            self._send(200, wandb.stream(wandb.runs[parts[-2]], json.loads(body)))
        else:
            self._send(404, {})

    def do_PUT(self) -> None:
        body = self._body()
        if self._failed():
            return
        _, run, name = urlsplit(self.path).path.strip("/").split("/", 2)
        self.server.wandb.runs[run].files[unquote(name)] = body
        self._send(200, {})

    def do_GET(self) -> None:
        if not self._failed():
            self._send(404, {})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _failed(self) -> bool:
        wandb = self.server.wandb
        time.sleep(wandb.delay_s)
        if wandb.fault:
            self._send(wandb.fault, {"error": "as the test asked for"})
        return bool(wandb.fault)

    def _refused(self) -> bool:
        if self._failed():
            return True
        wanted = "Basic " + base64.b64encode(f"api:{self.server.wandb.key}".encode()).decode()
        if self.headers.get("Authorization") == wanted:
            return False
        self._send(401, {"errors": [{"message": "no such key"}]})
        return True

    def _send(self, status: int, content: Answer) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _storage(run: str) -> str:
    """By which the server knows a run besides its id."""
    return f"storage:{run}"


def _resumed(run: Run) -> Answer:
    """What a run is continued by."""
    count = {name: len(lines) for name, lines in run.lines.items()}
    tails = {name: json.dumps(run.lines.get(f"wandb-{name}.jsonl", [])[-1:]) for name in ("history", "events")}
    return {
        "id": _storage(run.id), "name": run.id, "displayName": run.given.get("displayName") or run.id,
        "summaryMetrics": json.dumps(run.summary), "config": run.given.get("config") or "{}",
        "tags": run.tags, "notes": run.given.get("notes"), "wandbConfig": json.dumps({"t": 1}),
        "logLineCount": count.get("output.log", 0), "historyLineCount": count.get("wandb-history.jsonl", 0),
        "eventsLineCount": count.get("wandb-events.jsonl", 0),
        "historyTail": tails["history"], "eventsTail": tails["events"],
    }  # fmt: skip


@pytest.fixture
def wandb_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WandbServer]:
    """A server, and an environment in which wandb talks to it and knows nothing of this machine's user."""
    with WandbServer() as server:
        for name, value in {**server.environment(), **settings_in(tmp_path)}.items():
            monkeypatch.setenv(name, value)
        yield server


def settings_in(folder: Path) -> dict[str, str]:
    """Variables that keep wandb to a folder, away from settings and keys of this machine's user."""
    places = {name: str(folder / "of-wandb" / name.lower()) for name in ("CONFIG_DIR", "DATA_DIR", "CACHE_DIR")}
    return {"NETRC": str(folder / "of-wandb" / "netrc"), **{f"WANDB_{name}": place for name, place in places.items()}}


def main() -> None:
    """One to try things by hand."""
    with WandbServer() as server:
        print(" ".join(f"{name}={value}" for name, value in server.environment().items()), flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()

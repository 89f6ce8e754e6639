"""Downloads against a server of this machine, which breaks off, ignores ranges, and serves what is wrong."""

from __future__ import annotations

import errno
import hashlib
import http.server
import io
import multiprocessing
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ablate import InputError, registry
from ablate.config.compose import prepare
from tests.published import cifar10_archive

CONTENT = bytes(range(256)) * 4096  # a megabyte


class Server(http.server.ThreadingHTTPServer):
    """Serves one file, and remembers what it was asked for."""

    content = CONTENT
    break_after: int | None = None  # bytes of an answer
    ranges = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/some/data.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        body = self.server.content[start:]
        if asked and self.server.ranges and not body:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.break_after])

    def log_message(self, *arguments: Any) -> None:
        """Silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def module(name: str) -> ModuleType:
    """A private module of the data plugins, as they themselves see it."""
    prepare()
    home = registry.lookup("data", "cifar10").factory.__module__.rpartition(".")[0]
    return sys.modules[f"{home}.{name}"]


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def fetch(server: Server, folder: Path, digest: str | None = None) -> Path:
    download = module("_download")
    path: Path = download.fetch(download.Remote(server.url, digest or md5(server.content)), folder)
    return path


def visible(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))


def test_a_file_arrives_whole(server: Server, tmp_path: Path) -> None:
    path = fetch(server, tmp_path / "data")
    assert path == tmp_path / "data" / "data.bin"
    assert path.read_bytes() == CONTENT
    assert visible(path.parent) == ["data.bin"]


def test_what_is_there_is_not_fetched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"mine")
    assert fetch(server, tmp_path).read_bytes() == b"mine"
    assert server.asked == []


def test_a_download_that_breaks_off_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.break_after = 400_000
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=400000-", "bytes=800000-"]


def test_a_later_command_goes_on_too(server: Server, tmp_path: Path) -> None:
    server.break_after = 100_000
    part = tmp_path / "data.bin.part"
    with pytest.raises(InputError) as error:
        fetch(server, tmp_path)
    text = str(error.value)
    assert re.search(f"cannot download {server.url}: .*ended .* bytes early; {part} keeps what arrived", text)
    assert "\n" not in text
    assert visible(tmp_path) == ["data.bin.part"], "nothing that looks whole"
    server.break_after = None
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=300000-"


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_the_whole_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_another_file_than_the_published_one_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        fetch(server, tmp_path, md5(b"the published one"))
    assert str(error.value) == (
        f"{server.url} is not the published file: its MD5 is {md5(CONTENT)}, "
        f"not {md5(b'the published one')}; removed it"
    )
    assert visible(tmp_path) == []


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_refusal_is_one_line_and_is_not_tried_again(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(InputError, match=f"cannot download {server.url}: "):
        fetch(server, tmp_path)
    assert len(server.asked) == 1


def test_no_network_is_one_line(tmp_path: Path) -> None:
    with Server() as closed:
        pass
    with pytest.raises(InputError, match=f"cannot download {closed.url}: .*[Cc]onnection refused"):
        fetch(closed, tmp_path)


class Full(io.BytesIO):
    """A file on a disk that takes so much and no more."""

    def write(self, block: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_line(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module("_download"), "_opened", lambda part, mode: Full())
    with pytest.raises(InputError, match=f"cannot write {tmp_path / 'data.bin.part'}: No space left on device"):
        fetch(server, tmp_path)
    assert visible(tmp_path) == []
    assert len(server.asked) == 1, "trying again helps nobody"


def start_and_fetch(start: Any, fetch: Callable[[], Path]) -> None:
    start.wait()
    assert fetch().read_bytes() == CONTENT


def test_processes_that_start_at_once_download_once(server: Server, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(3)
    work = (start, lambda: fetch(server, tmp_path))
    processes = [context.Process(target=start_and_fetch, args=work) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert server.asked == [None]


# A whole data set


def cifar10(root: Path, server: Server, digest: str | None = None, **options: Any) -> Any:
    data = registry.build("data", {"name": "cifar10", "root": root, **options})
    remote = module("_download").Remote(f"{server.url}/cifar-10-python.tar.gz", digest or md5(server.content))
    data.remotes = (remote,)
    return data


def test_cifar10_is_downloaded_unpacked_and_read_where_asked(server: Server, tmp_path: Path) -> None:
    server.content = cifar10_archive()
    with pytest.raises(InputError, match=r"data\.download=true"):
        cifar10(tmp_path, server).check()
    assert server.asked == [], "not without being asked to"
    data = cifar10(tmp_path, server, download=True)
    data.check()
    assert visible(tmp_path) == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]
    assert len(visible(tmp_path / "cifar-10-batches-py")) == 6
    assert data.load().train.images.shape == (20, 3, 32, 32)
    assert server.asked == [None]


def test_a_wrong_archive_is_never_unpacked(server: Server, tmp_path: Path) -> None:
    server.content = cifar10_archive()
    with pytest.raises(InputError, match="is not the published file"):
        cifar10(tmp_path, server, md5(b""), download=True).load()
    assert visible(tmp_path) == []

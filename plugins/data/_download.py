"""Downloads that go on where they were cut off, and that appear only when they are whole and right."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ablate import InputError

from ._once import once

TRIES = 3
TIMEOUT_S = 30.0  # without a byte
BLOCK = 2**20

CUT_OFF = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


@dataclass(frozen=True)
class Remote:
    """A published file.

    Attributes:
        url: of the file.
        md5: of its content, in hexadecimal digits.
    """

    url: str
    md5: str

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.url.rpartition("/")[2]


def fetch(remote: Remote, folder: Path) -> Path:
    """The file in `folder`, downloaded where it is not there yet.

    Raises:
        InputError: it cannot be downloaded or written, or it is not the published file.
    """
    path = folder / remote.name
    once(path, lambda: _download(remote, path))
    return path


def _download(remote: Remote, path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    for attempt in range(1, TRIES + 1):
        try:
            _go_on(remote.url, part)
            break
        except CUT_OFF as error:
            if attempt == TRIES or isinstance(error, urllib.error.HTTPError):
                reason = getattr(error, "reason", None) or error
                kept = f"; {part} keeps what arrived, and the same command goes on from there" if part.exists() else ""
                raise InputError(f"cannot download {remote.url}: {reason}{kept}") from error
    found = _md5(part)
    if found != remote.md5:
        part.unlink()
        raise InputError(f"{remote.url} is not the published file: its MD5 is {found}, not {remote.md5}; removed it")
    os.replace(part, path)


def _go_on(url: str, part: Path) -> None:
    """Append to `part` what it lacks.

    Raises:
        URLError, HTTPException, ConnectionError, TimeoutError: the connection was refused or ended early.
        InputError: the disk does not take it.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is there; the hash says whether it is right
        raise
    with answer:
        goes_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        with _opened(part, "ab" if goes_on else "wb") as file:
            _copy(answer, file, part)


def _opened(part: Path, mode: str) -> IO[bytes]:
    try:
        return part.open(mode)
    except OSError as error:
        raise InputError(f"cannot write {part}: {error.strerror or error}") from error


def _copy(answer: http.client.HTTPResponse, file: IO[bytes], part: Path) -> None:
    expected, got = answer.headers.get("Content-Length"), 0
    while block := answer.read(BLOCK):
        got += len(block)
        try:
            file.write(block)
            file.flush()
        except OSError as error:
            raise InputError(f"cannot write {part}: {error.strerror or error}") from error
    if expected is not None and got < int(expected):
        raise ConnectionError(f"the connection ended {int(expected) - got} bytes early")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

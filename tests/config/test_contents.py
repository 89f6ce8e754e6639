"""What files hold is part of a cell's identity, and where they lie is not."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ablate import InputError, register, registry
from ablate.config import contents
from ablate.config.compose import compose, prepare
from ablate.config.contents import contents_of, digest_of
from ablate.study.section import container

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

LONG_AGO = time.time_ns() - 10**12


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache")
    contents.forget()
    with registry.isolated():
        yield tmp_path
    contents.forget()


@pytest.fixture
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files have been there for a while."""
    monkeypatch.setattr(contents, "SETTLED_NS", -(10**12))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are opened to be hashed."""
    names: list[str] = []
    opened = Path.open

    def note(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode == "rb":
            names.append(self.name)
        return opened(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", note)
    return names


def anew(path: Path) -> str:
    """As another process finds it."""
    contents.forget()
    return digest_of(path)


def write(folder: str, **files: str) -> Path:
    for name, text in files.items():
        file = Path(folder, *name.split("__"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Path(folder).resolve()


def test_files_of_one_content_have_one_digest_wherever_they_lie(here: Path) -> None:
    one, other = write("one", a="x"), write("other", b="x")
    assert digest_of(one / "a") == digest_of(other / "b") == hashlib.sha256(b"x").hexdigest()[:16]
    assert digest_of(one / "a") != digest_of(write("third", a="y") / "a")


def test_a_folder_is_its_files_with_their_names(here: Path) -> None:
    first = digest_of(write("first", cat__1="x", dog__1="y"))
    assert digest_of(write("same", dog__1="y", cat__1="x")) == first
    others = [
        write("content", cat__1="x", dog__1="z"),
        write("name", cat__1="x", dog__2="y"),
        write("place", cat__1="x", cat__2="y"),
        write("swapped", cat__1="y", dog__1="x"),
        write("fewer", cat__1="x"),
        write("more", cat__1="x", dog__1="y", dog__2=""),
    ]
    assert len({first, *map(digest_of, others)}) == 1 + len(others)


def test_what_changes_between_two_processes_is_seen_and_within_one_stays(here: Path) -> None:
    folder = write("data", cat__1="x")
    first = digest_of(folder)
    write("data", cat__1="y")
    assert digest_of(folder) == first
    assert anew(folder) != first
    write("data", cat__1="x")
    assert anew(folder) == first


@pytest.mark.parametrize("path", ["data", "data/cat/1"])
def test_a_file_written_again_within_one_tick_of_the_clock_is_read_again(path: str, here: Path) -> None:
    """Of the same size, with the same time: a file that was just written is not trusted to be as it was."""
    write("data", cat__1="x")
    before = os.stat("data/cat/1")
    first = anew(here / path)
    write("data", cat__1="y")
    os.utime("data/cat/1", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert anew(here / path) != first


@pytest.mark.usefixtures("long_ago")
def test_a_folder_is_read_once_and_afterwards_only_what_changed(here: Path, read: list[str]) -> None:
    folder = write("data", cat__a="x", cat__b="y")
    first = anew(folder)
    assert sorted(read) == ["a", "b"]
    assert anew(folder) == first
    assert len(read) == 2
    write("data", cat__b="longer")
    assert anew(folder) != first
    assert read[2:] == ["b"]


@pytest.mark.usefixtures("long_ago")
def test_a_file_is_read_once_until_its_size_or_time_changes(here: Path, read: list[str]) -> None:
    file = write("data", a="x") / "a"
    first = anew(file)
    assert (anew(file), read) == (first, ["a"])
    file.write_text("y")
    os.utime(file, ns=(LONG_AGO, LONG_AGO))
    assert anew(file) != first


@pytest.mark.usefixtures("long_ago")
@pytest.mark.parametrize("content", ["", "[1]", "{", '{"stamp": 3}'])
def test_a_cache_that_is_not_whole_is_made_anew(content: str, here: Path) -> None:
    folder = write("data", a="x")
    first = [anew(folder), anew(folder / "a")]
    for kept in (here / "cache" / "contents").iterdir():
        kept.write_text(content)
    assert [anew(folder), anew(folder / "a")] == first


def test_where_nothing_can_be_kept_files_are_hashed_all_the_same(here: Path, long_ago: None) -> None:
    (here / "cache").write_text("no folder")
    folder = write("data", a="x")
    assert anew(folder) == anew(folder)


def test_links_are_followed_and_a_circle_of_them_ends(here: Path) -> None:
    folder = write("data", cat__a="x")
    same = write("same", cat__a="x")
    (folder / "cat" / "back").symlink_to(folder)
    assert digest_of(folder) == digest_of(same)
    away = Path("away")
    away.mkdir()
    (away / "cat").symlink_to(same / "cat")
    assert digest_of(away) == digest_of(same)


def test_what_cannot_be_read_is_one_line(here: Path) -> None:
    os.mkfifo("pipe")
    with pytest.raises(InputError) as error:
        digest_of(here / "pipe")
    assert str(error.value) == f"cannot read {here / 'pipe'}: Not a directory"


def test_reading_for_long_is_said_once(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(contents, "LONG_S", -1.0)
    folder = write("data", a="x", b="y")
    digest_of(folder)
    line = f"ablate: reading {folder} to know what it holds; once, until it changes\n"
    assert capsys.readouterr() == ("", line)


# what a config points to


def config_of(kind: str, node: dict[str, Any]) -> dict[str, Any]:
    config = container(compose(["depth=8"]))
    del config["study"]
    return {**config, kind: node}


def test_a_path_option_counts_by_what_it_points_to(here: Path) -> None:
    @register("init", "from_file")
    class FromFile:
        """Draws from a normal whose width stands in a file."""

        incidental = ("scratch",)

        def __init__(self, *, file: Path | None = None, scratch: Path = Path("scratch")) -> None:
            pass

    def found(file: str | None) -> contents.Contents:
        return contents_of(config_of("init", {"name": "from_file", "file": file, "scratch": "nowhere"}))

    a, b, c = (write("files", **{name: text}) / name for name, text in [("a", "0.01"), ("b", "1.0"), ("c", "0.01")])
    assert found(str(a)).digests == found(str(c)).digests == {"init.file": digest_of(a)}
    assert found(str(b)).digests != found(str(a)).digests
    assert found(str(a)).absent == ()
    assert found(None) == contents.Contents({}, ())
    assert found("nowhere") == contents.Contents({}, ("init.file",))


def published_data(files: dict[str, bytes]) -> None:
    @register("data", "mine")
    class Mine:
        """Images."""

        published = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}  # noqa: RUF012

        def __init__(self, *, root: Path = Path("data")) -> None:
            pass

        @classmethod
        def reads(cls, *, root: Path) -> list[Path]:
            return [Path(root, name) for name in cls.published]


@pytest.mark.usefixtures("long_ago")
def test_what_is_verified_to_be_a_published_set_needs_no_digest_and_anything_else_does(here: Path) -> None:
    published_data({"train": b"x", "test": b"y"})

    def found(root: str) -> contents.Contents:
        contents.forget()
        return contents_of(config_of("data", {"name": "mine", "root": root}))

    write("as_published", train="x", test="y")
    assert found("as_published") == contents.Contents({}, ())
    write("other", train="x", test="z")
    write("the_same_other", train="x", test="z")
    assert list(found("other").digests) == ["data.content"]
    assert found("other") == found("the_same_other")
    write("half", train="x")
    assert found("half") == found("nowhere") == contents.Contents({}, ("data.content",))
    write("other", test="y")
    assert found("other") == contents.Contents({}, ()), "it is the published one by now"


def test_incidental_kinds_are_not_looked_at(here: Path) -> None:
    @register("engine", "mine")
    def mine(*, socket: Path = Path("nowhere")) -> None:
        """Somewhere."""

    assert contents_of(config_of("engine", {"name": "mine", "socket": "nowhere"})) == contents.Contents({}, ())


def test_the_memory_of_a_folder_is_json(here: Path, long_ago: None) -> None:
    anew(write("data", cat__a="x"))
    (kept,) = (here / "cache" / "contents").iterdir()
    assert list(json.loads(kept.read_text())["files"]) == ["cat/a"]

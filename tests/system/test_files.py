from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ablate.errors import InputError
from ablate.system.files import atomic, make_folder, read_json, read_yaml, sweep, write_json, write_text, write_yaml


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("before")
    with atomic(path) as temporary:
        temporary.write_text("half of")
        assert path.read_text() == "before"
    assert path.read_text() == "half of"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(143)])
def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "note.txt"
    path.write_text("before")
    with pytest.raises(type(error)), atomic(path) as temporary:  # noqa: PT012
        temporary.write_text("half of")
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "result.json"
    with pytest.raises(InputError, match=f"^cannot write {path}: No such file or directory$"):
        write_json(path, {})


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"^cannot make the folder {tmp_path}/file/cells: Not a directory$"):
        make_folder(tmp_path / "file" / "cells")


def test_sweep_takes_what_killed_writers_left(tmp_path: Path) -> None:
    kept = [tmp_path / "last.ckpt", tmp_path / "my.tmp", tmp_path / ".hidden"]
    for path in [*kept, tmp_path / ".last.ckpt.0a1b2c3d.tmp"]:
        path.touch()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_json_comes_back_as_it_went(tmp_path: Path) -> None:
    content = {"text": "größer", "number": 0.1, "none": None, "list": [1, 2]}
    write_json(tmp_path / "x.json", content)
    assert read_json(tmp_path / "x.json") == content


def test_json_never_holds_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_yaml_comes_back_as_it_went_in_its_order(tmp_path: Path) -> None:
    content = {
        "z": 1,
        "a": "größer",
        "text": "1e-3",
        "number": 1e-05,
        "flag": "yes",
        "none": None,
        "nested": {"x": [1]},
    }
    write_yaml(tmp_path / "x.yaml", content)
    assert read_yaml(tmp_path / "x.yaml") == content
    assert list(read_yaml(tmp_path / "x.yaml")) == list(content)


def test_a_path_in_yaml_is_text_that_any_reader_takes(tmp_path: Path) -> None:
    write_yaml(tmp_path / "x.yaml", {"data": {"root": Path("some/where")}})
    assert yaml.safe_load((tmp_path / "x.yaml").read_text()) == {"data": {"root": "some/where"}}


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"\xff\xfe\x00", b"[1, 2]", b"null", b"\x00\x00\x00"])
@pytest.mark.parametrize(("read", "name"), [(read_json, "x.json"), (read_yaml, "x.yaml")])
def test_a_file_that_is_not_whole_is_one_line_that_names_it(tmp_path: Path, content: bytes, read, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "delete it and run the study again" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_without_what_it_must_hold_is_one_line_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"status": "done", "metrics": None}))
    with pytest.raises(InputError, match=f"{path} has no valid metrics, code; delete it"):
        read_json(path, status=str, metrics=dict, code=str)


@pytest.mark.parametrize("read", [read_json, read_yaml])
def test_a_file_that_cannot_be_opened_is_one_line(tmp_path: Path, read) -> None:
    with pytest.raises(InputError, match=f"^cannot read {tmp_path}/none: No such file"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match=rf"^{tmp_path} is not readable \w+ \(it is a folder and not a file\)"):
        read(tmp_path)


def test_text_is_utf_8(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "±")
    assert (tmp_path / "x").read_bytes() == b"\xc2\xb1"

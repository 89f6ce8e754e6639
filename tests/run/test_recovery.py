"""A store whose files are broken: what can be made anew is made anew, no result is taken that is not whole."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablate import load_results, registry
from ablate.__main__ import main
from ablate.system import locks
from ablate.system.leftovers import temporary_name
from tests.run.in_process import register_engine
from tests.stores import tree

TINY = ["depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500", "engine=here"]
ARMS = ["+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=orders", "study.seeds=1"]
CLAIM = "+study.claims=[{id: c, contrast: {post: 1, pre: -1}, expect: positive, margin: 0.1}]"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a finished study of two cells, and two single runs."""
    folder = tmp_path_factory.mktemp("stored")
    before = Path.cwd()
    os.chdir(folder)
    try:
        with registry.isolated():
            register_engine()
            assert main([*TINY, *ARMS, CLAIM]) == 0
            assert main([*TINY, "seed=5"]) == 0
            assert main([*TINY, "seed=6"]) == 0
    finally:
        os.chdir(before)
    return folder / "runs"


@pytest.fixture
def runs(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of that store in the working directory."""
    shutil.copytree(stored, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ablate.report.write_report", lambda *arguments: None)
    with registry.isolated():
        register_engine()
        yield tmp_path / "runs"


@pytest.fixture
def ablate(runs: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run a command; gives its exit code and all that it said."""

    def run(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        code = main(list(arguments))
        captured = capfd.readouterr()
        return code, captured.out + captured.err

    return run


def cells(runs: Path, study: str = "orders") -> list[Path]:
    return sorted((runs / study / "cells").iterdir())


def times(folder: Path) -> dict[str, str]:
    """When each cell of a study was finished."""
    return {cell.name: json.loads((cell / "result.json").read_text())["finished"] for cell in cells(folder)}


def losses(runs: Path, study: str = "orders") -> list[float]:
    return list(load_results(runs / study)["train/loss"])


def with_(**changes: Any) -> Callable[[dict[str, Any]], str]:
    return lambda result: json.dumps({**result, **changes})


def metric(**changes: Any) -> Callable[[dict[str, Any]], str]:
    return lambda result: json.dumps({**result, "metrics": {**result["metrics"], **changes}})


def without(*keys: str) -> Callable[[dict[str, Any]], str]:
    return lambda result: json.dumps({key: value for key, value in result.items() if key not in keys})


BROKEN_RESULTS: dict[str, Callable[[dict[str, Any]], str | bytes]] = {
    "empty": lambda result: "",
    "half": lambda result: json.dumps(result)[: len(json.dumps(result)) // 2],
    "zeros": lambda result: bytes(300),
    "random": lambda result: b"\x9f\xff\x80\x12" * 20,
    "UTF-16": lambda result: json.dumps(result).encode("utf-16"),
    "list": lambda result: "[]",
    "nested": lambda result: "[" * 100_000,
    "status": with_(status="banana"),
    "no status": without("status"),
    "no metrics": without("metrics"),
    "metrics are none": with_(metrics={}),
    "a metric is lacking": lambda r: json.dumps({**r, "metrics": {"train/loss": 1.0}}),
    "text for a loss": metric(**{"train/loss": "abc"}),
    "true for a loss": metric(**{"train/loss": True}),
    "null for a loss": metric(**{"train/loss": None}),
    "NaN for a loss": metric(**{"train/loss": float("nan")}),
    "infinity": lambda r: metric(**{"test/loss": 0.5})(r).replace('"test/loss": 0.5', '"test/loss": 1e999'),
    "three for an error": metric(**{"test/error": 3.0}),
    "no code": without("code"),
    "another cell": with_(id="resnet8-basic-post-identity-s0-000000000000"),
    "probes": with_(probes={"gradient_norm": 3}),
}


@pytest.mark.parametrize("broken", BROKEN_RESULTS.values(), ids=BROKEN_RESULTS)
def test_a_result_that_is_not_whole_is_set_aside_and_its_cell_trained_again(
    runs: Path, ablate: Callable[..., tuple[int, str]], broken: Callable[[dict[str, Any]], str | bytes]
) -> None:
    before = losses(runs)
    path = cells(runs)[0] / "result.json"
    content = broken(json.loads(path.read_text()))
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    kept = path.read_bytes()
    other = (cells(runs)[1] / "result.json").read_bytes()

    code, said = ablate("report", "runs/orders")
    assert code == 0
    assert re.search(f"{path.relative_to(runs.parent)} (is|does) not", " ".join(said.split()))
    assert path.read_bytes() == kept, "a report trains nothing and moves nothing"

    code, said = ablate(*TINY, *ARMS, CLAIM)
    assert code == 0
    (line,) = [line for line in said.splitlines() if "not whole" in line]
    aside = "not whole and is set aside as result.broken.json"
    assert line == f"the result.json of 1 cell was {aside}; trained again: {path.parent.name}"
    assert losses(runs) == before
    assert path.with_name("result.broken.json").read_bytes() == kept
    assert (cells(runs)[1] / "result.json").read_bytes() == other, "the other cell is not trained again"


def test_results_that_are_not_whole_are_told_in_one_line(runs: Path, ablate: Callable[..., tuple[int, str]]) -> None:
    before = losses(runs)
    for cell in cells(runs):
        (cell / "result.json").write_text("")
    code, said = ablate(*TINY, *ARMS, CLAIM)
    assert code == 0
    assert said.count("not whole") == 1
    assert "the result.json of 2 cells were not whole" in said
    assert losses(runs) == before


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_something_else_in_the_place_of_a_result_is_set_aside(
    runs: Path, ablate: Callable[..., tuple[int, str]], make: Callable[[Path], None]
) -> None:
    path = cells(runs)[0] / "result.json"
    path.unlink()
    make(path)
    code, said = ablate(*TINY, *ARMS, CLAIM)
    assert code == 0
    assert "not whole" in said
    assert path.is_file()


def test_anothers_result_is_not_taken_for_ones_own(runs: Path, ablate: Callable[..., tuple[int, str]]) -> None:
    before = losses(runs)
    first, second = (cell / "result.json" for cell in cells(runs))
    shutil.copy(first, second)
    code, said = ablate(*TINY, *ARMS, CLAIM)
    assert code == 0
    assert f"trained again: {second.parent.name}" in said
    assert losses(runs) == before


BROKEN_STUDIES = {
    "empty": b"",
    "random": b"\x00\xff\x13" * 50,
    "list": b"[1, 2]",
    "cells": b"name: orders\nclaims: []\ncells: [{}]\n",
    "claims": b"name: orders\nclaims: [3]\ncells: []\n",
    "seeds": b"name: orders\nclaims: []\ncells: []\nseeds: banana\n",
    "aliases": b"name: orders\nclaims: []\ncells: &a [*a]\n",
    "laughs": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(f"{chr(98 + k)}: &{chr(98 + k)} [{','.join(['*' + chr(97 + k)] * 9)}]\n".encode() for k in range(9)),
}


@pytest.mark.parametrize("content", [*BROKEN_STUDIES.values(), None], ids=[*BROKEN_STUDIES, "half"])
@pytest.mark.parametrize("study", ["orders", "single"])
def test_a_study_file_that_is_not_whole_is_made_anew(
    runs: Path, ablate: Callable[..., tuple[int, str]], study: str, content: bytes | None
) -> None:
    path = runs / study / "study.yaml"
    before, whole = load_results(runs / study), yaml.safe_load(path.read_text())
    broken = path.read_bytes()[: path.stat().st_size // 2 + 7] if content is None else content
    path.write_bytes(broken)

    code, said = ablate("report", f"runs/{study}")
    assert code == 2
    assert said.startswith(f"ablate: runs/{study}/study.yaml ")
    assert said.endswith("; run the study again, which writes it anew\n")
    assert said.count("\n") == 1

    code, said = ablate(*TINY, *([*ARMS, CLAIM] if study == "orders" else ["seed=6"]))
    assert code == 0
    assert f"{path} was not whole and is made anew; what it held is in study.broken.yaml" in said
    after = load_results(runs / study)
    columns = ["cell", "arm", "seed", "status", "train/loss", "test/error"]
    assert after[columns].sort_values("cell").equals(before[columns].sort_values("cell")), "no cell is lost"
    assert path.with_name("study.broken.yaml").read_bytes() == broken
    if study == "orders":
        again = yaml.safe_load(path.read_text())
        assert without_static(again) == without_static(whole), "sizes of networks are in their results"


def without_static(study: dict[str, Any]) -> dict[str, Any]:
    return {**study, "cells": [{**cell, "static": None} for cell in study["cells"]]}


def test_one_name_is_one_design_also_where_the_study_file_is_lost(
    runs: Path, ablate: Callable[..., tuple[int, str]]
) -> None:
    (runs / "orders" / "study.yaml").write_text("name: or")
    code, said = ablate(*TINY, *ARMS, CLAIM, "trainer.epochs=2")
    assert code == 2
    assert "holds another design of the name orders: trainer.epochs is 1 there and 2 here" in said


@pytest.mark.parametrize("content", ["", "{", '{"certificates": [{}]}', '{"certificates": 3}', "[]"])
def test_certificates_that_are_not_whole_are_made_anew(
    runs: Path, ablate: Callable[..., tuple[int, str]], content: str
) -> None:
    path = runs / "orders" / "certificates.json"
    before = json.loads(path.read_text())
    path.write_text(content)
    code, said = ablate("report", "runs/orders")
    assert code == 0
    assert said.count("certificates.json") == 1
    assert "the next run of the study makes it anew" in said
    code, said = ablate(*TINY, *ARMS, CLAIM, "study.seeds=2")  # where nothing is trained, there is nothing to certify
    assert code == 0
    assert json.loads(path.read_text()) == before


@pytest.mark.parametrize(
    "content", ["", "epoch", "epoch,train/loss\n2,0.5\n", "epoch,train/loss\n1,abc\n", "a,b\n1,2\n", "\0\0\0\0"]
)
def test_a_history_that_is_not_whole_is_left_out_and_named(
    runs: Path, ablate: Callable[..., tuple[int, str]], content: str
) -> None:
    path = cells(runs)[0] / "history.csv"
    path.write_text(content)
    code, said = ablate("report", "runs/orders")
    assert code == 0
    assert said.count("history.csv") == 1
    assert "delete the cell's folder and run the study again" in said


@pytest.mark.parametrize("name", [".report.json", ".drawn.json", "report.html", "verdicts.json", "results.csv"])
@pytest.mark.parametrize("content", [b"", b"\xff\x00" * 99, b"{}", b'{"key": 3}'])
def test_what_is_drawn_from_results_is_made_anew(
    runs: Path, ablate: Callable[..., tuple[int, str]], name: str, content: bytes
) -> None:
    (runs / "orders" / name).write_bytes(content)
    code, said = ablate(*TINY, *ARMS, CLAIM)
    assert code == 0
    assert "1 claim: " in said


def test_a_cell_whose_folder_is_removed_is_trained_again(runs: Path, ablate: Callable[..., tuple[int, str]]) -> None:
    before = losses(runs)
    shutil.rmtree(cells(runs)[0])
    assert ablate(*TINY, *ARMS, CLAIM)[0] == 0
    assert losses(runs) == before


def test_what_killed_processes_have_left_goes_and_what_others_write_stays(
    runs: Path, ablate: Callable[..., tuple[int, str]]
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    mine = temporary_name("study.yaml")
    dead = mine.replace(f"-{os.getpid()}-", f"-{gone.pid}-")
    old = [runs / "orders" / ".probe-0a1b2c3d", cells(runs)[0] / ".result.json.0a1b2c3d.tmp"]
    for path in old:
        path.touch()
        os.utime(path, (0, 0))
    places = [runs / "orders", runs / "orders" / "figures", *cells(runs)]
    for place in places:
        place.mkdir(exist_ok=True)
        for name in (mine, dead):
            (place / name).touch()
    assert ablate(*TINY, *ARMS, CLAIM)[0] == 0
    assert all((place / mine).exists() and not (place / dead).exists() for place in places)
    assert not any(path.exists() for path in old)
    assert not list(runs.rglob(".probe*"))


LINKS = [
    "cells",
    "figures",
    "study.yaml",
    "report.html",
    "cell",
    "cell/log.txt",
    "cell/history.csv",
    "cell/result.json",
]


@pytest.mark.parametrize("name", LINKS)
def test_a_study_never_writes_where_a_link_leads(
    runs: Path, tmp_path: Path, ablate: Callable[..., tuple[int, str]], name: str
) -> None:
    path = runs / "orders" / name.replace("cell/", f"cells/{cells(runs)[0].name}/")
    if name == "cell":
        path = cells(runs)[0]
    victim = tmp_path / "victim"
    if path.is_dir():
        path.rename(victim)
    else:
        victim.write_text("mine")
        path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(victim)
    before = tree(victim) if victim.is_dir() else victim.read_text()
    for command in ([*TINY, *ARMS[:3], CLAIM, "study.seeds=2"], ["report", "runs/orders"]):
        code, said = ablate(*command)
        assert code == 2
        assert said.count("\n") == 1
        assert f"orders/{path.relative_to(runs / 'orders')} is a link to {victim}" in said
    assert (tree(victim) if victim.is_dir() else victim.read_text()) == before


def test_a_whole_store_may_lie_behind_a_link(
    runs: Path, tmp_path: Path, ablate: Callable[..., tuple[int, str]]
) -> None:
    runs.rename(tmp_path / "elsewhere")
    runs.symlink_to(tmp_path / "elsewhere")
    assert ablate(*TINY, *ARMS, CLAIM)[0] == 0


@pytest.mark.parametrize("number", ["EOPNOTSUPP", "ENOLCK", "EIO", "ESTALE", "EROFS"])
def test_a_file_system_without_locks_is_refused(
    runs: Path, ablate: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    import errno
    import fcntl

    def refuse(*arguments: object) -> None:
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))

    monkeypatch.setattr(fcntl, "flock", refuse)
    code, said = ablate(*TINY, *ARMS, CLAIM)
    assert code == 2
    reason = os.strerror(getattr(errno, number))
    lock = runs / ".locks" / "study-orders.lock"
    assert said == f"ablate: cannot lock {lock}: {reason}; {locks.OTHER_STORE}\n"


@pytest.mark.parametrize(("mode", "shared"), [(0o755, 0o644), (0o775, 0o664), (0o2775, 0o664), (0o1777, 0o666)])
def test_who_may_write_into_a_store_may_take_its_locks(tmp_path: Path, mode: int, shared: int) -> None:
    before = os.umask(0o022)
    try:
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs").chmod(mode)
        folder = locks.make_locks_folder(tmp_path / "runs" / ".locks")
        with locks.locked(folder / "cell.lock"):
            pass
    finally:
        os.umask(before)
    assert (folder / "cell.lock").stat().st_mode & 0o777 == shared
    assert folder.stat().st_mode & 0o777 == mode & 0o777
    assert not folder.stat().st_mode & 0o1000, "in a sticky folder nobody opens what somebody else has made"


@pytest.mark.parametrize(
    "content", ["", "id: 3\nconfig: {}\n", "id: x\narm: a\nfactors: {}\ncode: y\nconfig: {seed: z}\n"]
)
def test_a_cell_that_does_not_say_where_it_belongs_comes_back_with_its_command(
    runs: Path, ablate: Callable[..., tuple[int, str]], content: str
) -> None:
    before = losses(runs, "single")
    (runs / "single" / "study.yaml").write_text("name: si")
    first = next(cell for cell in cells(runs, "single") if "-s5-" in cell.name)
    (first / "cell.yaml").write_text(content)
    assert ablate(*TINY, "seed=6")[0] == 0
    assert len(losses(runs, "single")) == 1
    finished = (first / "result.json").read_bytes()
    assert ablate(*TINY, "seed=5")[0] == 0
    assert sorted(losses(runs, "single")) == sorted(before)
    assert (first / "result.json").read_bytes() == finished, "it is not trained again"

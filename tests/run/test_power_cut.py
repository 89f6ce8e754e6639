"""The power goes at any moment of a study: the same command finishes the rest, and the numbers are the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ablate import load_results, registry
from ablate.__main__ import main
from tests.run.in_process import register_engine
from tests.run.power import Recorder

STUDY = [
    "depth=8", "width=0.25", "trainer.epochs=2", "data.batch_size=500", "engine=here", "study.name=orders",
    "+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.seeds=1", "study.keep=weights",
    "probes=[gradient_norm]",
    "+study.claims=[{id: c, contrast: {post: 1, pre: -1}, expect: positive, margin: 0.1}]",
]  # fmt: skip
COLUMNS = ["cell", "status", "train/loss", "train/error", "test/loss", "test/error"]

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cells in this process, and a page that is quickly drawn: its pictures take seconds, at every moment anew."""
    monkeypatch.setattr("ablate.report.figures.Figure.svg", property(lambda figure: "<svg></svg>"))
    with registry.isolated():
        register_engine()
        yield


def run(folder: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Run the study in a folder, and give what it said."""
    capfd.readouterr()
    with chdir(folder):
        code = main(STUDY)
    captured = capfd.readouterr()
    said = captured.out + captured.err
    assert code == 0, said
    return said


@contextmanager
def chdir(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def results(folder: Path) -> list[list[object]]:
    frame = load_results(folder / "runs" / "orders")
    return frame[COLUMNS].to_numpy().tolist()


def goes_on(folder: Path, expected: list[list[object]], capfd: pytest.CaptureFixture[str]) -> str:
    """Run the study on what is left, hold its numbers against those of an undisturbed one, and run it once more."""
    said = run(folder, capfd)
    assert results(folder) == expected
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("result.json")}
    run(folder, capfd)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("result.json")} == written, "nothing is done twice"
    return said


@pytest.mark.parametrize("ahead", [False, True], ids=["only what was synced", "names ahead of contents"])
def test_a_power_cut_after_any_sync(tmp_path: Path, capfd: pytest.CaptureFixture[str], ahead: bool) -> None:
    work, kept = tmp_path / "work", tmp_path / "kept"
    for folder in (work, kept):
        folder.mkdir()
    recorder = Recorder(work, kept)
    with recorder.recording():
        run(work, capfd)
    expected = results(work)
    assert len(recorder.cuts) > 40, "every file of the store is synced"
    seen: set[str] = set()
    finished: set[str] = set()
    for cut in recorder.cuts:
        place = tmp_path / "left"
        digest = cut.put_back(work, place, ahead=ahead)
        if digest in seen:
            continue
        seen.add(digest)
        whole = {path.parent.name for path in place.rglob("result.json")}
        assert finished <= whole, "a cell that was finished stays finished"
        finished = whole
        said = goes_on(place, expected, capfd)
        assert "result.json" not in said, "no result is ever half written"
    assert len(finished) == 2
    assert len(seen) > 20


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Mounts a file as an ext4 file system; gives where."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("needs root and mkfs.ext4, to mount a file system of its own")
    mounted: list[Path] = []

    def mount(file: Path) -> Path:
        place = tmp_path / f"mounted {file.name}"
        place.mkdir(exist_ok=True)
        done = subprocess.run(["mount", "-o", "loop", file, place], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no loop device can be mounted here: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", place], capture_output=True, check=False)


def test_a_power_cut_of_a_real_file_system(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], image: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image of an ext4 is copied after every sync and every rename, as a cut would leave it, and mounted again."""
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(16 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    place = image(disk)
    copies: list[Path] = []

    def copied(call: Callable[..., None]) -> Callable[..., None]:
        def wrapped(*arguments: object) -> None:
            call(*arguments)
            copies.append(tmp_path / f"disk {len(copies)}")
            subprocess.run(["cp", "--sparse=always", disk, copies[-1]], check=True)

        return wrapped

    with monkeypatch.context() as patched:
        for name in ("fsync", "replace"):
            patched.setattr(os, name, copied(getattr(os, name)))
        run(place, capfd)
    expected = results(place)
    subprocess.run(["umount", place], check=True)
    assert len(copies) > 60
    finished = 0
    for copy in copies:
        left = image(copy)
        results_left = len(list(left.rglob("result.json")))
        assert results_left >= finished, "a cell that was finished stays finished"
        finished = results_left
        goes_on(left, expected, capfd)
        subprocess.run(["umount", left], check=True)
        copy.unlink()
    assert finished == 2

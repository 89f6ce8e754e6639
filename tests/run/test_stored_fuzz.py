"""Every file of a stored study, damaged in any way: what can be made anew is, and the rest is told in a few lines."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablate import load_results, registry
from ablate.__main__ import main
from tests.run.in_process import register_engine

TINY = ["depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500", "engine=here", "study.name=orders"]
CLAIM = "+study.claims=[{id: c, contrast: {post: 1, pre: -1}, expect: positive, margin: 0.1}]"
KEPT = ["study.keep=weights", "probes=[gradient_norm]", "measurements=[calibration]", "tracker=jsonl"]
STUDY = [*TINY, "+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.seeds=1", CLAIM, *KEPT]
EXAMPLES = int(os.environ.get("ABLATE_FUZZ_EXAMPLES", "60"))
SAME = "ABLATE_FUZZ_EXAMPLES" not in os.environ  # in CI the same ones each time
MOST_LINES = 12  # that a command says of broken files, besides its table


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with a finished study, and the registry of its engine."""
    folder = tmp_path_factory.mktemp("stored")
    before = Path.cwd()
    os.chdir(folder)
    with registry.isolated(), pytest.MonkeyPatch.context() as patched:
        # Pictures take seconds to draw, and are drawn anew for each damage.
        patched.setattr("ablate.report.figures.Figure.svg", property(lambda figure: "<svg></svg>"))
        register_engine()
        assert main(STUDY) == 0
        assert not list(folder.rglob("last.ckpt"))
        yield folder
    os.chdir(before)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@st.composite
def damages(draw: st.DrawFn) -> tuple[int, str, int, int, bytes]:
    """Which file, what is done to it, where, over how much, and with what."""
    kind = draw(st.sampled_from(["cut", "overwrite", "insert", "remove", "empty", "delete", "other", "folder", "pipe"]))
    place, length = draw(st.integers(0, 10**6)), draw(st.integers(1, 400))
    return draw(st.integers(0, 10**4)), kind, place, length, draw(st.binary(max_size=40))


def damage(path: Path, kind: str, place: int, length: int, content: bytes, another: Path) -> None:
    before = path.read_bytes()
    place = place % (len(before) + 1)
    after = {
        "cut": before[:place],
        "overwrite": before[:place] + content + before[place + len(content) :],
        "insert": before[:place] + content + before[place:],
        "remove": before[:place] + before[place + length :],
        "empty": b"",
        "other": another.read_bytes(),
    }
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "delete":
        path.write_bytes(after[kind])


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=SAME)
@given(wounds=st.lists(damages(), min_size=1, max_size=3))
@pytest.mark.slow
def test_a_damaged_study_is_mended_or_told_of(
    stored: Path, tmp_path_factory: pytest.TempPathFactory, capfd: pytest.CaptureFixture[str], wounds: list[tuple]
) -> None:
    folder = tmp_path_factory.mktemp("damaged", numbered=True) / "here"
    shutil.copytree(stored, folder)
    names = files(folder / "runs" / "orders")
    told = []
    for number, kind, place, length, content in wounds:
        path, another = (folder / "runs" / "orders" / names[k % len(names)] for k in (number, number + place))
        if path.is_file() and another.is_file():
            damage(path, kind, place, length, content, another)
            told.append((path.name, kind))
    os.chdir(folder)
    for command in (["report", "runs/orders"], STUDY, ["report", "runs/orders"], STUDY):
        capfd.readouterr()
        code = main(command)
        captured = capfd.readouterr()
        said = captured.out + captured.err
        assert "Traceback" not in said, (told, said)
        # A folder in the place of a cell's file may hold what somebody wants: its cell is refused.
        assert code in (0, 2) or (code == 1 and "folder" in dict(told).values()), (told, said)
        if code == 2:
            assert captured.err.count("\n") == 1, (told, captured.err)
            assert "runs/orders" in captured.err, (told, captured.err)
        assert len([line for line in said.splitlines() if "runs/orders" in line]) <= MOST_LINES, (told, said)
    if code and any(kind == "folder" for _, kind in told):
        os.chdir(stored)
        return  # a folder in the place of a file may hold what somebody wants: it is named, and stays
    assert code == 0, f"twice the same command, and still it is not mended: {told}: {said}"
    frame = load_results("runs/orders")
    assert list(frame["status"]) == ["done", "done"], (told, frame["reason"])
    assert all(math.isfinite(value) for value in frame["train/loss"]), told
    verdicts = json.loads(Path("runs/orders/verdicts.json").read_text())
    assert [claim["id"] for claim in verdicts["claims"]] == ["c"], told
    os.chdir(stored)
    shutil.rmtree(folder)

"""Data that cannot be trained on: exit 2 and one line, in a plan and in a run, before anything is trained."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ablate.__main__ import main
from tests import published

CELL = ("depth=8", "width=0.25", "trainer.epochs=1", "augment=none")
VERBS = pytest.mark.parametrize("verb", [[], ["plan"]], ids=["run", "plan"])
FOLDER = ("data=imagefolder", "data.root=d", "data.classes=2", "data.size=16", "data.batch_size=4")


@pytest.fixture
def folder(here: Path) -> Path:
    """Two classes of four pictures of 16x16 pixels."""
    image = pytest.importorskip("PIL.Image", reason="needs the extra `images`")
    random = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("a", "b"):
            (here / "d" / part / name).mkdir(parents=True)
            for n in range(4):
                pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                image.fromarray(pixels).save(here / "d" / part / name / f"{n}.png")
    return here / "d"


def unsorted(folder: Path) -> str:
    for name in ("a", "b"):
        for file in sorted((folder / "val" / name).iterdir()):
            file.rename(folder / "val" / f"{name}{file.name}")
        (folder / "val" / name).rmdir()
    return "d/val holds pictures outside of folders of classes (a0.png, a1.png, a2.png, a3.png, b0.png and 3 more)"


def dangling(folder: Path) -> str:
    (folder / "train" / "a" / "z.png").symlink_to("/gone.png")
    return "d/train/a/z.png is a link that leads to /gone.png, which is not here"


def one_class_more(folder: Path) -> str:
    shutil.copytree(folder / "train" / "a", folder / "train" / "c")
    return "d/train has 3 classes (a, b, c), and data.classes=2"


def emptied(folder: Path) -> str:
    (folder / "val" / "b" / "1.png").write_bytes(b"")
    return "d/val/b holds empty files: 1.png"


@VERBS
@pytest.mark.parametrize("resize", ["null", "16"])
@pytest.mark.parametrize("spoil", [unsorted, dangling, one_class_more, emptied])
def test_what_listing_can_know_ends_a_command(
    folder: Path, refused: Callable[..., str], spoil: Callable[[Path], str], resize: str, verb: list[str]
) -> None:
    message = spoil(folder)
    assert message in refused(*verb, *FOLDER, f"data.resize={resize}", *CELL)
    assert not Path("runs").exists()


@VERBS
def test_a_picture_that_is_cut_off_ends_a_command_where_all_are_kept_in_memory(
    folder: Path, refused: Callable[..., str], verb: list[str]
) -> None:
    file = folder / "train" / "b" / "2.png"
    file.write_bytes(file.read_bytes()[:300])
    said = refused(*verb, *FOLDER, "data.resize=null", *CELL)
    assert said.startswith("d/train/b/2.png cannot be read as a picture (")


def test_a_picture_that_is_cut_off_is_named_where_they_are_read_one_by_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "train" / "b" / "2.png"
    file.write_bytes(file.read_bytes()[:300])
    assert main([*FOLDER, "data.resize=16", *CELL]) == 1
    out, _ = capsys.readouterr()
    assert "d/train/b/2.png cannot be read as a picture" in " ".join(out.split())
    assert "Traceback" not in out


def test_hidden_folders_and_files_change_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hidden = folder / "train" / ".ipynb_checkpoints"
    shutil.copytree(folder / "train" / "a", hidden)
    for name in (".DS_Store", "._0.png", "Thumbs.db"):
        (folder / "val" / "a" / name).write_bytes(b"x")
    assert main([*FOLDER, "data.resize=null", *CELL]) == 0


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2000])


def half_extracted(root: Path) -> str:
    published.write_cifar10(root)
    for number in (2, 3, 4, 5):
        (root / "cifar-10-batches-py" / f"data_batch_{number}").unlink()
    return "data/cifar-10-batches-py holds a part of CIFAR-10 (data_batch_2, data_batch_3, data_batch_4, data_batch_5"


def cut_archive(root: Path) -> str:
    root.mkdir()
    archive = root / "cifar-10-python.tar.gz"
    archive.write_bytes(published.cifar10_archive())
    cut(archive)
    return "data/cifar-10-python.tar.gz is not a whole archive of this data set"


def cut_batch(root: Path) -> str:
    published.write_cifar10(root, 8)
    cut(root / "cifar-10-batches-py" / "test_batch")
    return "data/cifar-10-batches-py/test_batch is not a CIFAR-10 batch"


def cut_gzip(root: Path) -> str:
    published.write_mnist(root, 40)
    cut(root / "mnist" / "t10k-images-idx3-ubyte.gz")
    return "data/mnist/t10k-images-idx3-ubyte.gz cannot be read"


def cut_mat(root: Path) -> str:
    published.write_svhn(root, 40)
    cut(root / "svhn" / "train_32x32.mat")
    return "data/svhn/train_32x32.mat is not an SVHN file"


@VERBS
@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("cifar10", half_extracted),
        ("cifar10", cut_archive),
        ("cifar10", cut_batch),
        ("mnist", cut_gzip),
        ("svhn", cut_mat),
    ],
)
def test_half_a_published_set_ends_a_command(
    here: Path, refused: Callable[..., str], name: str, spoil: Callable[[Path], str], verb: list[str]
) -> None:
    message = spoil(here / "data")
    assert message in refused(*verb, f"data={name}", *CELL)
    assert not Path("runs").exists()

"""CIFAR-100, MNIST, Fashion-MNIST and SVHN in their published formats, whole and broken."""

from __future__ import annotations

import errno
import gzip
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch

from ablate import DataSet, InputError, registry
from ablate.config.compose import prepare
from tests.cells import tiny_cell

from .. import published


def build(name: str, root: Path, **options: Any) -> DataSet:
    prepare()
    return registry.build("data", {"name": name, "root": root, **options})


def load(name: str, root: Path) -> Any:
    return build(name, root).load()


# CIFAR


def test_cifar100_has_the_fine_labels(tmp_path: Path) -> None:
    published.write_cifar100(tmp_path, 30)
    splits = load("cifar100", tmp_path)
    content = published.batch_100(30, 0)
    assert splits.train.labels.tolist() == content[b"fine_labels"]
    assert torch.equal(splits.train.images[7].flatten(), torch.from_numpy(content[b"data"][7]))
    assert splits.test.images.shape == (30, 3, 32, 32)
    assert build("cifar100", tmp_path).classes == 100


def test_an_archive_that_lies_there_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(published.cifar10_archive())
    data = build("cifar10", tmp_path)
    data.check()
    assert len(list((tmp_path / "cifar-10-batches-py").iterdir())) == 6
    assert data.load().train.labels.shape == (20,)


@pytest.mark.parametrize("damage", [lambda c: c[:-2000], lambda c: b"", lambda c: b"<html>", lambda c: c[:50]])
def test_a_broken_archive_is_named_and_leaves_no_folder(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(damage(published.cifar10_archive()))
    with pytest.raises(InputError) as error:
        load("cifar10", tmp_path)
    assert str(error.value).startswith(f"{archive} is not a whole archive of this data set")
    assert "\n" not in str(error.value)
    assert [file.name for file in tmp_path.iterdir() if file.is_dir()] == []


@pytest.mark.parametrize("damage", [lambda c: c[:-2000], lambda c: b"x\n", lambda c: c[: len(c) // 2]])
def test_a_plan_looks_into_an_archive_and_unpacks_nothing(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive = tmp_path / "cifar-10-python.tar.gz"
    archive.write_bytes(published.cifar10_archive())
    assert build("cifar10", tmp_path).look() is False
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(InputError, match=f"{archive} is not a whole archive of this data set"):
        build("cifar10", tmp_path).look()
    assert list(tmp_path.iterdir()) == [archive]


def some_missing(folder: Path) -> None:
    for name in ("data_batch_3", "test_batch"):
        (folder / name).unlink()


def last_empty(folder: Path) -> None:
    (folder / "test_batch").write_bytes(b"")


def nothing_in_it(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


PARTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "some missing": (some_missing, "data_batch_3, test_batch"),
    "the last empty": (last_empty, "test_batch"),
    "nothing in it": (
        nothing_in_it,
        "data_batch_1, data_batch_2, data_batch_3, data_batch_4, data_batch_5, test_batch",
    ),
}


@pytest.mark.parametrize("download", [True, False])
@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize(("spoil", "lacking"), PARTS.values(), ids=PARTS)
def test_what_an_unpacking_that_was_cut_off_left_is_named(
    tmp_path: Path, spoil: Callable[[Path], None], lacking: str, archive: bool, download: bool
) -> None:
    """Nothing is fetched: there would be no place for it."""
    published.write_cifar10(tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    spoil(folder)
    if archive:
        (tmp_path / "cifar-10-python.tar.gz").write_bytes(published.cifar10_archive())
    for asked in ("look", "check", "load"):
        with pytest.raises(InputError) as error:
            getattr(build("cifar10", tmp_path, download=download), asked)()
        lead, _, remedy = str(error.value).partition("; remove the folder, and ")
        assert lead == (
            f"{folder} holds a part of CIFAR-10 ({lacking} missing or empty), as an unpacking that was cut off leaves "
            "it"
        )
        put = "put cifar-10-python.tar.gz (https://www.cs.toronto.edu/~kriz/cifar.html) into "
        assert remedy.startswith(f"{tmp_path}/cifar-10-python.tar.gz is unpacked anew" if archive else put)


def test_what_it_says_helps(tmp_path: Path) -> None:
    published.write_cifar10(tmp_path)
    some_missing(tmp_path / "cifar-10-batches-py")
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(published.cifar10_archive())
    shutil.rmtree(tmp_path / "cifar-10-batches-py")
    assert build("cifar10", tmp_path).load().train.labels.shape == (20,)


def test_a_full_disk_while_unpacking_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(published.cifar10_archive())

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    folder = tmp_path / "cifar-10-batches-py"
    with pytest.raises(InputError, match=f"cannot write {folder}: No space left on device"):
        load("cifar10", tmp_path)
    assert [file.name for file in tmp_path.iterdir() if file.is_dir()] == []


# MNIST


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_read_packed_and_unpacked(tmp_path: Path, name: str, packed: bool) -> None:
    published.write_mnist(tmp_path, 6, name, packed=packed)
    splits = load(name, tmp_path)
    random = np.random.default_rng(0)
    assert torch.equal(splits.train.images[:, 0], torch.from_numpy(random.integers(0, 256, (6, 28, 28), np.uint8)))
    assert torch.equal(splits.train.labels, torch.from_numpy(random.integers(0, 10, 6, np.uint8)).long())
    assert splits.test.images.shape == (6, 1, 28, 28)


def test_a_missing_file_says_what_to_put_where(tmp_path: Path) -> None:
    published.write_mnist(tmp_path)
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError) as error:
        build("mnist", tmp_path).check()
    assert str(error.value) == (
        f"MNIST is not in {tmp_path}/mnist: t10k-labels-idx1-ubyte missing; put train-images-idx3-ubyte.gz, "
        "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz "
        f"(http://yann.lecun.com/exdb/mnist) into {tmp_path}/mnist, or set data.root, data.download=true, or "
        "data.source=hub"
    )


IMAGES = published.idx(np.zeros((4, 28, 28), dtype=np.uint8))
BROKEN_IDX = {
    "cut off": (gzip.compress(IMAGES[:-5]), "is cut off: 3131 values where its header says 3136"),
    "gzip cut off": (gzip.compress(IMAGES)[:-9], "cannot be read"),
    "no gzip": (IMAGES, "cannot be read"),
    "empty": (b"", "is empty, as a copy that was cut off leaves it; remove it and get it again"),
    "labels": (gzip.compress(published.idx(np.zeros(4, dtype=np.uint8))), "is not an IDX file of bytes with 3"),
    "too many": (gzip.compress(IMAGES + b"x"), "is cut off: 3137 values where its header says 3136"),
    "of ints": (gzip.compress(bytes([0, 0, 12, 3]) + IMAGES[4:]), "is not an IDX file of bytes"),
    "other size": (gzip.compress(published.idx(np.zeros((4, 32, 32), dtype=np.uint8))), r"images \(4, 32, 32\)"),
    "coloured": (gzip.compress(published.idx(np.zeros((4, 28, 28, 3), dtype=np.uint8))), "is not an IDX file"),
    "fewer": (gzip.compress(published.idx(np.zeros((3, 28, 28), dtype=np.uint8))), r"labels \(4,\)"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN_IDX.values(), ids=BROKEN_IDX)
def test_a_broken_idx_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    published.write_mnist(tmp_path)
    file = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        load("mnist", tmp_path)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_labels_out_of_range_are_named(tmp_path: Path) -> None:
    published.write_mnist(tmp_path)
    file = tmp_path / "mnist" / "train-labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(published.idx(np.array([0, 1, 10, 2], dtype=np.uint8))))
    with pytest.raises(InputError, match=f"{file} has label 10; labels are 0 to 9"):
        load("mnist", tmp_path)


# SVHN


def test_svhn_has_0_for_the_files_10(tmp_path: Path) -> None:
    published.write_svhn(tmp_path, 40)
    splits = load("svhn", tmp_path)
    content = published.svhn(40, 0)
    assert 10 in content["y"]
    assert splits.train.labels.tolist() == [label % 10 for label in content["y"][:, 0].tolist()]
    assert int(splits.train.images[5, 2, 3, 7]) == content["X"][3, 7, 2, 5]
    assert splits.train.images.is_contiguous()


BROKEN_MAT: dict[str, dict[str, Any] | bytes] = {
    "text": b"not a file of MATLAB's at all, but long enough to hold its header, which takes up 128 bytes" * 3,
    "no X": {"y": published.svhn(4, 0)["y"]},
    "grey": {**published.svhn(4, 0), "X": published.svhn(4, 0)["X"][:, :, :1]},
    "fewer labels": {**published.svhn(4, 0), "y": published.svhn(3, 0)["y"]},
    "floats": {**published.svhn(4, 0), "X": published.svhn(4, 0)["X"] / 255},
    "label 0": {**published.svhn(4, 0), "y": np.array([[0], [1], [2], [3]])},
    "label 11": {**published.svhn(4, 0), "y": np.array([[11], [1], [2], [3]])},
}


@pytest.mark.parametrize("content", BROKEN_MAT.values(), ids=BROKEN_MAT)
def test_a_broken_svhn_file_is_named(tmp_path: Path, content: dict[str, Any] | bytes) -> None:
    published.write_svhn(tmp_path)
    file = tmp_path / "svhn" / "test_32x32.mat"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        scipy.io.savemat(file, content)
    with pytest.raises(InputError) as error:
        load("svhn", tmp_path)
    assert str(error.value).startswith(f"{file} is not an SVHN file")
    assert "\n" not in str(error.value)


def test_an_empty_svhn_file_is_named(tmp_path: Path) -> None:
    published.write_svhn(tmp_path)
    (tmp_path / "svhn" / "test_32x32.mat").write_bytes(b"")
    for asked in ("look", "check", "load"):
        with pytest.raises(InputError, match=f"{tmp_path}/svhn/test_32x32.mat is empty, .* remove it"):
            getattr(build("svhn", tmp_path), asked)()


def test_a_cut_off_svhn_file_is_named(tmp_path: Path) -> None:
    published.write_svhn(tmp_path, 40)
    file = tmp_path / "svhn" / "train_32x32.mat"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(InputError, match=f"{file} is not an SVHN file"):
        load("svhn", tmp_path)


# All of them

PUBLISHED = ["cifar10", "cifar100", "mnist", "fashion_mnist", "svhn"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_file_has_a_name_and_a_hash(name: str, tmp_path: Path) -> None:
    data: Any = build(name, tmp_path)
    assert data.remotes
    for remote in data.remotes:
        assert remote.url.endswith(f"/{remote.name}")
        assert re.fullmatch("[0-9a-f]{32}", remote.md5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_where_nothing_is_a_plan_does_without(name: str, tmp_path: Path) -> None:
    assert build(name, tmp_path).look() is False


@pytest.mark.parametrize(("download", "missing"), [(False, True), (True, False)])
def test_a_plan_refuses_a_part_that_nothing_completes(tmp_path: Path, download: bool, missing: bool) -> None:
    published.write_mnist(tmp_path)
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    data = build("mnist", tmp_path, download=download)
    if not missing:
        assert data.look() is False
        return
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte missing; put"):
        data.look()


@pytest.mark.parametrize("name", PUBLISHED)
def test_nothing_there_is_one_line_before_any_cell(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"is not in {tmp_path}.* missing; put .* into {tmp_path}") as error:
        build(name, tmp_path).check()
    assert "\n" not in str(error.value)


def test_how_the_files_get_here_is_no_part_of_a_cell() -> None:
    assert tiny_cell("data=cifar10", "data.download=true").id == tiny_cell("data=cifar10").id
    assert tiny_cell("data=cifar10", "data.root=elsewhere").id == tiny_cell("data=cifar10").id
    assert tiny_cell("data=cifar10", "data.source=hub").id != tiny_cell("data=cifar10").id

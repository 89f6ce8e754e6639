from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablate import DataSet, InputError, Splits, registry
from ablate.config.compose import prepare
from tests.published import as_python_2_wrote_it, batch, write_cifar10


def build(name: str, **options: Any) -> DataSet:
    prepare()
    return registry.build("data", {"name": name, **options})


# digits


@pytest.fixture(scope="module")
def digits() -> Splits:
    return build("digits").load()


def test_digits_is_split_in_1437_and_360(digits: Splits) -> None:
    for split, samples in ((digits.train, 1437), (digits.test, 360)):
        assert split.images.shape == (samples, 1, 8, 8)
        assert split.labels.shape == (samples,)
        assert (split.images.dtype, split.labels.dtype) == (torch.uint8, torch.int64)


def test_digits_keeps_the_17_grey_levels(digits: Splits) -> None:
    assert digits.train.images.unique().tolist() == list(range(17))


@pytest.mark.parametrize(("side", "pixel"), [(16, 2), (4, 0.5)])
def test_digits_can_have_another_size(digits: Splits, side: int, pixel: float) -> None:
    data = build("digits", side=side)
    images = data.load().test.images
    assert (data.size, tuple(images.shape)) == ((side, side), (360, 1, side, side))
    if pixel == 2:
        assert torch.equal(images[:, :, ::2, 1::2], digits.test.images)
    else:
        means = digits.test.images.double().unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5))
        assert torch.equal(images, (means + 0.5).floor().to(torch.uint8))


def test_digits_is_split_by_class(digits: Splits) -> None:
    in_test = np.bincount(digits.test.labels)
    share = in_test / (in_test + np.bincount(digits.train.labels))
    assert np.abs(share - 0.2).max() < 0.005


def test_no_digit_is_lost_or_in_both_splits(digits: Splits) -> None:
    from sklearn.datasets import load_digits

    given = [
        (image.numpy().tobytes(), int(label))
        for s in (digits.train, digits.test)
        for image, label in zip(s.images, s.labels, strict=True)
    ]
    source = load_digits()
    expected = [
        (image.astype(np.uint8).tobytes(), int(label))
        for image, label in zip(source.images, source.target, strict=True)
    ]
    assert sorted(given) == sorted(expected)


def test_the_split_of_digits_is_fixed(digits: Splits) -> None:
    torch.manual_seed(5)
    np.random.seed(5)
    again = build("digits", batch_size=7).load()
    assert torch.equal(again.test.images, digits.test.images)
    digests = [
        hashlib.sha256(s.images.numpy().tobytes() + s.labels.numpy().tobytes()) for s in (digits.train, digits.test)
    ]
    recorded = ["97718f82d4f252d4", "3ea49a6c5c1f0810"]
    assert [digest.hexdigest()[:16] for digest in digests] == recorded, "another split: earlier results do not compare"


# cifar10


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_cifar10(tmp_path)
    return tmp_path


def test_cifar10_reads_the_published_format(root: Path) -> None:
    data = build("cifar10", root=root)
    data.check()
    splits = data.load()
    assert splits.train.images.shape == (20, 3, 32, 32)
    assert splits.test.images.shape == (4, 3, 32, 32)
    assert splits.train.images.dtype == torch.uint8
    second = batch(4, 1)
    assert splits.train.labels[4:8].tolist() == second[b"labels"]
    # A row is the red plane, then the green, then the blue, each line by line.
    assert splits.train.images[5, 2, 3, 7] == second[b"data"][1, 2 * 1024 + 3 * 32 + 7]


def test_cifar10_takes_its_folder_as_text_too(root: Path) -> None:
    assert len(build("cifar10", root=str(root)).load().test.labels) == 4


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch"])
def test_a_missing_file_is_named_before_anything_is_read(root: Path, name: str) -> None:
    (root / "cifar-10-batches-py" / name).unlink()
    for ask in (build("cifar10", root=root).check, build("cifar10", root=root).load):
        with pytest.raises(InputError, match=f"{root}.*{name} missing.*remove the folder.*cifar-10-python.tar.gz"):
            ask()


class Call:
    """Unpickled by a careless reader, it calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def with_labels(labels: Any) -> bytes:
    return as_python_2_wrote_it({**batch(4, 0), b"labels": labels})


def with_data(data: Any) -> bytes:
    return as_python_2_wrote_it({**batch(4, 0), b"data": data})


WHOLE = as_python_2_wrote_it(batch(4, 0))
BROKEN = {
    "truncated": WHOLE[:-200],
    "text": b"not a pickle at all",
    "html": b"<!DOCTYPE html><html></html>",
    "malicious": pickle.dumps({**batch(4, 0), b"more": Call(os.getcwd)}),
    "no dictionary": pickle.dumps([1, 2, 3]),
    "keys as text": pickle.dumps({"data": batch(4, 0)[b"data"], "labels": [1, 2, 3, 4]}),
    "no labels": as_python_2_wrote_it({b"data": batch(4, 0)[b"data"]}),
    "label too large": with_labels([1, 2, 3, 10]),
    "label negative": with_labels([1, 2, -1, 3]),
    "labels as text": with_labels([b"cat", b"dog", b"cat", b"dog"]),
    "too few labels": with_labels([1, 2, 3]),
    "labels as a number": with_labels(3),
    "images too small": with_data(np.zeros((4, 784), dtype=np.uint8)),
    "images in a row": with_data(np.zeros(4 * 3072, dtype=np.uint8)),
    "images as floats": with_data(np.zeros((4, 3072))),
    "images as objects": with_data(np.array([None] * 4)),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_line_that_names_it(root: Path, content: bytes) -> None:
    file = root / "cifar-10-batches-py" / "data_batch_2"
    file.write_bytes(content)
    with pytest.raises(InputError) as error:
        build("cifar10", root=root).load()
    assert str(error.value).startswith(f"{file} is not a CIFAR-10 batch")
    assert "\n" not in str(error.value)


def test_a_pickle_cannot_run_code(root: Path, tmp_path: Path) -> None:
    attack = pickle.dumps(Call(Path.touch, tmp_path / "owned"))
    (root / "cifar-10-batches-py" / "data_batch_1").write_bytes(attack)
    with pytest.raises(InputError, match="which no array needs"):
        build("cifar10", root=root).load()
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_a_batch_holds_at_least_one_image(name: str) -> None:
    with pytest.raises(InputError, match=r"data\.batch_size=0"):
        build(name, batch_size=0)

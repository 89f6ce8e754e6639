"""Digits on clutter: what is drawn, and how it is kept."""

from __future__ import annotations

import errno
import hashlib
import math
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from ablate import DataSet, InputError, Split, registry
from ablate.config.compose import prepare
from ablate.measure.trained import CellNetwork
from tests.cells import fit, tiny_cell, training_of

SMALL = {"train": 600, "test": 200}


def build(cache: Path, **options: Any) -> DataSet:
    prepare()
    return registry.build("data", {"name": "cluttered_digits", "cache": cache, **SMALL, **options})


def load(cache: Path, **options: Any) -> tuple[Split, Split]:
    splits = build(cache, **options).load()
    return cast(Split, splits.train), cast(Split, splits.test)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_images_are_coloured_and_classes_alike(cache: Path) -> None:
    for split, samples in zip(load(cache, train=1000, test=1000), (1000, 1000), strict=True):
        assert split.images.shape == (samples, 3, 32, 32)
        assert (split.images.dtype, split.labels.dtype) == (torch.uint8, torch.int64)
        assert torch.bincount(split.labels).tolist() == [100] * 10
    images = split.images.double()
    assert (images.std(dim=(2, 3)) > 10).all(), "no image is flat"
    assert ((images[:, 0] - images[:, 1]).abs().mean(dim=(1, 2)) > 3).double().mean() > 0.9, "they are not grey"


def test_the_images_of_a_seed_are_fixed(tmp_path: Path) -> None:
    torch.manual_seed(5)
    np.random.seed(5)
    digests = [hashlib.sha256(s.images.numpy().tobytes() + s.labels.numpy().tobytes()) for s in load(tmp_path)]
    recorded = ["7bfdf4ca33da3150", "4e10e1406cc9a2d6"]
    assert [digest.hexdigest()[:16] for digest in digests] == recorded, "other images: earlier results do not compare"


def test_a_smaller_set_is_the_beginning_of_a_larger_one(cache: Path) -> None:
    (small, _), (large, _) = load(cache), load(cache, train=1500)
    assert torch.equal(small.images, large.images[:600])
    assert torch.equal(small.labels, large.labels[:600])


def test_another_seed_draws_other_images(cache: Path) -> None:
    (one, _), (other, _) = load(cache), load(cache, seed=1)
    assert not torch.equal(one.images, other.images)
    assert len({image.numpy().tobytes() for image in torch.cat([one.images, other.images])}) == 1200


@pytest.mark.parametrize("side", [8, 16, 24, 64])
def test_at_another_size_a_pixel_is_the_mean_of_what_it_covers(cache: Path, side: int) -> None:
    data = build(cache, side=side)
    assert data.size == (side, side)
    least = math.lcm(side, 32)
    for small, made in zip((data.load().train, data.load().test), load(cache), strict=True):
        fine = made.images.double().repeat_interleave(least // 32, 2).repeat_interleave(least // 32, 3)
        means = torch.nn.functional.avg_pool2d(fine, least // side)
        assert torch.equal(cast(Split, small).images, (means + 0.5).floor().to(torch.uint8))
        assert torch.equal(small.labels, made.labels)


def test_its_size_is_part_of_a_cell_and_the_images_are_made_once(cache: Path) -> None:
    data = ["data=cluttered_digits", "data.train=50"]
    assert tiny_cell(*data, "data.side=32").id == tiny_cell(*data).id != tiny_cell(*data, "data.side=16").id
    assert cast(Any, build(cache, side=16)).file == cast(Any, build(cache)).file


def test_it_knows_how_large_each_digit_is(cache: Path) -> None:
    train, test = (build(cache, train=1200).traits(part)["digit_side"] for part in ("train", "test"))
    assert (train.shape, test.shape) == ((1200,), (200,))
    assert 14 <= min(train.min(), test.min()) < 14.5
    assert 23.5 < max(train.max(), test.max()) <= 24
    half = build(cache, side=16).traits("test")["digit_side"]
    torch.testing.assert_close(half, test / 2)
    with pytest.raises(InputError, match="unknown split 'valid'"):
        build(cache).traits("valid")


def test_the_sizes_are_those_of_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that is white all over covers the square of its side; at its edges it fades out."""
    data = build(tmp_path, test=1000)
    home = __import__(type(data).__module__, fromlist=["_parts"])
    white = [Split(torch.full_like(split.images, 16), split.labels) for split in home._parts()]
    monkeypatch.setattr(home, "_parts", lambda: white)
    clutter = __import__(home.chunk.__module__, fromlist=["FRAGMENTS"])
    scene = clutter._drawn(white[1].images[:, 0].numpy(), white[1].labels.numpy(), 0, 1, 0)
    area = clutter._rendered(scene.digits, scene.pose).sum(axis=1)
    side = data.traits("test")["digit_side"]
    torch.testing.assert_close(torch.from_numpy(area).sqrt(), side, rtol=0.04, atol=0)


def test_measurements_get_them_in_the_order_of_the_batches(cache: Path) -> None:
    options = ["data=cluttered_digits", "data.train=600", "data.test=200", f"data.cache={cache}"]
    training = training_of(*options)
    trained = CellNetwork(training.model, tiny_cell(*options).config)
    labels = torch.cat([labels for _, labels in trained.batches("test")])
    assert torch.equal(labels, load(cache)[1].labels)
    assert torch.equal(trained.traits("test")["digit_side"], build(cache).traits("test")["digit_side"])
    with pytest.raises(InputError, match="unknown split"):
        trained.traits("all")
    assert CellNetwork(training.model, tiny_cell().config).traits("test") == {}, "other data sets know nothing"


def test_each_split_is_made_of_its_own_scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With blank scans to test on, the test images change and the training images do not."""
    before = load(tmp_path / "before")
    data = build(tmp_path / "after")
    home = __import__(type(data).__module__, fromlist=["_parts"])
    train, test = home._parts()
    monkeypatch.setattr(home, "_parts", lambda: [train, Split(torch.zeros_like(test.images), test.labels)])
    after = data.load()
    assert torch.equal(cast(Split, after.train).images, before[0].images)
    assert not torch.equal(cast(Split, after.test).images, before[1].images)
    given = {image.numpy().tobytes() for image in train.images}
    assert not given & {image.numpy().tobytes() for image in test.images}


def test_the_digit_can_be_seen(cache: Path) -> None:
    """Nearest class mean of the training images tells nothing: the clutter hides the digits from simple methods."""
    train, test = load(cache, train=5000, test=1000)
    flat, other = train.images.flatten(1).double(), test.images.flatten(1).double()
    means = torch.stack([flat[train.labels == label].mean(dim=0) for label in range(10)])
    assert (torch.cdist(other, means).argmin(dim=1) == test.labels).double().mean() < 0.25


@pytest.mark.slow
def test_a_small_network_learns_it(cache: Path) -> None:
    options = ["data=cluttered_digits", "data.train=5000", "data.test=1000", f"data.cache={cache}", "width=0.5"]
    training = fit(training_of(*options, "trainer.epochs=8", "data.batch_size=64"))
    assert training.history[-1]["test/error"] < 0.7, "chance is 0.9"


def test_it_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(tmp_path)
    data = build(tmp_path)
    monkeypatch.setattr(data, "_make", lambda: pytest.fail("made again"))
    again = data.load()
    assert torch.equal(cast(Split, again.train).images, first[0].images)
    assert [file.suffix for file in tmp_path.iterdir() if not file.name.startswith(".")] == [".npz"]


def test_where_it_is_kept_is_no_part_of_a_cell(tmp_path: Path) -> None:
    data = ["data=cluttered_digits", "data.train=50"]
    assert tiny_cell(*data, f"data.cache={tmp_path}").id == tiny_cell(*data).id
    assert tiny_cell(*data, "data.seed=1").id != tiny_cell(*data).id


def test_the_cache_is_the_users_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    prepare()
    data: Any = registry.build("data", {"name": "cluttered_digits"})
    assert data.file.is_relative_to(tmp_path)
    assert "ablate" in data.file.parts


def make(cache: Path, start: Any) -> None:
    start.wait()
    build(cache).check()


def test_processes_that_start_at_once_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(3)
    processes = [context.Process(target=make, args=(tmp_path, start)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(tmp_path.glob("*.npz"))) == 1
    assert not list(tmp_path.glob(".*.tmp"))


def full_disk(*arguments: Any, **options: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data: Any = build(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full_disk)
        with pytest.raises(InputError, match=f"cannot write {data.file}: No space left on device"):
            data.check()
    assert not [file for file in tmp_path.iterdir() if ".npz" in file.name and file.suffix != ".lock"]
    data.check()
    assert data.file.is_file(), "with room again, it is made"


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    data: Any = build(tmp_path)
    left = tmp_path / f".{data.file.name}.0123abcd.tmp"
    left.write_bytes(b"half")
    data.check()
    assert not left.exists()


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flipped, lambda content: b""], ids=["cut off", "a byte", "empty"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    data: Any = build(tmp_path)
    data.check()
    whole = data.file.read_bytes()
    data.file.write_bytes(damage(whole))
    splits = data.load()
    assert data.file.read_bytes() == whole
    assert torch.equal(splits.train.labels, build(tmp_path).load().train.labels)


def test_a_cache_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=f"cannot make the folder {tmp_path / 'file' / 'cache'}"):
        build(tmp_path / "file" / "cache").check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": 0}, r"data\.train=0: must be at least 1"),
        ({"train": 50_001}, r"data\.train=50001: at most 50000"),
        ({"test": 10_001}, r"data\.test=10001: at most 10000"),
        ({"side": 3}, r"data\.side=3: from 4 to 256 pixels"),
        ({"seed": -1}, r"data\.seed=-1"),
        ({"batch_size": 0}, r"data\.batch_size=0"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(tmp_path, **options)

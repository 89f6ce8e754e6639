"""Folders of pictures: what becomes of each picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from ablate import InputError, Samples, Split, Window, registry
from ablate.config.compose import prepare
from ablate.training.loading import build_feed
from ablate.training.streaming import StreamedData
from tests.folders import COLORS, build, touch


@pytest.fixture
def pillow() -> Any:
    return pytest.importorskip("PIL.Image", reason="needs the extra `images`")


@pytest.fixture
def root(tmp_path: Path, pillow: Any) -> Path:
    """JPEGs of several sizes, of the colour of their class, lighter from left to right."""
    random = np.random.default_rng(0)
    for part, count in (("train", 6), ("val", 3)):
        for name, color in COLORS.items():
            (tmp_path / part / name).mkdir(parents=True)
            for n in range(count):
                height, width = (int(side) for side in random.integers(24, 60, 2))
                light = np.linspace(-30, 30, width)[None, :, None]
                picture = np.clip(np.array(color) + light + np.zeros((height, 1, 1)), 0, 255).astype(np.uint8)
                pillow.fromarray(picture).save(tmp_path / part / name / f"{n}.JPEG")
    return tmp_path


def splits(root: Path, **options: Any) -> Iterator[Samples]:
    loaded = build(root, **options).load()
    for split in (loaded.train, loaded.test):
        assert isinstance(split, Samples)
        yield split


def test_every_picture_comes_once_with_the_label_of_its_folder(root: Path) -> None:
    train, test = splits(root)
    assert train.labels.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert test.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    for index, label in enumerate(test.labels.tolist()):
        image = test.read(index, (16, 16), lambda height, width: None)
        assert (image.shape, image.dtype) == ((3, 16, 16), torch.uint8)
        assert image.double().mean(dim=(1, 2)).argmax() == label


def test_labels_are_those_of_train_where_val_lacks_a_class(root: Path) -> None:
    for file in (root / "val" / "ant").iterdir():
        file.unlink()
    (root / "val" / "ant").rmdir()
    _, test = splits(root)
    assert test.labels.tolist() == [1] * 3 + [2] * 3


def ramp(pillow: Any, path: Path, height: int, width: int) -> None:
    """Red counts the columns, green the rows."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[:, :, 0] = np.arange(width)
    picture[:, :, 1] = np.arange(height)[:, None]
    pillow.fromarray(picture).save(path)


def test_the_centre_is_cut_out_of_the_scaled_picture(root: Path, pillow: Any) -> None:
    """Of 80x120 pixels the shortest side goes to 20: the middle 16 of it are pixels 8 to 72, and 28 to 92."""
    path = root / "train" / "ant" / "0.JPEG"
    path.unlink()
    ramp(pillow, path.with_suffix(".png"), 80, 120)
    train, _ = splits(root)
    image = train.read(0, (16, 16), lambda height, width: None).double()
    expected = torch.arange(16) * 4.0 + 1.5
    torch.testing.assert_close(image[0].mean(dim=0), expected.double() + 28, atol=1.0, rtol=0)
    torch.testing.assert_close(image[1].mean(dim=1), expected.double() + 8, atol=1.0, rtol=0)


def test_a_window_is_cut_out_of_the_picture_itself(root: Path, pillow: Any) -> None:
    path = root / "train" / "ant" / "0.JPEG"
    path.unlink()
    ramp(pillow, path.with_suffix(".png"), 80, 120)
    train, _ = splits(root)
    asked = []

    def framing(height: int, width: int) -> Window:
        asked.append((height, width))
        return Window(10, 100, 16, 16)

    image = train.read(0, (16, 16), framing)
    assert asked == [(80, 120)]
    assert image[0, 0].tolist() == list(range(100, 116))
    assert image[1, :, 0].tolist() == list(range(10, 26))


def test_a_grey_jpeg_in_a_coloured_set_gets_three_equal_channels(root: Path, pillow: Any) -> None:
    path = root / "train" / "ant" / "0.JPEG"
    pillow.fromarray(np.full((40, 40), 90, dtype=np.uint8)).save(path)
    with pillow.open(path) as picture:
        assert picture.mode == "L"
    train, _ = splits(root)
    image = train.read(0, (16, 16), lambda height, width: None)
    assert torch.equal(image[0], image[1])
    assert torch.equal(image[0], image[2])
    assert abs(image.double().mean() - 90) < 2


def test_a_cmyk_jpeg_is_converted(root: Path, pillow: Any) -> None:
    """ImageNet has some."""
    path = root / "train" / "ant" / "0.JPEG"
    pillow.fromarray(np.full((40, 40, 3), 90, dtype=np.uint8)).convert("CMYK").save(path)
    train, _ = splits(root)
    assert train.read(0, (16, 16), lambda height, width: None).shape == (3, 16, 16)


def test_a_coloured_picture_in_a_grey_set_is_converted(root: Path) -> None:
    train, _ = splits(root, channels=1)
    assert train.read(0, (16, 16), lambda height, width: None).shape == (1, 16, 16)


DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "html": lambda content: b"<!DOCTYPE html><html></html>",
    "header only": lambda content: content[:20],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_jpeg_is_one_line_that_names_it_and_ends_training(root: Path, damage: str, workers: int) -> None:
    path = root / "train" / "bee" / "3.JPEG"
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(InputError) as error:
        train_an_epoch(root, workers)
    assert re.match(rf"{path} cannot be read as a picture \(.*\); replace or remove it", str(error.value))
    assert "\n" not in str(error.value)


def test_an_empty_class_is_named(root: Path) -> None:
    for file in (root / "train" / "cat").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=f"{root}/train/cat holds no pictures"):
        build(root).load()


def test_a_file_that_is_no_picture_is_named_and_hidden_ones_are_not(root: Path) -> None:
    touch(root, "train/ant/.DS_Store")
    build(root).load()
    touch(root, "train/ant/notes.txt")
    with pytest.raises(InputError, match=rf"{root}/train/ant holds what is no picture: notes\.txt"):
        build(root).load()


def feed_of(root: Path, augment: str = "scale_jitter", evaluation: str = "center_crop", workers: int = 0) -> Any:
    prepare()
    trainer = {"resident": None, "workers": workers, "channels_last": True}
    options: dict[str, Any] = {"pixels": 2} if evaluation == "ten_crop" else {}
    return build_feed(
        build(root, batch_size=4),
        registry.build("augment", {"name": augment}),
        registry.build("evaluation", {"name": evaluation, **options}),
        trainer,
        0,
        torch.device("cpu"),
    )


def train_an_epoch(root: Path, workers: int) -> None:
    feed = feed_of(root, workers=workers)
    list(feed.training_batches(feed.start_epoch(0).split(4)))


@pytest.mark.parametrize("augment", ["none", "scale_jitter", "resized_crop", "color_pca"])
@pytest.mark.slow
def test_an_epoch_is_the_same_for_any_number_of_workers(root: Path, augment: str) -> None:
    found = []
    for workers in (0, 1, 2):
        feed = feed_of(root, augment, workers=workers)
        assert isinstance(feed, StreamedData)
        found.append(list(feed.training_batches(feed.start_epoch(1).split(4))))
    for batches in found[1:]:
        for (images, labels), (expected, wanted) in zip(batches, found[0], strict=True):
            assert torch.equal(images, expected)
            assert torch.equal(labels, wanted)


def test_ten_crops_come_from_more_of_the_picture(root: Path) -> None:
    feed = feed_of(root, evaluation="ten_crop")
    images, _ = next(feed.evaluation_batches(feed.test))
    assert images.shape[1:] == (3, 20, 20), "16 and two pixels on each side: the shortest side as scaled"


def test_more_than_the_scaled_picture_is_refused(root: Path) -> None:
    train, _ = splits(root)
    with pytest.raises(InputError, match=r"need 22 pixels, and data\.resize=20 leaves fewer"):
        train.read(0, (22, 22), lambda height, width: None)


def test_pictures_of_the_size_are_kept_in_memory(
    root: Path, pillow: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    for part in ("train", "val"):
        for path in sorted((root / part).rglob("*.JPEG")):
            path.unlink()
            ramp(pillow, path.with_suffix(".png"), 16, 16)
    loaded = build(root, resize=None).load()
    assert isinstance(loaded.train, Split)
    assert loaded.train.images.shape == (18, 3, 16, 16)
    assert loaded.train.images[4, 0, 0].tolist() == list(range(16))
    assert torch.equal(cast(Split, build(root, resize=None).load().train).images, loaded.train.images)
    assert len(list(cache.rglob("*.npz"))) == 1, "decoded once"
    ramp(pillow, root / "val" / "bee" / "1.png", 16, 17)
    with pytest.raises(InputError, match=rf"{root}/val/bee/1\.png is 16x17 pixels, not 16x16; data\.resize"):
        build(root, resize=None).load()

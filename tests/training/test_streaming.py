"""A streamed data set gives what a resident one gives, to the last bit, however it is read."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablate import Augment, Framing, InputError, Samples, Split, Splits, Window, registry
from ablate.config.compose import prepare
from ablate.training.feed import Feed
from ablate.training.resident import ResidentData
from ablate.training.streaming import StreamedData
from tests.cells import fit, training_of

from .. import published

CPU = torch.device("cpu")
SAMPLES = 45

AUGMENTS: dict[str, dict[str, Any]] = {
    "none": {},
    "shift": {"pixels": 2},
    "crop_flip": {},
    "scale_jitter": {"smallest": 8, "largest": 16, "crop": 8},
    "resized_crop": {},
    "color_pca": {},
    "chain": {"steps": ["crop_flip", "color_pca", {"name": "scale_jitter", "crop": 224}]},
}


def augment_of(name: str) -> Augment:
    prepare()
    return registry.build("augment", {"name": name, **AUGMENTS[name]})


def noise(samples: int = SAMPLES, channels: int = 3, size: tuple[int, int] = (8, 9)) -> Splits:
    random = torch.Generator().manual_seed(0)

    def split(samples: int) -> Split:
        images = torch.randint(0, 256, (samples, channels, *size), generator=random, dtype=torch.uint8)
        return Split(images, torch.randint(0, 10, (samples,), generator=random))

    return Splits(split(samples), split(20))


def resident(splits: Splits, augment: str, seed: int = 0, margin: int = 0) -> Feed:
    return ResidentData(splits, augment_of(augment), seed, CPU, margin=margin)


def streamed(
    splits: Splits, augment: str, seed: int = 0, *, batch_size: int = 10, workers: int = 0, margin: int = 0
) -> Feed:
    assert isinstance(splits.train, Split)
    height, width = splits.train.images.shape[2:]
    options: dict[str, Any] = {"size": (height, width), "batch_size": batch_size, "workers": workers, "margin": margin}
    return StreamedData(splits, augment_of(augment), seed, CPU, **options)


def epoch(feed: Feed, number: int, batch_size: int) -> tuple[Tensor, Tensor]:
    """Images and labels of an epoch, in the order in which training sees them."""
    steps = feed.start_epoch(number).split(batch_size)
    batches = list(feed.training_batches(steps))
    assert [len(labels) for _, labels in batches] == [len(step) for step in steps]
    return torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches])


def same(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> bool:
    return torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


def test_every_augmentation_is_tried() -> None:
    prepare()
    assert set(AUGMENTS) == {entry.name for entry in registry.entries("augment")}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("augment", AUGMENTS)
def test_streamed_images_are_the_resident_ones_to_the_last_bit(augment: str, workers: int) -> None:
    splits = noise()
    one, other = resident(splits, augment), streamed(splits, augment, workers=workers)
    for number in (0, 1):
        assert same(epoch(one, number, 10), epoch(other, number, 10))


@pytest.mark.parametrize("augment", AUGMENTS)
def test_an_epoch_depends_on_seed_and_epoch_alone(augment: str) -> None:
    """Not on the batch size, the number of workers, or the epochs before it (a resume has none)."""
    splits = noise()
    expected = epoch(resident(splits, augment), 3, SAMPLES)
    for batch_size in (1, 7, 1000):
        assert same(epoch(resident(splits, augment), 3, batch_size), expected)
    run_through = resident(splits, augment)
    for number in range(3):
        epoch(run_through, number, 16)
    assert same(epoch(run_through, 3, 16), expected)
    for workers in (0, 1, 2):
        feed = streamed(splits, augment, workers=workers, batch_size=7)
        epoch(feed, 0, 7)
        assert same(epoch(feed, 3, 7), expected)
    assert not same(epoch(resident(splits, augment, seed=1), 3, 7), expected)
    assert not same(epoch(resident(splits, augment), 4, 7), expected)


def written(name: str, write: Callable[[Path], None]) -> Callable[[Path], dict[str, Any]]:
    def make(root: Path) -> dict[str, Any]:
        write(root)
        return {"name": name, "root": root}

    return make


DATA: dict[str, Callable[[Path], dict[str, Any]]] = {
    "digits": lambda root: {"name": "digits"},
    "cluttered_digits": lambda root: {"name": "cluttered_digits", "train": 50, "test": 20, "cache": root},
    "cifar10": written("cifar10", published.write_cifar10),
    "cifar100": written("cifar100", published.write_cifar100),
    "mnist": written("mnist", published.write_mnist),
    "fashion_mnist": written("fashion_mnist", lambda root: published.write_mnist(root, name="fashion_mnist")),
    "svhn": written("svhn", published.write_svhn),
}


@pytest.mark.parametrize("augment", AUGMENTS)
@pytest.mark.parametrize("data", DATA)
def test_every_data_set_in_memory_gives_the_same_epoch_however_it_is_read(
    data: str, augment: str, tmp_path: Path
) -> None:
    prepare()
    splits = registry.build("data", DATA[data](tmp_path)).load()
    feeds = [resident(splits, augment), streamed(splits, augment, batch_size=13)]
    for number in (2, 0):
        first, second = epoch(feeds[0], number, 300), epoch(feeds[1], number, 13)
        assert same(first, second)
        order = feeds[0].start_epoch(number)
        assert torch.equal(first[1], splits.train.labels[order])
        assert order.sort().values.tolist() == list(range(len(order)))


@pytest.mark.parametrize("margin", [0, 2])
@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_is_the_same_too(margin: int, workers: int) -> None:
    splits = noise()
    one = resident(splits, "color_pca", margin=margin)
    other = streamed(splits, "color_pca", workers=workers, margin=margin)
    for feed in (one, other):
        feed.start_epoch(0)
    for part in ("train", "test"):
        ours, theirs = (list(feed.evaluation_batches(getattr(feed, part))) for feed in (one, other))
        assert len(ours) == len(theirs)
        assert all(same(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_training_gives_the_same_numbers(workers: int) -> None:
    """With dropout, whose draws must not be disturbed by what starts the workers."""
    arm = ["shortcut=dropout", "augment=crop_flip", "augment.pixels=1"]
    one = fit(training_of(*arm))
    other = fit(training_of(*arm, "trainer.resident=false", f"trainer.workers={workers}"))
    assert isinstance(one.data, ResidentData)
    assert isinstance(other.data, StreamedData)
    rows = [[{**row, "seconds": 0} for row in training.history] for training in (one, other)]
    assert rows[0] == rows[1]


def children() -> set[int]:
    return {process.pid for process in multiprocessing.active_children() if process.pid is not None}


def test_the_same_workers_read_every_epoch_and_both_splits() -> None:
    before = children()
    feed = streamed(noise(), "shift", workers=2)
    epoch(feed, 0, 10)
    workers = children() - before
    assert len(workers) == 2
    list(feed.evaluation_batches(feed.test))
    epoch(feed, 1, 10)
    assert children() - before == workers
    feed.close()
    assert children() == before
    assert same(epoch(feed, 1, 10), epoch(streamed(noise(), "shift"), 1, 10)), "and it reads again where it is asked to"
    feed.close()


def test_workers_are_gone_when_training_is_over() -> None:
    before = children()
    fit(training_of("trainer.resident=false", "trainer.workers=1"))
    assert children() == before


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_that_was_left_for_another_gives_none_of_its_batches(workers: int) -> None:
    feed = streamed(noise(), "shift", workers=workers)
    left = feed.training_batches(feed.start_epoch(0).split(10))
    next(left)
    next(feed.evaluation_batches(feed.train))
    with pytest.raises(RuntimeError, match="others have been asked for"):
        next(left)
    assert same(epoch(feed, 1, 10), epoch(streamed(noise(), "shift"), 1, 10))
    feed.close()


# Images of several sizes, each in a file of its own


class Files(Samples):
    """Arrays in files, cut where asked and scaled by taking the nearest pixel."""

    def __init__(self, folder: Path, samples: int) -> None:
        self.folder = folder
        self.labels = torch.arange(samples) % 10

    def read(self, index: int, size: tuple[int, int], framing: Framing) -> Tensor:
        path = self.folder / f"{index}.npy"
        try:
            image = np.load(path)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path} cannot be read") from error
        height, width = image.shape[1:]
        window = framing(height, width) or Window(0, 0, height, width)
        rows = window.top + (np.arange(size[0]) + 0.5) / size[0] * window.height
        columns = window.left + (np.arange(size[1]) + 0.5) / size[1] * window.width
        return torch.from_numpy(image[:, rows.astype(int)][:, :, columns.astype(int)])


@pytest.fixture
def files(tmp_path: Path) -> Splits:
    random = np.random.default_rng(0)
    for index in range(30):
        size = random.integers(16, 40, 2)
        np.save(tmp_path / f"{index}.npy", random.integers(0, 256, (3, *size), dtype=np.uint8))
    return Splits(Files(tmp_path, 30), Files(tmp_path, 12))


def from_files(splits: Splits, augment: str, *, batch_size: int = 8, workers: int = 0, margin: int = 0) -> Feed:
    options: dict[str, Any] = {"size": (8, 8), "batch_size": batch_size, "workers": workers, "margin": margin}
    return StreamedData(splits, augment_of(augment), 0, CPU, **options)


@pytest.mark.parametrize("augment", AUGMENTS)
def test_files_give_the_same_epoch_whatever_workers_and_batches(files: Splits, augment: str) -> None:
    expected = epoch(from_files(files, augment), 2, 8)
    assert expected[0].shape == (30, 3, 8, 8)
    for workers in (1, 2):
        feed = from_files(files, augment, workers=workers, batch_size=5)
        epoch(feed, 0, 5)
        assert same(epoch(feed, 2, 5), expected)


def test_windows_are_cut_out_of_the_files_themselves(files: Splits) -> None:
    feed = from_files(files, "scale_jitter")
    augment = augment_of("scale_jitter")
    order, choices = feed.draw_epoch(0)
    images, _ = epoch(feed, 0, 8)
    for place, sample in enumerate(order.tolist()):
        raw = files.train.read(sample, (8, 8), lambda h, w, s=sample: augment.window(choices[s], h, w, (8, 8)))
        image = (raw.float() - feed.mean[0]) / feed.std[0]
        mirrored = choices[sample, -1] < 0.5
        assert torch.equal(images[place], image.flip(-1) if mirrored else image)


def test_an_augmentation_that_cuts_nothing_gets_the_data_sets_own_frame(files: Splits) -> None:
    feed = from_files(files, "none")
    images, _ = epoch(feed, 0, 8)
    order = feed.start_epoch(0)
    raw = files.train.read(int(order[0]), (8, 8), lambda height, width: None)
    assert torch.equal(images[0], (raw.float() - feed.mean[0]) / feed.std[0])


def test_evaluation_of_files_reads_the_margin_from_the_file(files: Splits) -> None:
    feed = from_files(files, "scale_jitter", margin=3)
    batches = list(feed.evaluation_batches(feed.test))
    images = torch.cat([images for images, _ in batches])
    assert images.shape == (12, 3, 14, 14)
    raw = files.test.read(4, (14, 14), lambda height, width: None)
    assert torch.equal(images[4], (raw.float() - feed.mean[0]) / feed.std[0])
    assert torch.equal(torch.cat([labels for _, labels in batches]), files.test.labels)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_cannot_be_read_is_one_line_that_names_it(files: Splits, tmp_path: Path, workers: int) -> None:
    feed = from_files(files, "none", workers=workers)
    (tmp_path / "17.npy").write_bytes(b"")
    with pytest.raises(InputError) as error:
        epoch(feed, 0, 8)
    assert str(error.value) == f"{tmp_path / '17.npy'} cannot be read"


def test_statistics_of_files_are_of_the_training_files_alone(files: Splits, tmp_path: Path) -> None:
    raw = [files.train.read(index, (8, 8), lambda height, width: None) for index in range(30)]
    feed = from_files(files, "none")
    np.testing.assert_allclose(feed.mean.flatten(), np.stack(raw).mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(feed.std.flatten(), np.stack(raw).std((0, 2, 3)), rtol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("augment", AUGMENTS)
def test_a_gpu_gets_the_same_samples_and_choices(augment: str) -> None:
    splits, cuda = noise(), torch.device("cuda")
    expected = epoch(resident(splits, augment), 1, 10)
    options: dict[str, Any] = {"size": (8, 9), "batch_size": 10, "workers": 2}
    feeds = [
        ResidentData(splits, augment_of(augment), 0, cuda),
        StreamedData(splits, augment_of(augment), 0, cuda, **options),
    ]
    found = [epoch(feed, 1, 10) for feed in feeds]
    assert same(*found)
    assert torch.equal(found[0][1].cpu(), expected[1])
    torch.testing.assert_close(found[0][0].cpu(), expected[0], rtol=1e-5, atol=1e-5)

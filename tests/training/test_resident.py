from __future__ import annotations

import numpy as np
import pytest
import torch

from ablate import Augment, Split, Splits
from ablate.training.resident import ResidentData

CPU = torch.device("cpu")


class Brighter(Augment):
    """Adds each sample's own number."""

    def draw(self, samples, generator):
        return torch.arange(samples, dtype=torch.float32)

    def apply(self, images, choices):
        return images + choices[:, None, None, None]


class Nothing(Augment):
    def draw(self, samples, generator):
        return None

    def apply(self, images, choices):
        assert choices is None
        return images


def split(samples: int, seed: int, low: int = 0, high: int = 256, channels: int = 3) -> Split:
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(low, high, (samples, channels, 6, 5), generator=random, dtype=torch.uint8)
    return Split(images, torch.randint(0, 10, (samples,), generator=random))


@pytest.fixture
def splits() -> Splits:
    return Splits(split(1100, 0, 10, 200), split(70, 1, 200, 256))


def normalised(images: torch.Tensor, by: torch.Tensor) -> np.ndarray:
    reference = by.numpy().astype(np.float64)
    mean, std = reference.mean((0, 2, 3)), reference.std((0, 2, 3))
    return (images.numpy() - mean[:, None, None]) / std[:, None, None]


def test_images_stay_bytes_on_the_device(splits: Splits) -> None:
    data = ResidentData(splits, Nothing(), 0, CPU)
    assert data.train.images.dtype == data.test.images.dtype == torch.uint8


def test_both_splits_are_normalised_by_the_training_split_alone(splits: Splits) -> None:
    data = ResidentData(splits, Nothing(), 0, CPU)
    for part in (splits.train, splits.test):
        given = torch.cat([images for images, _ in data.evaluation_batches(part)])
        np.testing.assert_allclose(given.numpy(), normalised(part.images, splits.train.images), atol=2e-5)


def test_evaluation_takes_all_of_a_split_in_its_order(splits: Splits) -> None:
    data = ResidentData(splits, Brighter(), 0, CPU)
    assert torch.equal(torch.cat([labels for _, labels in data.evaluation_batches(data.train)]), splits.train.labels)


def test_a_batch_holds_the_images_labels_and_choices_of_its_samples(splits: Splits) -> None:
    data = ResidentData(splits, Brighter(), 0, CPU)
    index = data.start_epoch(0)[:40]
    images, labels = data.training_batch(index)
    expected = normalised(splits.train.images[index], splits.train.images) + index.numpy()[:, None, None, None]
    np.testing.assert_allclose(images.numpy(), expected, rtol=1e-5, atol=2e-5)
    assert torch.equal(labels, splits.train.labels[index])


def test_an_epochs_order_is_a_permutation_of_seed_and_epoch(splits: Splits) -> None:
    data, again, other = (ResidentData(splits, Nothing(), seed, CPU) for seed in (0, 0, 1))
    first, second = data.start_epoch(0), data.start_epoch(1)
    assert first.sort().values.tolist() == list(range(1100))
    assert not torch.equal(first, second)
    assert torch.equal(again.start_epoch(1), second), "asked for by itself, as after a restart"
    assert not torch.equal(other.start_epoch(0), first)


@pytest.mark.parametrize(
    ("channels_last", "memory_format"), [(True, torch.channels_last), (False, torch.contiguous_format)]
)
def test_batches_have_the_memory_format(
    splits: Splits, channels_last: bool, memory_format: torch.memory_format
) -> None:
    data = ResidentData(splits, Nothing(), 0, CPU, channels_last=channels_last)
    batch, _ = data.training_batch(data.start_epoch(0)[:8])
    evaluated, _ = next(data.evaluation_batches(data.test))
    assert batch.is_contiguous(memory_format=memory_format)
    assert evaluated.is_contiguous(memory_format=memory_format)

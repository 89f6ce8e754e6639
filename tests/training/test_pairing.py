"""Paired by construction: what an arm sees and where it starts depends on the seed, never on the arm."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.cells import fed, training_of

STEPS = 23  # of the 1,437 training digits in batches of 64


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def post() -> list[Tensor]:
    return fed(training_of("order=post"))


@pytest.mark.parametrize("arm", [["order=pre"], ["shortcut=dropout"], ["width=0.5", "optim.lr=0.01"]])
def test_arms_see_identical_batches_and_augmentations(post: list[Tensor], arm: list[str]) -> None:
    assert same(fed(training_of(*arm)), post)


def test_what_else_the_process_draws_changes_nothing(post: list[Tensor]) -> None:
    torch.manual_seed(99)
    training = training_of("order=post")
    torch.rand(1000)
    assert same(fed(training), post)


def test_another_seed_sees_other_batches(post: list[Tensor]) -> None:
    assert not torch.equal(fed(training_of("seed=1"))[0], post[0])


def test_epochs_differ_in_order_and_augmentation(post: list[Tensor]) -> None:
    first, second = torch.cat(post[:STEPS]), torch.cat(post[STEPS:])
    assert first.shape == second.shape == (1437, 1, 8, 8)
    assert not torch.equal(first, second)
    images = [{image.numpy().tobytes() for image in epoch} for epoch in (first, second)]
    assert len(images[0] - images[1]) > 500, "the same images in another order are no new augmentation"


@pytest.mark.parametrize("change", ["data.batch_size=100", "trainer.epochs=3"])
def test_order_and_augmentation_do_not_depend_on_batch_size_or_length(post: list[Tensor], change: str) -> None:
    images = torch.cat(fed(training_of(change)))
    assert torch.equal(images[: 2 * 1437], torch.cat(post))


def test_every_training_sample_comes_once_an_epoch() -> None:
    first, second = torch.cat(fed(training_of("augment=none"))).split(1437)
    training = training_of("augment=none")
    whole = torch.cat([images for images, _ in training.data.evaluation_batches(training.data.train)])
    for epoch in (first, second):
        assert torch.equal(
            epoch.flatten(1).double().sum(1).sort().values, whole.flatten(1).double().sum(1).sort().values
        )


def test_shared_parameters_start_equal() -> None:
    one = dict(training_of("order=post").model.named_parameters())
    for arm in (["order=pre"], ["shortcut=projection"], ["shortcut=dropout"], ["depth=14"]):
        other = dict(training_of(*arm).model.named_parameters())
        shared = [name for name in one if name in other and one[name].shape == other[name].shape]
        weights = [name for name in shared if one[name].ndim > 1]
        assert len(weights) >= 5, arm
        assert all(torch.equal(one[name], other[name]) for name in shared), arm


def test_another_seed_starts_elsewhere() -> None:
    one = dict(training_of().model.named_parameters())
    other = dict(training_of("seed=1").model.named_parameters())
    assert not any(torch.equal(one[name], other[name]) for name in one if one[name].ndim > 1)

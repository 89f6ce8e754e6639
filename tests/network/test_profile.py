"""What a network and a data set cost, known without training or reading."""

from __future__ import annotations

import pytest
from torch import nn

from ablate import registry
from ablate.config.compose import prepare
from ablate.network.describe import last_receptive_field
from ablate.network.profile import Profile, profile, split_sizes
from ablate.study.plan import plan_study
from tests.cells import tiny_cell

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones


def test_the_images_that_a_plugin_promises_are_those_that_it_loads() -> None:
    splits = registry.build("data", {"name": "digits"}).load()
    assert split_sizes({"name": "digits"}) == (len(splits.train.labels), len(splits.test.labels))


def test_data_that_is_not_here_says_its_size_all_the_same() -> None:
    assert split_sizes({"name": "cifar10", "root": "nowhere"}) == (50_000, 10_000)


@pytest.mark.parametrize(
    ("overrides", "pixels"),
    [(["arch=vgg16", "data=imagenet"], 212), (["arch=vgg11", "data=imagenet", "backbone.kernel=5"], 150)],
    ids=str,
)
def test_the_receptive_field_is_that_of_the_last_map(overrides: list[str], pixels: int) -> None:
    (cell,) = plan_study(overrides).cells
    assert profile(cell.config).static["receptive_field"] == pixels


@pytest.mark.parametrize("last", [nn.AdaptiveAvgPool2d(1), nn.Flatten()], ids=["the whole image", "no map"])
def test_what_has_no_size_is_left_out(last: nn.Module) -> None:
    size = last_receptive_field(nn.Sequential(last), (1, 8, 8))
    assert size is None
    assert set(Profile(1, 1, receptive_field=size).static) == {"params", "flops"}


def test_how_a_network_is_trained_does_not_make_another_of_it() -> None:
    network = profile(tiny_cell().config)
    assert profile(tiny_cell("optim.lr=0.01", "schedule=cosine", "augment=none").config) is network

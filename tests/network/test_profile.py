"""What a network and a data set cost, known without training or reading."""

from __future__ import annotations

from ablate import registry
from ablate.config.compose import prepare
from ablate.network.profile import profile, split_sizes
from tests.cells import tiny_cell

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones


def test_the_images_that_a_plugin_promises_are_those_that_it_loads() -> None:
    splits = registry.build("data", {"name": "digits"}).load()
    assert split_sizes({"name": "digits"}) == (len(splits.train.labels), len(splits.test.labels))


def test_data_that_is_not_here_says_its_size_all_the_same() -> None:
    assert split_sizes({"name": "cifar10", "root": "nowhere"}) == (50_000, 10_000)


def test_how_a_network_is_trained_does_not_make_another_of_it() -> None:
    network = profile(tiny_cell().config)
    assert profile(tiny_cell("optim.lr=0.01", "schedule=cosine", "augment=none").config) is network

"""Building a network from a config: its shape, its initial values, and its cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ablate import Head, InputError, Parts, register, registry
from ablate.config.compose import prepare
from ablate.network.build import build_model, count_flops, count_parameters
from ablate.system.streams import generator, stream_seed
from ablate.testing import network_config


@dataclass
class Shape:
    channels: int
    size: tuple[int, int]
    classes: int


@pytest.fixture(autouse=True)
def _forget_plugins() -> Iterator[None]:
    prepare()
    with registry.isolated():
        yield


def shape_of(model: nn.Module) -> tuple[int, int]:
    """Input channels and classes."""
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    return first.in_channels, last.out_features


def test_the_data_set_that_is_trained_on_decides_the_shape() -> None:
    config = network_config(image={"channels": 3, "size": 224, "classes": 1000})
    assert shape_of(build_model(config, Shape(1, (8, 8), 10))) == (1, 10)


def test_image_decides_where_no_data_set_is_given() -> None:
    config = network_config(image={"channels": 3, "size": 32, "classes": 7}, data={"name": "digits"})
    assert shape_of(build_model(config)) == (3, 7)


def test_what_image_leaves_open_the_configs_data_set_says() -> None:
    @register("data", "faces")
    def faces(*, people: int = 5) -> Shape:
        """Photographs of people."""
        return Shape(3, (40, 30), people)

    config = network_config(image={"channels": None, "size": None, "classes": None}, data={"name": "faces"})
    assert shape_of(build_model(config)) == (3, 5)
    config["image"]["classes"] = 6
    config["data"]["people"] = 9
    assert shape_of(build_model(config)) == (3, 6)


def test_a_classifier_needs_two_classes() -> None:
    with pytest.raises(InputError, match="two classes, not 1 and 1"):
        build_model(network_config(), Shape(1, (8, 8), 1))


def test_images_may_be_oblong() -> None:
    model = build_model(network_config(), Shape(1, (8, 20), 3))
    assert model(torch.randn(2, 1, 8, 20)).shape == (2, 3)


class ScaledHead(Head):
    """Pooling, an own factor and offset per channel, and a linear layer."""

    def __init__(self, parts: Parts, in_channels: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((in_channels,), 0.25))
        self.offset = Offset(in_channels)
        self.linear = nn.Linear(in_channels, parts.classes)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(self.offset(self.factor * x.mean((2, 3))))
        return y


class Offset(nn.Module):
    """A parameter of a kind that no initialisation knows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.normal_(self.value)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.value


def test_what_the_initialisation_does_not_know_keeps_its_own_value() -> None:
    def head(**changes: Any) -> dict[str, Tensor]:
        register("head", "scaled_for_tests")(ScaledHead)
        model = build_model(network_config(head={"name": "scaled_for_tests"}, **changes))
        return {name: tensor for name, tensor in model.state_dict().items() if name.startswith("head")}

    base = head()
    assert base["head.factor"].eq(0.25).all()
    deeper = head(depth=14, shortcut={"name": "projection_all"})
    assert all(torch.equal(base[name], deeper[name]) for name in base), "drawn from the module's name alone"
    assert not torch.equal(base["head.offset.value"], head(seed=1)["head.offset.value"])


def test_a_shared_parameter_is_drawn_once() -> None:
    @register("head", "tied")
    class Tied(ScaledHead):
        """A head with one weight under two names."""

        def __init__(self, parts: Parts, in_channels: int) -> None:
            super().__init__(parts, in_channels)
            self.again = nn.Linear(in_channels, parts.classes, bias=False)
            self.again.weight = self.linear.weight

    tied = build_model(network_config(head={"name": "tied"})).state_dict()
    alone = build_model(network_config()).state_dict()
    assert torch.equal(tied["head.linear.weight"], alone["head.linear.weight"])


def test_the_default_device_does_not_change_the_values() -> None:
    here = build_model(network_config()).state_dict()
    with torch.device("cpu"):
        there = build_model(network_config()).state_dict()
    assert all(torch.equal(here[name], there[name]) for name in here)


def test_on_the_meta_device_nothing_is_drawn() -> None:
    with torch.device("meta"):
        model = build_model(network_config())
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    assert count_flops(model, (1, 1, 8, 8)) == count_flops(build_model(network_config()), (1, 1, 8, 8))


def test_frozen_parameters_do_not_count() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    assert count_parameters(model) == 4 * 2 + 2


def test_a_multiplication_and_its_addition_count_as_one() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 5 * 5, 2))
    by_hand = 5 * 5 * 8 * 3 * 9 + 8 * 5 * 5 * 2
    assert count_flops(model, (1, 3, 5, 5)) == by_hand
    assert count_flops(model, (4, 3, 5, 5)) == 4 * by_hand


def test_counting_leaves_a_network_as_it_was() -> None:
    model = build_model(network_config())
    model.stages.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count_flops(model, (2, 1, 8, 8))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert (model.training, model.stages.training, model.head.training) == (True, False, True)


def test_a_stream_depends_on_its_names_alone() -> None:
    first = torch.rand(3, generator=generator(0, "init", "stem.conv.weight", 16))
    torch.rand(100)
    again = torch.rand(3, generator=generator(0, "init", "stem.conv.weight", 16))
    assert torch.equal(first, again)
    others: list[tuple[Any, ...]] = [
        (0, "init", "a", 3),
        (1, "init", "a", 3),
        (0, "order", "a", 3),
        (0, "init", "a3"),
        (0, "init", "a", "3"),
        (0, "init", 3, "a"),
    ]
    assert len({stream_seed(*names) for names in others}) == len(others)


def test_streams_are_the_same_on_every_machine() -> None:
    assert stream_seed(0, "init", "stem.conv.weight", 16, 3, 3, 3) == 16_659_036_194_983_965_208

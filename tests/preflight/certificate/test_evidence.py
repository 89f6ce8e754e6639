"""What a certificate says of size, modules and outputs, and when it says that it cannot tell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from ablate import registry
from ablate.preflight.certificate.behaviour import Behaviour, behaviour, compare, fixed_batch
from ablate.preflight.certificate.certify import certify
from ablate.preflight.certificate.modules import module_changes
from ablate.preflight.certificate.recipe import initial_values_differ
from ablate.preflight.certificate.sharing import share_generic_values

from .studies import certificate, study

NAN = math.nan


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        yield


def test_full_pre_activation_moves_norms_and_keeps_the_size() -> None:
    found = certificate("order=post", "order=pre")
    assert found.factors == ["order"]
    assert (found.params_change, found.flops_change) == (0, 0)
    assert found.evidence.modules == ["3 × PostUnit → PreUnit", "4 × BatchNorm2d moved", "4 × ReLU moved"]
    assert found.evidence.outputs == "differ"
    assert found.evidence.largest > 0.1
    assert found.evidence.recipe == []


def test_projections_add_what_they_are_made_of() -> None:
    found = certificate("shortcut=identity", "shortcut=projection")
    # Two stages change shape: 1x1 convolutions 4 -> 8 and 8 -> 16, and the gain and bias of each norm.
    assert found.evidence.params[1] - found.evidence.params[0] == 4 * 8 + 8 * 16 + 2 * (8 + 16)
    # Each multiplies once for every weight at each of 4x4 and 2x2 pixels.
    assert found.evidence.flops[1] - found.evidence.flops[0] == 4 * 8 * 16 + 8 * 16 * 4
    assert "+2 Conv2d (1×1)" in found.evidence.modules
    assert "+2 BatchNorm2d" in found.evidence.modules


def test_a_change_of_the_recipe_alone_leaves_the_network_the_same() -> None:
    found = certificate("", "optim.lr=0.02,data.batch_size=32,trainer.epochs=3").evidence
    assert (found.modules, found.outputs, found.largest) == ([], "same", 0.0)
    assert found.recipe == ["epochs", "batch size", "optimiser"]


ABSENT = """
from ablate import DataSet, InputError, register

@register("data", "mine")
class Mine(DataSet):
    channels, size, classes = 1, (8, 8), 10

    def __init__(self, *, batch_size: int = 64):
        self.batch_size = batch_size

    def load(self):
        raise InputError("it is on another machine")
"""


def test_data_that_cannot_be_read_here_is_said_not_to_be_checked() -> None:
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(ABSENT)
    found = certificate("data=digits", "data=mine").evidence
    assert found.unchecked == ["data (it is on another machine)"]
    assert (found.outputs, found.is_no_op) == ("same", False)


def test_data_of_another_shape_needs_no_reading() -> None:
    found = certificate("data=digits", "data=cifar10").evidence
    assert "data" in found.recipe
    assert (found.outputs, "another shape" in found.note) == ("not compared", True)


def test_a_batch_size_is_a_difference_also_of_data_that_is_not_here() -> None:
    found = certificate("data=cifar10", "data=cifar10,data.batch_size=32").evidence
    assert (found.recipe, found.unchecked) == (["batch size"], [])


FAILS = """
from ablate import Augment, register

@register("augment", "mine")
class Mine(Augment):
    def draw(self, samples, generator):
        raise ValueError("no such thing")
    def apply(self, images, choices):
        return images
"""


def test_a_plugin_that_fails_is_noted_and_left_to_its_cells() -> None:
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(FAILS)
    found = certificate("augment=none", "augment=mine").evidence
    assert found.unchecked == ["augmentation (ValueError: no such thing)"]
    assert not found.is_no_op


def plain(*layers: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * 64, 3))


def conv(**options: bool) -> nn.Module:
    return nn.Conv2d(1, 4, 3, padding=1, **options)


def outcome(first: nn.Module, second: nn.Module) -> tuple[str, str]:
    same_modules = not module_changes(first, second)
    shared = share_generic_values(first, second)
    batch = fixed_batch(1, (8, 8), 3)
    found = compare(behaviour(first, *batch), behaviour(second, *batch), shared, same_modules=same_modules)
    return found.outcome, found.note


class Overflows(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 1e38 * 1e38


class OverflowsToo(Overflows):
    pass


def test_values_that_are_not_finite_tell_nothing_of_other_modules() -> None:
    assert outcome(plain(conv(), Overflows()), plain(conv(), OverflowsToo()))[0] == "cannot tell"
    assert "training outputs" in outcome(plain(conv(), Overflows()), plain(conv(), OverflowsToo()))[1]


def test_values_that_are_not_finite_are_the_same_for_the_same_modules() -> None:
    assert outcome(plain(conv(), Overflows()), plain(conv(), Overflows())) == ("same", "")


def test_values_of_one_network_alone_that_are_not_finite_differ() -> None:
    assert outcome(plain(conv(), nn.Identity()), plain(conv(), Overflows())) == ("differ", "")


def test_a_gain_that_starts_at_zero_hides_nothing() -> None:
    def network(act: nn.Module) -> nn.Sequential:
        norm = nn.BatchNorm2d(4)
        nn.init.zeros_(norm.weight)
        return plain(conv(), act, norm)

    assert outcome(network(nn.ReLU()), network(nn.ELU()))[0] == "differ"
    assert outcome(network(nn.ReLU()), network(nn.ReLU()))[0] == "same"


def test_the_momentum_of_running_statistics_is_a_difference() -> None:
    networks = [plain(conv(), nn.BatchNorm2d(4, momentum=momentum)) for momentum in (0.1, 0.01)]
    assert outcome(*networks)[0] == "differ"


def test_other_names_in_the_same_order_share_their_weights() -> None:
    named = nn.Sequential()
    for name, layer in zip("abc", plain(conv()), strict=True):
        named.add_module(name, layer)
    assert outcome(plain(conv()), named)[0] == "same"


def test_zero_gains_are_other_initial_values() -> None:
    first, second = plain(conv(), nn.BatchNorm2d(4)), plain(conv(), nn.BatchNorm2d(4))
    assert not initial_values_differ(first, second)
    nn.init.zeros_(second[1].weight)
    assert initial_values_differ(first, second)


def test_another_name_means_another_draw_and_not_another_distribution() -> None:
    first, second = plain(conv()), nn.Sequential()
    for name, layer in zip("abc", plain(conv()), strict=True):
        second.add_module(name, layer)
    with torch.no_grad():
        second.a.weight.copy_(second.a.weight.flip(0))
        assert not initial_values_differ(first, second)
        second.a.weight.mul_(10)
    assert initial_values_differ(first, second)


def test_rounding_of_a_gradient_that_is_zero_is_no_difference() -> None:
    def with_gradient(value: float) -> Behaviour:
        gradients = {"weight": torch.tensor([1.0]), "bias": torch.tensor([value])}
        return Behaviour({"gradients": gradients})

    shared = {"weight": "weight", "bias": "bias"}
    assert compare(with_gradient(1e-10), with_gradient(-1e-10), shared, same_modules=False).outcome == "same"
    assert compare(with_gradient(1e-2), with_gradient(-1e-2), shared, same_modules=False).outcome == "differ"


def test_beyond_the_time_for_comparisons_the_cheapest_point_stands_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ablate.preflight.certificate.certify.BUDGET", 0.0)
    arms = {"a": "order=post", "b": "order=pre"}
    planned = study(arms, ["+study.grid.depth=[14,8]", "width=0.25", "study.seeds=1"])
    found = {one.point["depth"]: one.evidence for one in certify(planned)}
    assert {depth: evidence.outputs for depth, evidence in found.items()} == {8: "differ", 14: "not compared"}
    assert found[14].note == "beyond the time for comparisons; compared at cheaper grid points"
    assert found[14].modules == ["6 × PostUnit → PreUnit", "7 × BatchNorm2d moved", "7 × ReLU moved"]


def test_an_arm_without_an_effect_yet_is_compared_whatever_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.preflight.certificate.certify.BUDGET", 0.0)
    arms = {"a": "augment=none", "b": "augment=shift,augment.pixels=0"}
    planned = study(arms, ["+study.grid.depth=[14,8]", "width=0.25", "study.seeds=1"])
    assert [one.evidence.outputs for one in certify(planned)] == ["same", "same"]

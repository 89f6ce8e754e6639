"""Lesions of networks of which it is known by hand what is left."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from ablate.plugins.measurements.lesion import kendall_tau
from torch import nn

from ablate import InputError, residual_units
from ablate.network.build import build_model
from ablate.registry import build
from tests.cells import planned

from .looks import Alone, Classifier, Unit, batch, pointwise
from .measured import Given, measured, residual, signs

IMAGES = signs(1.0, -1.0, 2.0, -3.0)


class Shift(nn.Module):
    """x -> x + b."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.by


class Affine(Unit):
    """x -> x + w x + b."""

    def __init__(self, factor: float, by: float) -> None:
        super().__init__(factor)
        self.branch = nn.Sequential(pointwise(factor), Shift(by))  # type: ignore[assignment]


def only(rows: list[dict[str, Any]], kind: str, statistics: str = "kept") -> list[dict[str, Any]]:
    return [row for row in rows if row["kind"] == kind and row["statistics"] == statistics]


def test_a_unit_without_its_branch_is_its_shortcut() -> None:
    # Two units turn the sign, x + (-3) x = -2 x, which together keep it: without one of them all is wrong.
    # The third doubles: without it nothing changes.
    values, rows = measured("lesion", Given(residual(-3.0, 1.0, -3.0), IMAGES), statistics="kept", k=[2, 3])
    assert [row["error"] for row in only(rows, "intact")] == [0.0]
    each = only(rows, "each")
    assert [(row["unit"], row["place"], row["changes"], row["error"]) for row in each] == [
        ("1", 1, 0, 1.0), ("2", 2, 0, 0.0), ("3", 3, 0, 1.0),
    ]  # fmt: skip
    assert values["baseline"] == 0.0
    assert values["median"] == 1.0
    assert values["worst"] == 1.0
    assert values["changing"] is None, "no unit changes the shape"
    loss = float(nn.functional.cross_entropy(torch.tensor([[4 * one, -4 * one] for one in (1.0, -1.0, 2.0, -3.0)]),
                                             torch.tensor([0, 1, 0, 1])))  # fmt: skip
    assert each[1]["loss"] == pytest.approx(loss)


def test_several_units_are_deleted_at_random() -> None:
    # Of two sign turners and a third unit, two at random: both (right), or one of them and the third (wrong).
    values, rows = measured("lesion", Given(residual(-3.0, 1.0, -3.0), IMAGES), statistics="kept", k=[1, 2, 3, 9])
    random = only(rows, "random")
    assert {(row["k"], row["error"]) for row in random} == {(1, 0.0), (1, 1.0), (2, 0.0), (2, 1.0), (3, 0.0)}
    assert len(random) == 3 * 6
    twos = [row["error"] for row in random if row["k"] == 2]
    assert values["random_2"] == pytest.approx(sum(twos) / 6)
    assert values["random_9"] is None, "it has three units"


def test_units_change_places() -> None:
    # (x + 2) (-2) against -2 x + 2: for x = -1.5 the first is -1, wrong, and the second 5.
    model = nn.Sequential(Affine(0.0, 2.0), Affine(-3.0, 0.0), Classifier())
    images = [(batch([-1.5]), torch.tensor([0]))]
    values, rows = measured("lesion", Given(model, images), statistics="kept", swaps=[1, 2])
    assert values["baseline"] == 1.0
    shuffled = {(row["k"], row["tau"], row["error"]) for row in only(rows, "shuffled")}
    assert shuffled == {(1, -1.0, 0.0), (2, 1.0, 1.0)}
    assert (values["shuffled_1"], values["shuffled_2"]) == (0.0, 1.0)


def test_a_unit_that_changes_the_shape_keeps_its_shortcut_and_no_place_is_changed_with_it() -> None:
    _, rows = measured("lesion", tiny("shortcut=projection"), statistics="kept", draws=2)
    each = only(rows, "each")
    assert [(row["unit"], row["stage"], row["changes"]) for row in each] == [
        ("stages.stage1.0", "stage1", 0), ("stages.stage2.0", "stage2", 1), ("stages.stage3.0", "stage3", 1),
    ]  # fmt: skip
    assert only(rows, "shuffled") == []
    _, rows = measured("lesion", tiny("shortcut=projection", "depth=20"), statistics="kept", draws=2, swaps=[1])
    assert all(0 < row["tau"] < 1 for row in only(rows, "shuffled"))


def test_what_units_that_change_the_shape_cost_more_is_told() -> None:
    values, rows = measured("lesion", tiny("shortcut=projection"), statistics="kept", k=[1], swaps=[])
    (intact,) = only(rows, "intact")
    first, *changing = (row["error"] - intact["error"] for row in only(rows, "each"))
    mean = sum(changing) / 2
    assert (values["median"], values["changing"], values["changing_excess"]) == pytest.approx(
        (first, mean, mean - first)
    )


def test_a_plain_network_loses_layers_and_those_that_change_the_shape_cannot_be_deleted() -> None:
    _, rows = measured("lesion", tiny("shortcut=none"), statistics="kept", k=[1])
    each = [row for row in rows if row["kind"] == "each"]
    assert [(row["unit"], row["changes"], "error" in row) for row in each] == [
        ("stem.conv", 1, False),
        ("stages.stage1.0.branch.conv1", 0, True), ("stages.stage1.0.branch.conv2", 0, True),
        ("stages.stage2.0.branch.conv1", 1, False), ("stages.stage2.0.branch.conv2", 0, True),
        ("stages.stage3.0.branch.conv1", 1, False), ("stages.stage3.0.branch.conv2", 0, True),
    ]  # fmt: skip


def test_vgg_without_a_layer_is_the_network_without_its_convolution_norm_and_activation() -> None:
    given = tiny("backbone=vgg", "depth=13", "norm=batch", "act=tanh", "width=0.125")
    _, rows = measured("lesion", given, statistics="kept", k=[1], swaps=[1])
    found = {row["unit"]: row.get("loss") for row in rows if row["kind"] == "each"}
    assert list(found)[:3] == ["stages.stage1.conv1", "stages.stage1.conv2", "stages.stage2.conv1"]
    assert found["stages.stage2.conv1"] is None
    shorter = copy.deepcopy(given.model)
    stage = shorter.get_submodule("stages.stage1")
    for name in ("conv2", "norm2", "act2"):
        delattr(stage, name)
    assert found["stages.stage1.conv2"] == Given(shorter, given.parts["test"]).evaluate()[0]


def test_layers_of_a_plain_network_change_places_with_their_norms() -> None:
    model = nn.Sequential(pointwise(1.0), Unit(-3.0, Alone), Unit(0.5, Alone), Unit(1.0, Alone), Classifier())
    _, rows = measured("lesion", Given(model, IMAGES), statistics="kept", swaps=[1])
    assert {row["unit"] for row in only(rows, "each")} == {"0", "1.branch", "2.branch", "3.branch"}


@pytest.mark.parametrize("network", [("order=post",), ("order=pre",), ("order=pre", "shortcut=projection")])
def test_the_lesion_of_a_block_that_starts_as_the_identity_changes_nothing_to_the_bit(network: tuple[str, ...]) -> None:
    given = tiny(*network, "init.zero_last=true", "depth=14")
    _, rows = measured("lesion", given, statistics="both")
    for which in ("kept", "estimated"):
        (intact,) = only(rows, "intact", which)
        deleted = [*only(rows, "each", which), *only(rows, "random", which)]
        assert len(deleted) > 6
        assert {(row["error"], row["loss"]) for row in deleted} == {(intact["error"], intact["loss"])}


@pytest.mark.parametrize("network", [("order=post",), ("shortcut=none",), ("backbone=vgg", "depth=13", "norm=batch")])
def test_everything_is_undone_to_the_bit(network: tuple[str, ...]) -> None:
    given = tiny(*network)
    before = {name: value.clone() for name, value in given.model.state_dict().items()}
    told = [(name, one.training, sorted(one.__dict__)) for name, one in given.model.named_modules()]
    momenta = [getattr(one, "momentum", None) for one in given.model.modules()]
    evaluated = given.evaluate()
    measured("lesion", given, k=[1, 2], swaps=[1], draws=2)
    assert all(torch.equal(value, before[name]) for name, value in given.model.state_dict().items())
    assert [(name, one.training, sorted(one.__dict__)) for name, one in given.model.named_modules()] == told
    assert [getattr(one, "momentum", None) for one in given.model.modules()] == momenta
    assert given.evaluate() == evaluated


def test_statistics_are_those_of_the_network_as_it_stands() -> None:
    # The unit adds 10: the norm behind it has learnt to take that away. Without it all is negative, and with statistics
    # estimated anew the mean of the images goes, which are right again.
    norm = nn.BatchNorm2d(1)
    model = nn.Sequential(Affine(0.0, 10.0), norm, Classifier())
    images = signs(1.0, -1.0, 2.0, -2.0)
    norm.running_mean = torch.tensor([10.0])
    values, _ = measured("lesion", Given(model, images), k=[1], swaps=[])
    assert (values["baseline"], values["baseline_estimated"]) == (0.0, 0.0)
    assert values["worst"] == 0.5
    assert values["worst_estimated"] == 0.0
    assert values["random_1"] == 0.5


def test_the_jump_is_the_largest_share_of_the_rise() -> None:
    # Units that add 1, before a classifier that finds x > 0, on images at -0.5 to -3.5: each deletion makes one more
    # of four wrong, whichever it is.
    model = nn.Sequential(*(Affine(0.0, 1.0) for _ in range(4)), Classifier())
    images = [(batch([-0.5], [-1.5], [-2.5], [-3.5]), torch.zeros(4, dtype=torch.long))]
    values, _ = measured("lesion", Given(model, images), statistics="kept", k=[1, 2, 4], swaps=[])
    assert [values[f"random_{k}"] for k in (1, 2, 4)] == [0.25, 0.5, 1.0]
    assert values["jump"] == 0.5


def test_kendalls_tau() -> None:
    assert kendall_tau([0, 1, 2, 3]) == 1.0
    assert kendall_tau([3, 2, 1, 0]) == -1.0
    assert kendall_tau([1, 0, 2]) == pytest.approx(1 / 3)
    assert kendall_tau([0]) == 1.0


@pytest.mark.parametrize("options", [{"k": [0]}, {"swaps": [-1]}, {"draws": 0}, {"batches": 0}, {"statistics": "old"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        measured("lesion", Given(residual(1.0), IMAGES), **options)


def tiny(*overrides: str) -> Given:
    """An untrained network of the framework's own, on noise."""
    config = planned("width=0.25", *overrides)
    data = build("data", config["data"])
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 8, 1, 8, 8, generator=generator)
    labels = torch.randint(10, (2, 8), generator=generator)
    given = Given(build_model(config, data), [(images[0], labels[0])], [(images[1], labels[1])])
    given.classes = 10
    assert all(isinstance(one.shortcut, nn.Module) for one in residual_units(given.model))
    return given

"""Gradients by the length of their path, against those of a network whose eight paths are written out."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from ablate.plugins.measurements.path_lengths import Paths
from torch import Tensor, nn

from ablate import InputError, residual_units

from .looks import Alone, Classifier, Unit, batch, pointwise
from .measured import Given, measured, measurement, residual
from .test_lesion import tiny

W = (0.5, 2.0, -3.0)
A, X = 0.25, 1.5


def slope(x: float, factors: tuple[float, ...] = W) -> float:
    """d loss / d logits · d logits / d output of the last unit, for label 0: logits (a h, -a h)."""
    h = x * math.prod(1 + w for w in factors)
    return -2 * A * float(torch.sigmoid(torch.tensor(-2 * A * h)))


def given(model: nn.Module, x: float = X) -> Given:
    return Given(model, [(batch([x]), torch.tensor([0]))])


def along(model: Given, chosen: tuple[int, ...], images: Tensor, labels: Tensor) -> Tensor:
    with Paths(model, residual_units(model.model), images, labels) as paths:
        return paths.gradient(chosen)


def every_path(units: int) -> list[tuple[int, ...]]:
    return [path for length in range(units + 1) for path in itertools.combinations(range(units), length)]


def test_a_path_has_the_product_of_the_weights_that_it_goes_through() -> None:
    model = given(residual(*W, a=A))
    for path in every_path(3):
        gradient = along(model, path, batch([X]), torch.tensor([0]))
        assert float(gradient) == pytest.approx(slope(X) * math.prod(W[place] for place in path)), path


def test_eight_paths_add_up_to_the_gradient_of_the_network() -> None:
    model = given(residual(*W, a=A))
    sent = [along(model, path, batch([X]), torch.tensor([0])) for path in every_path(3)]
    assert len(sent) == 8
    assert float(sum(sent)) == pytest.approx(slope(X) * math.prod(1 + w for w in W))


@pytest.mark.parametrize("network", [("order=post",), ("order=pre",), ("order=bn_after_add", "shortcut=projection")])
def test_the_paths_of_a_real_network_add_up_too(network: tuple[str, ...]) -> None:
    model = tiny(*network, "width=0.5")
    ((images, labels),) = model.parts["test"]
    model.model.double()
    images = images.double()
    total = sum(along(model, path, images, labels) for path in every_path(3))
    first = residual_units(model.model)[0].module
    entries: list[Tensor] = []

    def enter(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        entries.append(args[0].detach().requires_grad_())
        return (entries[0],)

    handle = first.register_forward_pre_hook(enter)
    nn.functional.cross_entropy(model.model(images), labels, reduction="sum").backward()
    handle.remove()
    assert isinstance(total, Tensor)
    torch.testing.assert_close(total, entries[0].grad, rtol=1e-4, atol=1e-6)  # logits are taken as float32


def test_lengths_are_weighted_by_the_number_of_their_paths() -> None:
    # All weights 1/2: each path of length k has the gradient (1/2)^k g, and there are C(3, k): 1, 3/2, 3/4, 1/8.
    values, rows = measured("path_lengths", given(residual(0.5, 0.5, 0.5, a=A)))
    g = abs(slope(X, (0.5, 0.5, 0.5)))
    assert [row["norm"] for row in rows] == pytest.approx([g, g / 2, g / 4, g / 8])
    assert [row["paths"] for row in rows] == [1 / 8, 3 / 8, 3 / 8, 1 / 8]
    assert [row["share"] for row in rows] == pytest.approx([8 / 27, 12 / 27, 6 / 27, 1 / 27])
    assert [(row["length"], row["layers"]) for row in rows] == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert values == pytest.approx({
        "low": 0, "mean": 1.0, "high": 2, "low_layers": 0, "mean_layers": 1.0, "high_layers": 2, "mean_share": 1 / 3,
        "high_share": 2 / 3,
        "paths_within": 7 / 8, "units": 3,
    })  # fmt: skip


def test_norms_are_means_over_the_paths_of_a_length() -> None:
    # Units of 0 and 1: of the paths of length 1 half have the gradient g and half none.
    values, rows = measured("path_lengths", given(residual(0.0, 1.0, a=A)), draws=200)
    g = abs(slope(X, (0.0, 1.0)))
    assert rows[0]["norm"] == pytest.approx(g)
    assert rows[1]["norm"] == pytest.approx(g / 2, rel=0.25)
    assert rows[2]["norm"] == 0.0
    assert values["high"] == 1


def test_layers_are_counted_in_the_branches() -> None:
    values, rows = measured("path_lengths", tiny("depth=14"))
    assert [row["layers"] for row in rows] == [0, 2, 4, 6, 8, 10, 12]
    assert values["mean_layers"] == pytest.approx(2 * (values["mean"] or 0))


def test_the_network_is_left_as_it_was() -> None:
    model = tiny("order=pre")
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    measured("path_lengths", model, draws=2)
    assert all(torch.equal(value, before[name]) for name, value in model.model.state_dict().items())
    assert all(one.requires_grad and one.grad is None for one in model.model.parameters())
    assert not any(one._forward_pre_hooks for one in model.model.modules())


@pytest.mark.parametrize(
    "model", [nn.Sequential(pointwise(1.0), Classifier()), nn.Sequential(Unit(2.0, Alone), Classifier())]
)
def test_a_network_without_shortcuts_has_nothing_to_measure(model: nn.Module) -> None:
    assert measurement("path_lengths").nothing_in(given(model)) == "the network has no residual units with a shortcut"
    assert measurement("path_lengths").nothing_in(given(residual(1.0))) == ""


@pytest.mark.parametrize("option", ["draws", "batches", "images"])
def test_options_that_make_no_sense_are_refused(option: str) -> None:
    wrong: dict[str, Any] = {option: 0}
    with pytest.raises(InputError, match=rf"path_lengths.{option}=0: must be at least 1"):
        measurement("path_lengths", **wrong)

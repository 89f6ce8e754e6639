"""Measurements on networks of which it is known by hand what they give."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from ablate.plugins.measurements.by_size import thirds
from ablate.plugins.measurements.line import barrier
from ablate.plugins.measurements.reconstruction import RIDGES, reconstruct
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import InputError
from ablate.registry import build

from .looks import Classifier, batch, pointwise
from .measured import Batches, Given, measured, measurement, signs
from .test_lesion import tiny

IMAGES = signs(1.0, -1.0, 2.0, -3.0)


class Corner(nn.Module):
    """Logits (m, -m), with m the sum of an image's left upper pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        value = self.weight * x[:, :, 0, 0].sum(1)
        return torch.stack([value, -value], 1)


def test_ten_crops_see_what_the_centre_crop_does_not() -> None:
    # The network sees the left upper pixel of what it is shown. That of the centre crop is the image's own, -1 in the
    # second image; that of the last corner crop is the pixel in the middle, 5, and those of mirrored crops are others.
    right, wrong = torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
    right[0, 0, 0, 0] = 3.0
    wrong[0, 0, 0, 0], wrong[0, 0, 1, 1] = -1.0, 5.0
    images: Batches = [(torch.cat([right, wrong]), torch.tensor([0, 0]))]
    values, rows = measured("ten_crop", Given(Corner(), images), pixels=1)
    assert values == {"one": 0.5, "ten": 0.0, "gain": 0.5}
    assert [(row["evaluation"], row["error"]) for row in rows] == [("center_crop", 0.5), ("ten_crop", 0.0)]


def test_ten_crops_are_those_of_the_evaluation() -> None:
    model = tiny("order=pre")
    values, rows = measured("ten_crop", model)
    loss, error = model.evaluate("test", build("evaluation", {"name": "ten_crop"}))
    assert (rows[1]["loss"], values["ten"]) == (loss, error)


def test_errors_are_told_by_the_size_of_the_object() -> None:
    # The classifier is right of positive images alone, whose label is 0; labels of -1.0 are turned to wrong here.
    images = [(batch([1.0], [1.0], [-1.0], [1.0], [-1.0], [-1.0]), torch.zeros(6, dtype=torch.long))]
    model = Given(nn.Sequential(pointwise(1.0), Classifier()), images)
    model.known = {"digit_side": torch.tensor([14.0, 15.0, 18.0, 18.0, 24.0, 23.0])}
    values, rows = measured("by_size", model)
    assert values == {"small": 0.0, "medium": 0.5, "large": 1.0, "worst": 1.0}
    assert [(row["size"], row["group"], row["images"], row["error"]) for row in rows] == [
        (14.0, "small", 1, 0.0), (15.0, "small", 1, 0.0), (18.0, "medium", 2, 0.5),
        (23.0, "large", 1, 1.0), (24.0, "large", 1, 1.0),
    ]  # fmt: skip


def test_images_of_one_size_are_in_one_group_and_an_empty_group_has_no_error() -> None:
    assert thirds(torch.tensor([1.0, 2.0, 3.0])).tolist() == [0, 1, 2]
    assert thirds(torch.tensor([5.0, 1.0, 1.0, 1.0, 5.0, 5.0])).tolist() == [2, 0, 0, 0, 2, 2]
    model = Given(nn.Sequential(pointwise(1.0), Classifier()), IMAGES)
    model.known = {"digit_side": torch.ones(4)}
    values, _ = measured("by_size", model)
    assert values == {"small": None, "medium": 0.0, "large": None, "worst": 0.0}


def test_a_data_set_that_says_no_sizes_has_nothing_to_measure() -> None:
    model = Given(nn.Sequential(pointwise(1.0), Classifier()), IMAGES)
    assert measurement("by_size").nothing_in(model) == "the data set says no digit_side of its test images"
    model.known = {"angle": torch.ones(4)}
    assert measurement("by_size").nothing_in(model).endswith("it says: angle")
    model.known = {"digit_side": torch.ones(4)}
    assert measurement("by_size").nothing_in(model) == ""


def two_factors(first: float, second: float) -> Given:
    """a b x: right where a b is positive."""
    return Given(nn.Sequential(pointwise(first), pointwise(second), Classifier()), IMAGES)


def test_the_line_between_two_networks_of_one_function_can_have_a_barrier() -> None:
    # (1, 1) and (-1, -1) are both right; halfway both factors are 0, all logits are 0, and the first class is chosen.
    start = two_factors(1.0, 1.0)
    start.others = {"end": two_factors(-1.0, -1.0)}
    values, rows = measured("line", start, to="end", points=5, splits="both")
    test = [row for row in rows if row["split"] == "test"]
    assert [row["alpha"] for row in test] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [row["error"] for row in test] == [0.0, 0.0, 0.5, 0.0, 0.0]
    assert test[2]["loss"] == pytest.approx(0.6931, abs=1e-4)
    logits = 0.25 * torch.tensor([[1.0, -1.0], [-1.0, 1.0], [2.0, -2.0], [-3.0, 3.0]])
    assert test[1]["loss"] == pytest.approx(float(F.cross_entropy(logits, IMAGES[0][1])))
    assert values["barrier"] == 0.5
    assert values["loss_barrier"] == pytest.approx(test[2]["loss"] - test[0]["loss"])
    assert values["end"] == 0.0
    assert [row["error"] for row in rows if row["split"] == "train"] == [row["error"] for row in test]


def test_a_line_may_fall_below_its_ends() -> None:
    assert barrier([0.2, 0.1, 0.4]) == pytest.approx(0.1), "the highest point is an end"
    assert barrier([0.3, 0.1, 0.3]) == pytest.approx(0.0)


@pytest.mark.parametrize("statistics", ["kept", "estimated"])
def test_the_ends_of_a_line_are_the_networks_and_all_is_put_back(statistics: str) -> None:
    start, end = tiny("order=pre"), tiny("order=pre")
    with torch.no_grad():
        for one in end.model.parameters():
            one.mul_(1.5)
        for one in end.model.buffers():
            one.add_(1)
    start.others = {"end": end}
    before = copy.deepcopy(start.model.state_dict())
    _, rows = measured("line", start, to="end", points=3, statistics=statistics)
    assert all(torch.equal(value, before[name]) for name, value in start.model.state_dict().items())
    if statistics == "kept":
        assert (rows[0]["loss"], rows[-1]["loss"]) == (start.evaluate()[0], end.evaluate()[0])
    else:
        assert rows[0]["loss"] != start.evaluate()[0]


def test_no_line_leads_to_another_network() -> None:
    start = tiny("depth=8")
    start.arm, start.others = "plain", {"deep": tiny("depth=14")}
    with pytest.raises(
        InputError, match=r"^no line leads from arm plain to arm deep: \S+ is nothing here and \(.*\) there$"
    ):
        measured("line", start, to="deep")
    start.arm = "deep"
    assert measurement("line", to="deep").nothing_in(start) == "it is arm deep itself, the end of the line"


def test_features_that_hold_the_image_reconstruct_it() -> None:
    generator = torch.Generator().manual_seed(0)
    images, test = (torch.randn(40, 6, generator=generator) + 3 for _ in range(2))
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]
    found = reconstruct(images @ turn, images, test @ turn, test)
    assert found.error == pytest.approx(0.0, abs=1e-6)


def test_features_that_hold_half_of_the_image_reconstruct_half() -> None:
    # Of two independent pixels of the same variance one is there: the error is 1/2.
    generator = torch.Generator().manual_seed(0)
    images, test = (torch.randn(1000, 2, generator=generator) for _ in range(2))
    found = reconstruct(images[:, :1], images, test[:, :1], test)
    assert found.error == pytest.approx(0.5, abs=0.03)


def test_noise_and_constants_reconstruct_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    images, test = (torch.randn(100, 4, generator=generator) for _ in range(2))
    noise, test_noise = (torch.randn(100, 300, generator=generator) for _ in range(2))
    assert reconstruct(noise, images, test_noise, test).error == pytest.approx(1.0, abs=0.1), (
        "the penalty keeps it from believing in noise"
    )
    assert reconstruct(torch.ones(100, 3), images, torch.ones(100, 3), test).error == pytest.approx(1.0, abs=0.05)


def test_the_dual_form_is_ridge_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    images, test, features, test_features = (torch.randn(30, 3, generator=generator).double() for _ in range(4))
    features, test_features = images + features, test + test_features
    found = reconstruct(features, images, test_features, test)
    phi, x = features - features.mean(0), images - images.mean(0)
    penalty = found.ridge * float(phi.square().sum()) / len(phi)
    weights = torch.linalg.solve(phi.T @ phi + penalty * torch.eye(3), phi.T @ x)
    missed = test - images.mean(0) - (test_features - features.mean(0)) @ weights
    error = missed.square().sum() / (test - images.mean(0)).square().sum()
    assert found.error == pytest.approx(float(error))


def test_the_penalty_is_that_of_the_least_leave_one_out_error() -> None:
    generator = torch.Generator().manual_seed(0)
    features, images = (torch.randn(16, width, generator=generator).double() for width in (12, 3))
    images += features[:, :3] / 2  # little enough that neither the weakest nor the strongest penalty is the best
    left_out = {}
    for ridge in RIDGES:
        penalty = ridge * float((features - features.mean(0)).square().sum()) / 16
        left_out[ridge] = sum(_missed(features, images, place, penalty) for place in range(16))
    best = min(left_out, key=left_out.__getitem__)
    assert RIDGES[0] < best < RIDGES[-1]
    assert reconstruct(features, images, features, images).ridge == best


def _missed(features: Tensor, images: Tensor, place: int, penalty: float) -> float:
    """Square error at an image of a regression on the others."""
    others = [number for number in range(len(images)) if number != place]
    middle, mean = features[others].mean(0), images[others].mean(0)
    phi, x = features[others] - middle, images[others] - mean
    weights = torch.linalg.solve(phi.T @ phi + penalty * torch.eye(phi.shape[1]), phi.T @ x)
    return float((images[place] - mean - (features[place] - middle) @ weights).square().sum())


def test_each_stage_has_its_reconstruction() -> None:
    values, rows = measured("reconstruction", tiny("order=pre"))
    assert [(row["stage"], row["place"], row["features"]) for row in rows] == [
        ("stage1", 1, 4 * 64), ("stage2", 2, 8 * 16), ("stage3", 3, 16 * 4),
    ]  # fmt: skip
    errors = [row["error"] for row in rows]
    assert values == pytest.approx({"first": errors[0], "last": errors[2], "mean": sum(errors) / 3})
    assert [row["r2"] for row in rows] == pytest.approx([1 - error for error in errors])


def test_a_network_without_stages_has_no_reconstruction() -> None:
    assert measurement("reconstruction").nothing_in(two_factors(1.0, 1.0)) == "the network has no stages"


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("line", {"to": "a", "points": 2}, r"measurements.line.points=2: must be at least 3"),
        ("line", {"to": "a", "batches": 0}, r"measurements.line.batches=0: must be at least 1"),
        ("line", {}, r"measurement 'line' needs a value: measurements.line.to=\.\.\."),
        ("line", {"to": "a", "splits": "all"}, r"unknown value of measurements.line.splits 'all'"),
        ("reconstruction", {"images": 1}, r"measurements.reconstruction.images=1: must be at least 2"),
        ("ten_crop", {"pixels": 0}, r"pixels=0: must be at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        measurement(name, **options)

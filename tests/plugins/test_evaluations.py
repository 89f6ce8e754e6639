"""What of an image is measured, and how views are averaged."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from ablate import Evaluation, InputError, registry
from ablate.config.compose import prepare
from ablate.training.evaluation import averaged
from tests.cells import fit, training_of


def build(name: str, **options: Any) -> Evaluation:
    prepare()
    return registry.build("evaluation", {"name": name, **options})


def test_center_crop_is_the_image() -> None:
    images = torch.randn(3, 2, 5, 6)
    (view,) = build("center_crop").views(images)
    assert torch.equal(view, images)
    assert build("center_crop").margin == 0


def test_ten_crop_is_corners_centre_and_their_mirror_images() -> None:
    evaluation = build("ten_crop", pixels=2)
    images = torch.randn(3, 2, 9, 10)
    views = list(evaluation.views(images))
    assert evaluation.margin == 2
    crops = [images[:, :, 0:5, 0:6], images[:, :, 0:5, 4:10], images[:, :, 4:9, 0:6], images[:, :, 4:9, 4:10]]
    crops.append(images[:, :, 2:7, 2:8])
    expected = [view for crop in crops for view in (crop, crop.flip(-1))]
    assert len(views) == 10
    assert all(torch.equal(one, other) for one, other in zip(views, expected, strict=True))


def test_views_are_averaged_as_probabilities() -> None:
    logits = [torch.randn(4, 3) * 5 for _ in range(10)]
    mean = torch.stack([one.softmax(dim=1) for one in logits]).mean(dim=0)
    torch.testing.assert_close(averaged(logits).softmax(dim=1), mean)
    torch.testing.assert_close(
        F.cross_entropy(averaged(logits), torch.tensor([0, 1, 2, 0])),
        F.nll_loss(mean.log(), torch.tensor([0, 1, 2, 0])),
    )


def test_one_view_is_measured_as_it_is() -> None:
    logits = torch.randn(4, 3)
    assert averaged([logits]) is logits


def test_a_cell_measured_on_ten_crops_was_trained_like_one_measured_on_one() -> None:
    one, ten = fit(training_of()), fit(training_of("evaluation=ten_crop", "evaluation.pixels=1"))
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), ten.model.parameters(), strict=True))
    assert one.history[-1]["test/loss"] != ten.history[-1]["test/loss"]
    model, data = ten.model.eval(), ten.data
    wrong = 0
    with torch.no_grad():
        for images, labels in data.evaluation_batches(data.test):
            assert images.shape[2:] == (10, 10)
            assert not images[:, :, 0].any(), "the mean stands around a small image"
            outputs = [model(view).softmax(dim=1) for view in ten.evaluation.views(images)]
            wrong += int((sum(outputs).argmax(dim=1) != labels).sum())
    assert ten.history[-1]["test/error"] == pytest.approx(wrong / 360)


def test_ten_crop_needs_a_margin() -> None:
    with pytest.raises(InputError, match=r"evaluation\.pixels=0"):
        build("ten_crop", pixels=0)
